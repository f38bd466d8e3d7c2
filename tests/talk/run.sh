#!/bin/sh
# tests/talk/run.sh: plays every conversation script in the simulator and against build/naru.
set -eu
cd "$(dirname "$0")/../.."
build=${BUILD:-build}
tools/build naru naru-talk
exec "$build/naru-talk" --naru "$build/naru" tests/talk/*.talk
