#!/bin/sh
# The player's WebAssembly decides as C does, and the page tells it what `naru play` tells it.
set -u
cd "$(dirname "$0")/../.." || exit 1
build=${NARU_BUILD:-build}
wasm=$build/src/rooms/console/console_pages.c.wasm

if [ ! -e "$wasm" ]; then
    echo "SKIPPED web: this build has no pages (-Dweb=false)"
    echo "0 passed, 0 failed, 1 skipped"
    exit 0
fi
if ! node -e 'process.exit(+process.versions.node.split(".")[0] < 18 ? 1 : 0)' 2>/dev/null; then
    echo "SKIPPED web: there is no Node.js 18 or later"
    echo "0 passed, 0 failed, 1 skipped"
    exit 0
fi
tables=
for seed in 1 2 3 4 5 6 7 8 9 10 11 12; do
    "$build/src/rooms/console/decision-table" $seed 150 >"$build/decision-$seed.table" || exit 1
    tables="$tables $build/decision-$seed.table"
done
# shellcheck disable=SC2086  # a list of paths
node tests/web/decision.mjs "$wasm" src/wire/media/rate_decision.h web/src/player/decision.ts $tables >"$build/web-decision.log"
first=$?
sed '$d' "$build/web-decision.log"
esbuild tests/web/page.ts --bundle --format=esm --log-level=warning --loader:.wasm=binary --alias:decision.wasm="$(cd "$(dirname "$wasm")" && pwd)/console_pages.c.wasm" --outfile="$build/page.mjs" || exit 1
sessions=
for kind in segments record whole; do
    mkdir -p "$build/session-$kind"
    "$build/src/rooms/player/decision-session" $kind "$build/session-$kind" >"$build/session-$kind/table" || exit 1
    sessions="$sessions $kind $build/session-$kind $build/session-$kind/table"
done
# shellcheck disable=SC2086  # a list of words
node tests/web/session.mjs "$build/page.mjs" "$wasm" $sessions >"$build/web-session.log"
second=$?
sed '$d' "$build/web-session.log"
tail -qn 1 "$build/web-decision.log" "$build/web-session.log" | awk '{p += $1; f += $3; s += $5} END {printf "%d passed, %d failed, %d skipped\n", p, f, s}'
[ $first -eq 0 ] && [ $second -eq 0 ]
