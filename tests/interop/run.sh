#!/bin/sh
# tests/interop/run.sh [CASE...]: programs that nobody here wrote, and naru's own commands, against a running `naru try`.
set -eu
cd "$(dirname "$0")/../.."
exec python3 tests/interop/main.py "${NARU_BUILD:-build}/naru" "$@"
