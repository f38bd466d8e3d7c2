#!/bin/sh
# Can `make test` fail? tools/test is given steps that pass, fail, skip, lie and die, and must say so in its last line
# and its exit code; and steps that fail once, with and without the mark `real-time`.
set -u
cd "$(dirname "$0")/.." || exit 1
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
NARU_BUILD=$dir
export NARU_BUILD
passed=0 failed=0

step() { printf '#!/bin/sh\n%s\n' "$2" >"$dir/$1.sh"; chmod +x "$dir/$1.sh"; }
step good 'echo "2 passed, 0 failed, 0 skipped"'
step bad 'echo "1 passed, 1 failed, 0 skipped"; exit 1'
step skips 'echo "SKIPPED x: no x here"; echo "0 passed, 0 failed, 1 skipped"'
step lies 'echo "3 passed, 0 failed, 0 skipped"; exit 3'
step dies 'echo "half way"; kill -9 $$'
step build 'echo "0 passed, 1 failed, 0 skipped"; exit 1'
step once 'if [ -e "$0.was" ]; then echo "2 passed, 0 failed, 0 skipped"; exit 0; fi
touch "$0.was"; echo "not ok once: it was late"; echo "1 passed, 1 failed, 0 skipped"; exit 1'
step ended 'if [ -e "$0.was" ]; then echo "1 passed, 0 failed, 0 skipped"; exit 0; fi; touch "$0.was"; kill -9 $$'
step hangs 'while :; do sleep 1; done'
step breaks 'if [ -e "$0.was" ]; then echo "1 passed, 0 failed, 0 skipped"; exit 0; fi
touch "$0.was"; echo "naru: broken invariant: x"; echo "0 passed, 1 failed, 0 skipped"; exit 1'
step chatty 'echo "4 passed, 0 failed, 0 skipped"; echo "and then something else"'

verdict() {     # WHAT COMPLAINT: fine without one
    if [ -z "$2" ]; then
        echo "ok driver: $1"; passed=$((passed + 1))
    else
        echo "not ok driver: $1: $2"; failed=$((failed + 1))
    fi
}

# expect EXIT_CODE LAST_LINE STEP...: a step NAME+ is marked real-time. What was said stands in $said.
expect() {
    code=$1 last=$2
    shift 2
    rm -f "$dir"/*.was
    for one; do
        case $one in *+) echo "${one%+} real-time $dir/${one%+}.sh" ;; *) echo "$one $dir/$one.sh" ;; esac
    done >"$dir/list"
    said=$(tools/test "$dir/list" 2>&1)
    got=$?
    complaint=
    [ $got = "$code" ] && [ "$(echo "$said" | tail -n 1)" = "$last" ] || complaint="exit code $got, not $code, and: $(echo "$said" | tail -n 1)"
    verdict "$* gives \"$last\", exit code $code" "$complaint"
}

# says LINES_THAT_MATCH PATTERN: so often in what the last steps gave
says() {
    count=$(echo "$said" | grep -c -e "$2")
    complaint=
    [ "$count" = "$1" ] || complaint="$count times"
    verdict "... and says \"$2\" ${1} times" "$complaint"
}

expect 0 '2 passed, 0 failed, 0 skipped' good
expect 0 '2 passed, 0 failed, 1 skipped' good skips
expect 1 '3 passed, 1 failed, 1 skipped' good bad skips
expect 1 '5 passed, 1 failed, 0 skipped' good lies
expect 1 '2 passed, 1 failed, 0 skipped' dies good
expect 1 '2 passed, 1 failed, 0 skipped' good chatty
expect 1 '0 passed, 0 failed, 1 skipped' skips
expect 1 '0 passed, 1 failed, 0 skipped' missing
expect 1 '0 passed, 1 failed, 0 skipped' build good

# The second time: only with the mark, only once, last, and never quietly.
expect 0 '4 passed, 0 failed, 0 skipped' once+ good
says 1 '^UNSTEADY once: failed the first time (1 failed: not ok once: it was late), passed the second time'
says 0 '^FAILED'
complaint=
[ "$(echo "$said" | grep '^== [a-z]*$' | tr -d '=\n')" = ' once good once' ] || complaint="$(echo "$said" | grep '^==' | tr '\n' ' ')"
verdict "... and plays it again after the others" "$complaint"
complaint=
[ "$(cat "$dir/step-once.log.first" "$dir/step-once.log" | grep -c '^[12] passed')" = 2 ] || complaint="not both"
verdict "... and keeps both logs" "$complaint"
expect 0 '3 passed, 0 failed, 0 skipped' ended+ good
says 1 '^UNSTEADY ended: failed the first time (1 failed: '
export STEP_SECONDS=1
expect 1 '2 passed, 1 failed, 0 skipped' hangs+ good
unset STEP_SECONDS
says 1 '^FAILED: hangs '
expect 1 '3 passed, 1 failed, 0 skipped' bad+ good
says 0 '^UNSTEADY'
says 1 '^FAILED: bad '
expect 1 '3 passed, 1 failed, 0 skipped' once good
says 0 '^UNSTEADY'
expect 1 '2 passed, 1 failed, 0 skipped' breaks+ good
says 0 '^UNSTEADY'
expect 1 '3 passed, 1 failed, 0 skipped' once+ bad+
says 1 '^UNSTEADY'
expect 0 '4 passed, 0 failed, 0 skipped' good+ good
says 0 'the second time'

# Steps by their names.
printf 'bad %s/bad.sh\ngood real-time %s/good.sh\nskips %s/skips.sh\n' "$dir" "$dir" "$dir" >"$dir/list"
for words in good 'good skips' 'skips good'; do
    complaint=
    # shellcheck disable=SC2086  # a list of words
    said=$(tools/test "$dir/list" $words 2>&1) || complaint="exit code $?"
    [ "$(echo "$said" | grep -c '^== [a-z]*$')" = "$(echo "$words" | wc -w)" ] || complaint="$(echo "$said" | grep '^==' | tr '\n' ' ')"
    verdict "only what is named is played: $words" "$complaint"
done
echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" = 0 ]
