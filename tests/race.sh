#!/bin/sh
# tests/race.sh: the race's own rig on this machine: naru race --serve, the server of `--real`, gives a file to whoever asks; and a race
# of two in network namespaces comes to its end and is told. What a race's figures are worth is bench/swarm.py's.
cd "$(dirname "$0")/.." || exit 1
naru=$(realpath "${NARU_BUILD:-build}/naru")
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
passed=0 failed=0
is() {
    if [ "$2" = "$3" ]; then
        echo "ok race: $1"; passed=$((passed + 1))
    else
        echo "not ok race: $1: \"$2\", not \"$3\""; failed=$((failed + 1))
    fi
}
for tool in unshare ip tc curl; do
    command -v $tool >/dev/null && unshare -Urnm true 2>/dev/null && continue
    echo "SKIPPED race: no $tool, or no namespaces for users here"
    echo "0 passed, 0 failed, 1 skipped"
    exit 0
done

head -c 1000003 /dev/urandom >"$dir/file"
DIR=$dir NARU=$naru unshare -Urn sh -c '
    cd "$DIR" && ip link set lo up || exit 1
    "$NARU" race --serve file >served 2>&1 & server=$!
    tries=0
    until grep -q complete served || [ $tries = 600 ]; do tries=$((tries + 1)); sleep 0.1; done
    for i in 1 2 3; do curl -sf -o got.$i http://127.0.0.1/file & all="$all $!"; done
    wait $all
    kill $server; wait $server 2>/dev/null
    "$NARU" race --serve nowhere >missing 2>&1; echo $? >code
'
for i in 1 2 3; do
    is "--serve gives the whole file, three at once ($i)" "$(sha1sum <"$dir/got.$i")" "$(sha1sum <"$dir/file")"
done
is "--serve says when there is no such file" "$(cat "$dir/code") $(grep -c nowhere "$dir/missing")" "1 1"

"$naru" race --real --json --n 2 --peers 2 --file 1MB --piece 64KiB --server 16Mbit --peer 16Mbit >"$dir/json" 2>"$dir/told"
is "--real ends and is told" "$?" 0
is "both ways were measured" "$(grep -o '"kind": "[a-z0-9_]*"' "$dir/json" | sort | tr '\n' ' ')" '"kind": "client_server" "kind": "p2p" '
is "it says what the source sent" "$(grep -c 'the source sent [0-3]\.' "$dir/told")" 2
echo "$passed passed, $failed failed, 0 skipped"
[ $failed = 0 ]
