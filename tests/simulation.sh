#!/bin/sh
# tests/simulation.sh SEEDS [FIRST_SEED]: every scenario of naru-sim in so many worlds with faults; then with each defect
# built in on purpose, where it must fail: a checker that cannot fail is worth nothing.
set -u
seeds=${1:-20} first=${2:-1}
passed=0 failed=0
sim=$NARU_BUILD/naru-sim

scenarios=$("$sim" --list | sed 's/ .*//')
[ -n "$scenarios" ] || { echo "not ok naru-sim has no scenarios"; echo "0 passed, 1 failed, 0 skipped"; exit 1; }
for scenario in $scenarios; do
    if said=$("$sim" --seeds "$seeds" --first-seed "$first" --scenario "$scenario" 2>&1); then
        echo "ok sim $scenario: $(echo "$said" | head -n 1)"
        passed=$((passed + 1))
    else
        echo "$said" | tail -n 40
        echo "not ok sim $scenario"
        failed=$((failed + 1))
    fi
done

# A hundred peers and a liar; twice the same. Then a store that does not look at what it was sent.
once=$("$sim" --crowd 100 --mebibytes 8 2>&1) && again=$("$sim" --crowd 100 --mebibytes 8 2>&1)
if [ -n "$once" ] && [ "${once##*fingerprint}" = "${again##*fingerprint}" ] && ! echo "$once" | grep -q FAILED; then
    echo "ok sim crowd: $once"
    passed=$((passed + 1))
else
    printf '%s\n%s\nnot ok sim crowd\n' "$once" "${again:-}"
    failed=$((failed + 1))
fi
if said=$("$sim" --crowd 50 --mebibytes 4 --break no-hash 2>&1); then
    echo "not ok sim with no-hash built in: nobody noticed it"
    failed=$((failed + 1))
else
    echo "ok sim with no-hash built in fails, as it must: $(echo "$said" | head -n 1)"
    passed=$((passed + 1))
fi

# Each defect in the scenario that is to see it. It shows in some worlds only: ten at a time, until one fails.
notices() {     # DEFECT SCENARIO: prints the first failure; fails when a hundred worlds showed none
    batch=0
    while [ $batch -lt 10 ]; do
        "$sim" --seeds 10 --first-seed $((first + batch * 10)) --break "$1" --scenario "$2" 2>&1 | grep -m 1 '^FAILED' && return 0
        batch=$((batch + 1))
    done
    return 1
}
for pair in no-sync:disk skip-torn-tail:letter early-250:letter no-dedupe:letter no-ban:swarm early-complete:swarm \
            edge-no-vary:edge edge-stale:edge edge-join:edge edge-no-invalidate:edge edge-lose-purge:edge; do
    defect=${pair%:*} scenario=${pair#*:}
    case " $(echo $scenarios) " in *" $scenario "*) ;; *) continue ;; esac
    if said=$(notices "$defect" "$scenario"); then
        echo "ok sim with $defect built in fails, as it must: $said"
        passed=$((passed + 1))
    else
        echo "not ok sim with $defect built in: nothing noticed it in 100 worlds"
        failed=$((failed + 1))
    fi
done
echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" = 0 ]
