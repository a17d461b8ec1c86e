# Asks whether what the locks name has known vulnerabilities. The asking tool has its own lock and its own corner of .venv,
# so that it changes nothing of what is audited. Where the database of vulnerabilities can't be reached: "not checked".
python=$1
tool=.venv/audit
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if [ ! -x "$tool/bin/pip-audit" ] || [ build/pip-audit.lock -nt "$tool/bin/pip-audit" ]; then
  "$python" -m venv "$tool" &&
    "$tool/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r build/pip-audit.lock \
      2>"$work/said" && touch "$tool/bin/pip-audit" || { echo "not checked: pip-audit could not be installed"; exit 0; }
fi

asked() {
  rm -f "$work/answer"
  "$tool/bin/pip-audit" -r "$1" --require-hashes --disable-pip --progress-spinner off --timeout 15 \
    -f json -o "$work/answer" 2>"$work/said"
}

# A mirror may answer without knowing any vulnerability: one that everybody knows since 2019 tells (CVE-2019-10906).
printf 'jinja2==2.10 --hash=sha256:%064d\n' 0 >"$work/known.lock"
if asked "$work/known.lock"; then
  echo "not checked: whoever answers here knows no vulnerabilities"; exit 0
elif [ ! -s "$work/answer" ]; then
  echo "not checked: $(grep -v '^ *$' "$work/said" | tail -1 | cut -d: -f1)"; exit 0
fi
status=0
for lock in requirements.lock requirements-dev.lock; do
  if asked "$lock"; then
    echo "$lock: no known vulnerability"
  elif [ -s "$work/answer" ]; then
    echo "$lock:"; "$tool/bin/python" build/show_vulnerabilities.py "$work/answer"; status=1
  else
    echo "$lock: not checked"
  fi
done
exit $status
