#!/bin/sh
# tests/scenes.sh: plays every case of the course that is built, on real sockets.
set -eu
cd "$(dirname "$0")/.."
"${NARU_BUILD:-build}/naru" scene --all >"$NARU_BUILD/scenes.log" 2>&1 || true
cat "$NARU_BUILD/scenes.log"
awk '/ plays/ {p++} / FAILED/ {f++} / not built/ {s++; print "SKIPPED scene " $1 ": not built yet"}
     END {if (!p) f++; printf "%d passed, %d failed, %d skipped\n", p, f, s; exit f > 0}' "$NARU_BUILD/scenes.log"
