#!/bin/sh
# tests/variant.sh NAME: builds naru another way in build-NAME and runs there what that build is for.
set -u
cd "$(dirname "$0")/.." || exit 1
NARU_BUILD=$PWD/build-$1
export NARU_BUILD
steps='unit fuzz sim'
case $1 in
clang)      steps='hardened unit fuzz sim'; options=; CC=clang; export CC ;;
sanitized)  options='-Db_sanitize=address,undefined -Doptimization=1' ;;
# Where threads meet: the runtime, workers and disks. Pure code and what only the simulator plays has one thread; the walks
# over simulated crashes would take most of an hour.
threads)    options='-Db_sanitize=thread -Doptimization=1'; steps=unit
            NARU_UNIT_ONLY='unit-rt\|unit-keep\|unit-talk\|unit-swarm-store\|unit-room-[am]\|unit-rooms-upper'
            NARU_UNIT_WITHOUT=_walk; export NARU_UNIT_ONLY NARU_UNIT_WITHOUT ;;
ucontext)   options='-Ducontext=true'; steps='unit sim' ;;
*)          echo "tests/variant.sh: no variant $1"; exit 2 ;;
esac
if ! BUILD=$NARU_BUILD MESON_OPTIONS=$options tools/build -k 0; then
    echo "not ok $1: it does not compile"
    echo "0 passed, 1 failed, 0 skipped"
    exit 1
fi
echo "ok $1: everything compiles"
# shellcheck disable=SC2086  # a list of steps
exec tools/test $steps
