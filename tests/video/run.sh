#!/bin/sh
# The origin and its encoder, with a tiny film: what ffprobe and xmllint say of it, kills, hostile sources, HTTP.
set -u
for tool in python3 ffprobe xmllint; do
    if ! command -v $tool >/dev/null; then
        echo "SKIPPED video: $tool is not installed"
        echo "0 passed, 0 failed, 1 skipped"
        exit 0
    fi
done
build=${NARU_BUILD:-build}
if [ ! -x "$build/naru-encode" ]; then
    echo "SKIPPED video: naru-encode was not built (Debian's libavformat-dev and its kin)"
    echo "0 passed, 0 failed, 1 skipped"
    exit 0
fi
exec python3 "$(dirname "$0")/video.py" "$build/naru"
