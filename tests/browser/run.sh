#!/bin/sh
# naru's pages and presentations in Debian's Chromium: tests/browser/browser.mjs. npm brings the players that judge, and what drives the browser,
# once, as package-lock.json says.
set -u
cd "$(dirname "$0")" || exit 1
build=${NARU_BUILD:-../../build}

skip() {
    echo "SKIPPED browser: $1"
    echo "0 passed, 0 failed, 1 skipped"
    exit 0
}
command -v "${CHROMIUM:-chromium}" >/dev/null || skip "there is no Chromium"
node -e 'process.exit(+process.versions.node.split(".")[0] < 18 ? 1 : 0)' 2>/dev/null || skip "there is no Node.js 18 or later"
[ -x "$build/naru-encode" ] || skip "naru-encode was not built"
if ! cmp -s package-lock.json node_modules/.lock-of-these; then
    npm ci --ignore-scripts --no-audit --no-fund --omit-lockfile-registry-resolved --loglevel=error >"$build/browser-npm.log" 2>&1 || {
        cat "$build/browser-npm.log"
        skip "npm cannot bring the players (no network?)"
    }
    cp package-lock.json node_modules/.lock-of-these
fi
node_modules/.bin/tsc --noEmit -p ../../web && echo "ok the pages' types fit" || { echo "not ok the pages' types fit"; echo "0 passed, 1 failed, 0 skipped"; exit 1; }
exec node browser.mjs "$build/naru" "$build/browser"
