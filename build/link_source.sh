# Makes the package importable from its source, and the command .venv/bin/paymux.
site=$(.venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
echo "$PWD/src" > "$site/paymux.pth"
cat > .venv/bin/paymux <<END
#!$PWD/.venv/bin/python
from paymux.cli import main

main()
END
chmod +x .venv/bin/paymux
