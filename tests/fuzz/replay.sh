#!/bin/sh
# Replays the corpus of every fuzz target (tests/fuzz/corpus/NAME for fuzz-NAME) as an ordinary test.
set -u
cd "$(dirname "$0")/../.." || exit 1
passed=0 failed=0
for program in $(ninja -C "$NARU_BUILD" -t targets all | sed -n 's/^\(.*fuzz-[^:./]*\): .*/\1/p' | sort); do
    name=${program##*/fuzz-}
    if said=$("$NARU_BUILD/$program" "tests/fuzz/corpus/$name" 2>&1); then
        echo "ok fuzz-$name: $said"
        passed=$((passed + 1))
    else
        echo "not ok fuzz-$name: $said"
        failed=$((failed + 1))
    fi
done
echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
