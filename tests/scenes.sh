#!/bin/sh
# tests/scenes.sh: plays every case of the course that is built, on real sockets, as many at once as there are processors: each has a small
# Internet of its own. The longest two come first.
set -u
cd "$(dirname "$0")/.."
naru=${NARU_BUILD:-build}/naru
told=$(mktemp -d) && trap 'rm -rf "$told"' EXIT
export naru told

names=$("$naru" scene --json | sed -n 's/.*{"name": "\([^"]*\)".*/\1/p')
{ printf 'V1\nF3\n'; echo "$names" | grep -vx 'V1\|F3'; } |
    xargs -P "$(nproc)" -I NAME sh -c '"$naru" scene NAME --json >"$told/NAME" 2>&1; echo "exit code $?" >>"$told/NAME"'

# field NAME FIELD: of what the scene said
field() { sed -n "s/.*\"$2\": \"\\{0,1\\}\\([^\"]*\\)\"\\{0,1\\}[,}].*/\\1/p" "$told/$1" | head -n 1; }

passed=0 failed=0 skipped=0
for name in $names; do
    verdict=$(field "$name" verdict) title=$(sed -n 's/.*"title": "\(.*\)", "verdict".*/\1/p' "$told/$name")
    case $verdict in
    plays*)
        if grep -qx 'exit code 0' "$told/$name"; then
            echo "ok scene $name: $title: $verdict"
            passed=$((passed + 1))
            continue
        fi ;;
    'not built')
        echo "SKIPPED scene $name: not built yet"
        skipped=$((skipped + 1))
        continue ;;
    esac
    echo "not ok scene $name: $title"
    cat "$told/$name"
    failed=$((failed + 1))
done
[ -n "$names" ] || { echo "not ok naru scene lists no scenes"; failed=1; }
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
