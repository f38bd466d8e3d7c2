#!/bin/sh
# tests/hostile/named.sh: every test and every bound that docs/hostile.md names exists. First whether this checker can fail.
set -u
cd "$(dirname "$0")/../.."

all=$(mktemp) && trap 'rm -f "$all"' EXIT
{
    grep -rhoE '^(FIBER_)?TEST\([a-z0-9_]+\)' src tests --include='*.c' | sed 's/.*(//; s/)//'
    grep -hoE '^def case_[a-z0-9_]+' tests/interop/*.py tests/edge/*.py tests/video/*.py | sed 's/def //'
    grep -hoE '^case [a-z0-9_]+' tests/edge/cases/*.cases | sed 's/case //'
    grep -rhoE '\b[A-Z][A-Z0-9_]+ *=|#define [A-Z][A-Z0-9_]+' src --include='*.[ch]' | sed 's/ *=//; s/#define //'
    grep -rhoE '\.key = "[a-z-]+"' src --include='*.c' | sed 's/.*"\(.*\)"/\1/'
} | sort -u >"$all"

# missing FILE: names in the last two columns of its tables that are nowhere
missing() {
    grep '^|' "$1" | grep -v '^| class\|^|--' | awk -F'|' '{print $(NF-2) $(NF-1)}' | grep -oE '`[^`]+`' | tr -d '`' | sort -u | grep -vxF -f "$all"
}

proven=0
if printf '| class | x | `NO_SUCH_BOUND` | `case_that_nobody_wrote` |\n' | sed 's/class/a class/' | missing /dev/stdin | grep -q case_that_nobody_wrote; then
    echo "ok the checker misses a test that nobody wrote"
    proven=1
fi
lost=$(missing docs/hostile.md)
names=$(grep '^|' docs/hostile.md | grep -oE '`[^`]+`' | sort -u | wc -l)
if [ -z "$lost" ] && [ "$names" -gt 100 ]; then
    echo "ok the tests and bounds of docs/hostile.md are all there ($names names)"
    clean=1
else
    echo "not ok docs/hostile.md names what is nowhere:" $lost
    clean=0
fi
echo "$((proven + clean)) passed, $((2 - proven - clean)) failed, 0 skipped"
[ $proven$clean = 11 ]
