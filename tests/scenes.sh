#!/bin/sh
# Every case of the course that is built, played by `naru scene --all` on real sockets; those that are not are named.
set -u
"$NARU_BUILD/naru" scene --all </dev/null 2>/dev/null | {
    passed=0 failed=0 skipped=0
    while IFS= read -r line; do
        case $line in
        *' plays'*) echo "ok scene $line"; passed=$((passed + 1)) ;;
        *' not built'*) echo "SKIPPED scene $line"; skipped=$((skipped + 1)) ;;
        [MNFVST][0-9]*) echo "not ok scene $line"; failed=$((failed + 1)) ;;
        esac
    done
    [ $((passed + failed + skipped)) = 32 ] || { echo "not ok scene --all: $((passed + failed + skipped)) of 32 cases"; failed=$((failed + 1)); }
    echo "$passed passed, $failed failed, $skipped skipped"
    [ "$failed" = 0 ]
}
