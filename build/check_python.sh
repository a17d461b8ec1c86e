# Says in one sentence what is missing before anything is made.
python=$1
if ! command -v "$python" >/dev/null 2>&1; then
  echo "paymux needs Python 3.11 or later: apt-get install -y git make python3 python3-venv" >&2; exit 1
fi
if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
  echo "paymux needs Python 3.11 or later; $("$python" --version) is too old" >&2; exit 1
fi
if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
  echo "Python's venv is missing: apt-get install -y python3-venv" >&2; exit 1
fi
