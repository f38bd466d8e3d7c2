#!/bin/sh
# Builds everything: the program, its tests, its benches. Warnings are errors.
cd "$(dirname "$0")/.." || exit 1
if BUILD=$NARU_BUILD tools/build -k 0; then
    echo "ok everything compiles"
    echo "1 passed, 0 failed, 0 skipped"
else
    echo "0 passed, 1 failed, 0 skipped"
    exit 1
fi
