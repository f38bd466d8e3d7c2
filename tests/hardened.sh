#!/bin/sh
# Is what we ship hardened? Reads the linked programs (PIE, read-only relocations, all symbols bound at start, no
# executable stack, stack protector, fortified calls) and the compiler's commands (stack clash, zeroed locals, frames).
# A weak program made on purpose must fail, else the check itself is broken.
set -u
passed=0 failed=0

ok() { echo "ok $1"; passed=$((passed + 1)); }
not_ok() { echo "not ok $1"; failed=$((failed + 1)); }

# Prints what is missing in the program $1.
missing_in() {
    readelf -hW "$1" | grep -q 'Type: *DYN' || echo "not position independent"
    readelf -lW "$1" | grep -q GNU_RELRO || echo "no RELRO"
    readelf -dW "$1" | grep -qE 'BIND_NOW|FLAGS.*NOW' || echo "symbols are bound lazily"
    readelf -lW "$1" | grep GNU_STACK | grep -q 'RWE' && echo "executable stack"
    readelf -sW --dyn-syms "$1" | grep -q __stack_chk_fail || echo "no stack protector"
    readelf -sW --dyn-syms "$1" | grep -qE '__(mem|v?snprintf|f?printf|str|f?read|vf?printf|recv|poll|fdelt)[a-z]*_chk' || echo "no fortified call"
    return 0
}

if ! command -v readelf >/dev/null; then
    echo "SKIPPED hardened: readelf (binutils) is not installed"
    echo "0 passed, 0 failed, 1 skipped"
    exit 0
fi

for program in "$NARU_BUILD/naru" "$NARU_BUILD/src/base/unit-base"; do
    [ -x "$program" ] || continue
    what=$(missing_in "$program")
    if [ -z "$what" ]; then
        ok "${program##*/} is position independent, with RELRO, bound at start, guarded stack frames, fortified calls"
    else
        not_ok "${program##*/}: $(echo "$what" | tr '\n' ',')"
    fi
done
[ $passed$failed != 00 ] || not_ok "hardened: nothing was built"

commands=$NARU_BUILD/compile_commands.json
[ -f "$commands" ] || { not_ok "hardened: there is no $commands"; commands=/dev/null; }
for flag in -fstack-protector-strong -fstack-clash-protection -ftrivial-auto-var-init=zero -D_FORTIFY_SOURCE=3 \
    -Wframe-larger-than=16384 -Werror -Wconversion -Wvla; do
    without=$(grep '"command":' "$commands" | grep -v '[.]S\b' | grep -v -c -e " '*$flag")
    if [ "$without" = 0 ]; then ok "every file is compiled with $flag"; else not_ok "$without files without $flag"; fi
done

weak=$NARU_BUILD/weak-on-purpose
printf '#include <stdio.h>\nint main(void) { char b[99]; return fgets(b, 99, stdin) ? puts(b) : 0; }\n' |
    gcc -x c -O0 -U_FORTIFY_SOURCE -no-pie -fno-pie -fno-stack-protector -z norelro -z lazy -z execstack -o "$weak" - 2>/dev/null
found=$(missing_in "$weak" | wc -l)
rm -f "$weak"
if [ "$found" = 6 ]; then ok "a program made weak on purpose fails in all six"; else not_ok "the weak program shows $found of six faults"; fi

echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" = 0 ]
