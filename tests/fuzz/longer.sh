#!/bin/sh
# The fuzzing of make check-all: FUZZ_SECONDS for each target; by default all of them together take about three minutes.
set -u
cd "$(dirname "$0")/../.." || exit 1
targets=$(find src -name '*_fuzz.c' | wc -l)
exec tests/fuzz/run.sh "${FUZZ_SECONDS:-$((180 * $(nproc) / (targets > 0 ? targets : 1)))}"
