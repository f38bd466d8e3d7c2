#!/bin/sh
# tests/course/run.sh [CASE...]: the client programs as the course writes them, and peers that behave badly, against the
# upper service of a running `naru try`.
set -eu
cd "$(dirname "$0")/../.."
exec python3 tests/course/upper.py "${NARU_BUILD:-build}/naru" "$@"
