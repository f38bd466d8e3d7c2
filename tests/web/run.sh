#!/bin/sh
# The player's WebAssembly decides as C does.
set -u
cd "$(dirname "$0")/../.." || exit 1
build=${NARU_BUILD:-build}
wasm=$build/src/rooms/console/console_pages.c.wasm

if [ ! -e "$wasm" ]; then
    echo "SKIPPED web: this build has no pages (-Dweb=false)"
    echo "0 passed, 0 failed, 1 skipped"
    exit 0
fi
tables=
for seed in 1 2 3 4 5 6 7 8 9 10 11 12; do
    "$build/src/rooms/console/decision-table" $seed 150 >"$build/decision-$seed.table" || exit 1
    tables="$tables $build/decision-$seed.table"
done
# shellcheck disable=SC2086  # a list of paths
exec node tests/web/decision.mjs "$wasm" src/wire/media/rate_decision.h web/src/player/decision.ts $tables
