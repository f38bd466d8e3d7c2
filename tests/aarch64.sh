#!/bin/sh
# The other processor: base, wire and the switch are compiled for aarch64 with warnings as errors, and base's unit tests
# are linked (and run where qemu-aarch64 is there to run them).
set -u
cd "$(dirname "$0")/.." || exit 1
cc=aarch64-linux-gnu-gcc
out=${NARU_BUILD:-$PWD/build}/aarch64
passed=0 failed=0 skipped=0

if ! command -v $cc >/dev/null; then
    echo "SKIPPED aarch64: $cc is not installed"
    echo "0 passed, 0 failed, 1 skipped"
    exit 0
fi
mkdir -p "$out"
flags="-std=gnu17 -O2 -D_GNU_SOURCE -DNARU_VERSION=\"x\" -Isrc -Itests/unit -Wall -Wextra -Werror -Wshadow -Wconversion
    -Wno-sign-conversion -Wvla -Wstrict-prototypes -Wmissing-prototypes -Wno-missing-field-initializers -fno-strict-aliasing"
objects=
for source in src/base/*.c $(find src/wire -name '*.c' | sort) $(ls src/rt/switch*.c src/rt/*aarch64*.S 2>/dev/null) tests/unit/main.c; do
    case $source in *_fuzz.c) continue ;; src/wire/*_test.c) continue ;; esac
    object=$out/$(echo "$source" | tr '/' '-').o
    # shellcheck disable=SC2086  # flags are words
    if $cc $flags -c -o "$object" "$source"; then
        passed=$((passed + 1))
        case $source in src/base/* | tests/*) objects="$objects $object" ;; esac
    else
        echo "not ok aarch64: $source"
        failed=$((failed + 1))
    fi
done
echo "ok aarch64: $passed files compile"
# shellcheck disable=SC2086  # objects are words
if $cc -static -o "$out/unit-base" $objects; then
    if command -v qemu-aarch64 >/dev/null; then
        if qemu-aarch64 "$out/unit-base" | tail -n 1; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
    else
        echo "SKIPPED aarch64: unit-base was linked but not run: there is no qemu-aarch64 here"
        skipped=1
    fi
else
    failed=$((failed + 1))
fi
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
