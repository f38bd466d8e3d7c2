#!/bin/sh
# tests/talk/run.sh: plays every conversation script in the simulator and against the real program, also byte by byte.
set -eu
cd "$(dirname "$0")/../.."
exec "$NARU_BUILD/naru-talk" --naru "$NARU_BUILD/naru" tests/talk/*.talk
