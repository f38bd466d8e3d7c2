#!/bin/sh
# naru backup, verify and restore of a running `naru up` under load; and naru story over a restart.
set -u
if ! command -v python3 >/dev/null; then
    echo "SKIPPED backup: python3 is not installed"
    echo "0 passed, 0 failed, 1 skipped"
    exit 0
fi
exec python3 "$(dirname "$0")/backup.py" "${NARU_BUILD:-build}/naru" "$@"
