#!/bin/sh
# tests/torment.sh: `naru torment` in small: nothing may be lost; and with one letter dropped on purpose it must say so.
set -u
cd "$(dirname "$0")/.."
naru=${NARU_BUILD:-build}/naru
passed=0 failed=0 skipped=0

# calm NAME LETTERS OPTIONS...: all of them accepted, none lost, none doubled
calm() {
    name=$1 letters=$2
    shift 2
    said=$(timeout 300 "$naru" torment --letters "$letters" "$@" 2>&1)
    if [ $? = 0 ] && echo "$said" | grep -qx "accepted $letters, lost 0, doubled in a mailbox 0"; then
        echo "ok torment of $name: $(echo "$said" | tail -n 1)"
        passed=$((passed + 1))
    else
        echo "$said"
        echo "not ok torment of $name"
        failed=$((failed + 1))
    fi
    case $said in *"SKIPPED disks that fill"*) echo "$said" | grep SKIPPED; skipped=1 ;; esac
}

calm "naru up" 800 --kills 8 --fills 1 --clocks 2
calm "naru try" 200 --try --kills 2 --fills 1

said=$(timeout 300 "$naru" torment --letters 50 --kills 1 --fills 0 --backups 0 --break 2>&1)
if [ $? = 1 ] && echo "$said" | grep -q '^accepted 50, lost 1, '; then
    echo "ok torment with a letter dropped on purpose fails, as it must"
    passed=$((passed + 1))
else
    echo "$said"
    echo "not ok torment did not notice a letter that was dropped"
    failed=$((failed + 1))
fi
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
