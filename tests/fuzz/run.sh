#!/bin/sh
# tests/fuzz/run.sh [SECONDS [NAME...]]: fuzzes every target (or those named) with libFuzzer, ASan and UBSan for so
# many seconds each, as many at once as there are processors. Starts from the corpus, keeps what it finds in
# build-fuzz/found/NAME; a crashing input is printed.
set -u
cd "$(dirname "$0")/../.." || exit 1
seconds=${1:-60}
[ $# -eq 0 ] || shift
build=$PWD/build-fuzz
passed=0 failed=0

if ! command -v clang >/dev/null; then
    echo "SKIPPED fuzzing: clang is not installed"
    echo "0 passed, 0 failed, 1 skipped"
    exit 0
fi
if [ ! -f "$build/build.ninja" ]; then
    CC=clang meson setup "$build" -Dfuzz=true -Db_sanitize=address,undefined -Db_lundef=false -Doptimization=1 >/dev/null || {
        echo "0 passed, 1 failed, 0 skipped"
        exit 1
    }
fi
programs=
for program in $(ninja -C "$build" -t targets all | sed -n 's/^\(.*fuzz-[^:./]*\): .*/\1/p' | sort); do
    name=${program##*/fuzz-}
    if [ $# -gt 0 ]; then
        case " $* " in *" $name "*) ;; *) continue ;; esac
    fi
    mkdir -p "$build/found/$name" "tests/fuzz/corpus/$name"
    rm -f "$build/found/$name.ok"
    programs="$programs $program"
done
# shellcheck disable=SC2086  # a list of words
ninja -C "$build" -k 0 --quiet $programs
echo "$programs" | tr ' ' '\n' | sed '/^$/d' | xargs -P "$(nproc)" -I PROGRAM sh -c '
    build=$1 seconds=$2 name=$(basename PROGRAM | sed s/^fuzz-//)
    "$build/PROGRAM" -max_total_time="$seconds" -max_len=4096 -timeout=10 -rss_limit_mb=1024 \
        -artifact_prefix="$build/found/$name-" "$build/found/$name" "tests/fuzz/corpus/$name" >"$build/found/$name.log" 2>&1 &&
        touch "$build/found/$name.ok"' fuzz "$build" "$seconds"

for program in $programs; do
    name=${program##*/fuzz-} log=$build/found/${program##*/fuzz-}.log
    if [ -e "$build/found/$name.ok" ]; then
        echo "ok fuzz-$name: $(tail -n 1 "$log")"
        passed=$((passed + 1))
    else
        tail -n 30 "$log"
        echo "not ok fuzz-$name: the input is $build/found/$name-*; replay: $build/$program FILE"
        failed=$((failed + 1))
    fi
done
echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
