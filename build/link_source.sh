# Makes the package importable from its source, and the command .venv/bin/paymux.
site=$(.venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
echo "$PWD/src" > "$site/paymux.pth"
cat > .venv/bin/paymux <<'COMMAND'
#!/bin/sh
exec "$(dirname "$(readlink -f "$0")")/python" -m paymux "$@"
COMMAND
chmod +x .venv/bin/paymux
