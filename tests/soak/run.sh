#!/bin/sh
# tests/soak/run.sh [MINUTES]: `naru up` for long among friends and enemies: memory flat, nothing left. An hour without MINUTES.
set -u
cd "$(dirname "$0")/../.."
exec python3 tests/soak/soak.py "${NARU_BUILD:-build}/naru" "${1:-60}"
