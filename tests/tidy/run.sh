#!/bin/sh
# First whether the checker can fail, then the tree.
set -u
cd "$(dirname "$0")" || exit 1
self=$(./self_check) && proven=1 || proven=0
echo "$self" | sed '$d'
tree=$(./tidy) && clean=1 || clean=0
echo "$tree" | sed '$d'
sums=$(echo "$tree" | tail -n 1)
passed=${sums%% *}
failed=$(echo "$sums" | sed 's/.*, \([0-9]*\) failed.*/\1/')
echo "$((passed + proven)) passed, $((failed + 1 - proven)) failed, 0 skipped"
[ $proven$clean = 11 ]
