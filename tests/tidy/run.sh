#!/bin/sh
# First whether the checkers can fail, then the tree, then what the programs are linked from.
set -u
cd "$(dirname "$0")" || exit 1
build=${NARU_BUILD:-../../build}
passed=0 failed=0 skipped=0

# play COMMAND...: what it says, and its sums added to ours. One that dies without sums counts as a failure.
play() {
    said=$("$@") || [ -n "$said" ] || said="not ok $1 died"
    echo "$said" | sed '/^[0-9]* passed, /d'
    sums=$(echo "$said" | sed -n '$s/^\([0-9]*\) passed, \([0-9]*\) failed, \([0-9]*\) skipped$/\1 \2 \3/p')
    # shellcheck disable=SC2086  # three words
    set -- ${sums:-0 1 0}
    passed=$((passed + $1)) failed=$((failed + $2)) skipped=$((skipped + $3))
}

play ./self_check
play ./tidy
play ./linked "$build"
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
