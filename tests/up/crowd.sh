#!/bin/sh
# tests/up in full: ten thousand open conversations over a reload.
NARU_UP_CONNS=10000 exec "$(dirname "$0")/run.sh"
