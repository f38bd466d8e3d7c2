#!/bin/sh
# Runs every unit-* program of the build (or those that $1, or NARU_UNIT_ONLY, matches), as many at once as there are processors;
# prints each test by name, program by program.
set -u
only=${1:-${NARU_UNIT_ONLY:-}}
passed=0 failed=0 skipped=0
programs=$(ninja -C "$NARU_BUILD" -t targets all | sed -n 's/^\(.*unit-[^:./]*\): .*/\1/p' | grep -e "$only" | sort)

# The exit code stands in a file beside the log; without one the program was not run.
export NARU_BUILD
for program in $programs; do
    rm -f "$NARU_BUILD/${program##*/}.code"
done
echo "$programs" | xargs -P "$(nproc)" -I PROGRAM sh -c '
    program=$NARU_BUILD/PROGRAM name=$NARU_BUILD/$(basename PROGRAM)
    [ -x "$program" ] || exit 0
    "$program" >"$name.log" 2>&1
    echo $? >"$name.code"'

for program in $programs; do
    echo "-- ${program##*/}"
    log=$NARU_BUILD/${program##*/}.log
    if ! code=$(cat "$NARU_BUILD/${program##*/}.code" 2>/dev/null); then
        echo "not ok $program: it was not built"
        failed=$((failed + 1))
        continue
    fi
    cat "$log"
    sums=$(tail -n 1 "$log" | sed -n 's/^\([0-9]*\) passed, \([0-9]*\) failed, \([0-9]*\) skipped$/\1 \2 \3/p')
    # shellcheck disable=SC2086  # three words
    set -- ${sums:-0 1 0}
    # A layer that has no tests yet (0 0 0) is named, not failed.
    [ "$1$2$3" != 000 ] || echo "(no tests in ${program##*/} yet)"
    if [ "$code" != 0 ] && [ "$2" = 0 ] && [ "$1$2$3" != 000 ]; then
        echo "not ok ${program##*/}: exit code $code"
        set -- "$1" 1 "$3"
    fi
    passed=$((passed + $1)) failed=$((failed + $2)) skipped=$((skipped + $3))
done
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
