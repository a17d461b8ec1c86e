"""Print what pip-audit found: a line for each package and vulnerability."""

import json
import sys
from pathlib import Path

for package in json.loads(Path(sys.argv[1]).read_text())["dependencies"]:
    for found in package.get("vulns", ()):
        fixed = ", ".join(found["fix_versions"]) or "no version yet"
        sys.stdout.write(f"  {package['name']} {package['version']}: {found['id']}, mended in {fixed}\n")
