#!/bin/sh
# naru play against films that ffmpeg packaged, over real sockets; what it hands on is counted by ffprobe; its view by a terminal's eyes.
set -u
for tool in python3 ffmpeg ffprobe; do
    if ! command -v $tool >/dev/null; then
        echo "SKIPPED play: $tool is not installed"
        echo "0 passed, 0 failed, 1 skipped"
        exit 0
    fi
done
exec python3 "$(dirname "$0")/play.py" "${NARU_BUILD:-build}/naru"
