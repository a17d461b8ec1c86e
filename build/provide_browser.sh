# The browser tests need a Chromium: the machine's own, Debian's package when root, else Playwright's.
for name in chromium chromium-browser google-chrome google-chrome-stable; do
  command -v "$name" >/dev/null 2>&1 && exit 0
done
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium >/dev/null && exit 0
fi
.venv/bin/playwright install chromium >/dev/null 2>&1 && exit 0
echo "The browser tests need Chromium: apt-get install -y chromium" >&2
exit 1
