#!/bin/sh
# The HTTP cache: every case of tests/edge/cases in the simulator, that they can fail, those that need no time over real sockets against
# `naru up`, attacks that are measured, and origins (TLS, a reload, kill -9). `--longer`: also ten thousand idle connections.
set -u
cd "$(dirname "$0")/../.."
passed=0 failed=0 skipped=0

add() {     # the sums that a program's last line names; without one it has failed
    sums=$(tail -n 1 "$1" | sed -n 's/^\([0-9]*\) passed, \([0-9]*\) failed, \([0-9]*\) skipped$/\1 \2 \3/p')
    # shellcheck disable=SC2086  # three words
    set -- ${sums:-0 1 0}
    passed=$((passed + $1)) failed=$((failed + $2)) skipped=$((skipped + $3))
}

said=$(mktemp) && trap 'rm -f "$said"' EXIT
"$NARU_BUILD/naru-edge-cases" tests/edge/cases/*.cases >"$said" 2>&1
sed '$d' "$said"
add "$said"

# Without a cache most cases must fail: those that hold say what any honest server does.
line=$("$NARU_BUILD/naru-edge-cases" --without-edge tests/edge/cases/*.cases)
hold=$(echo "$line" | sed -n 's/^without an edge \([0-9]*\) of \([0-9]*\) cases hold$/\1 \2/p')
if [ -n "$hold" ] && [ $((${hold% *} * 3)) -lt "${hold#* }" ]; then
    echo "ok the cases can fail: $line"
    passed=$((passed + 1))
else
    echo "not ok the cases can fail: $line"
    failed=$((failed + 1))
fi

if command -v python3 >/dev/null; then
    python3 tests/edge/attacks.py "$NARU_BUILD/naru" "$@" >"$said" 2>&1
    sed '$d' "$said"
    add "$said"
    python3 tests/edge/origins.py "$NARU_BUILD/naru" >"$said" 2>&1
    sed '$d' "$said"
    add "$said"
else
    echo "SKIPPED edge over real sockets: python3 is not installed"
    skipped=$((skipped + 1))
fi
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
