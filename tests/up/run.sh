#!/bin/sh
# naru up on high ports: starting, a letter's way, services that are killed, reloading, stopping, and the guard.
set -u
if ! command -v python3 >/dev/null; then
    echo "SKIPPED up: python3 is not installed"
    echo "0 passed, 0 failed, 1 skipped"
    exit 0
fi
exec python3 "$(dirname "$0")/up.py" "${NARU_BUILD:-build}/naru"
