#!/bin/sh
# tests/rate.sh: naru's rate decision is not worse than the best comparison rule on a few made traces of each kind (bench/rate.c).
cd "$(dirname "$0")/.." || exit 1
exec "${NARU_BUILD:-build}/bench/bench-rate" --check
