#!/bin/sh
# Can `make test` fail? tools/test is given steps that pass, fail, skip, lie and die, and must say so in its last line
# and its exit code.
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
step chatty 'echo "4 passed, 0 failed, 0 skipped"; echo "and then something else"'

# expect EXIT_CODE LAST_LINE STEP...
expect() {
    code=$1 last=$2
    shift 2
    for one; do echo "$one $dir/$one.sh"; done >"$dir/list"
    said=$(tools/test "$dir/list" 2>&1)
    got=$?
    if [ $got = "$code" ] && [ "$(echo "$said" | tail -n 1)" = "$last" ]; then
        echo "ok driver: $* gives \"$last\", exit code $code"
        passed=$((passed + 1))
    else
        echo "not ok driver: $* gives exit code $got, not $code, and: $(echo "$said" | tail -n 1)"
        failed=$((failed + 1))
    fi
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
echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" = 0 ]
