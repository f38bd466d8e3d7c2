# naru. `make run` opens the small Internet, `make test` checks everything. Without make: ./run and ./test.
# The work is done by the scripts in tools/; this file is their list.

run:            ; @tools/run
build:          ; @tools/install run && tools/build naru
test:           ; @./test $(STEPS)
check-all:      ; @tools/install run test check && tools/check-all $(STEPS)

# Simulation: make sim SEEDS=1000 FIRST_SEED=1 CROWD=1000 [BREAK=early-250 | no-dedupe | skip-torn-tail ..., which must fail]
sim:            ; @tools/install run && SEEDS=$(SEEDS) FIRST_SEED=$(FIRST_SEED) CROWD=$(CROWD) BREAK=$(BREAK) tools/sim
# Fuzzing: make fuzz SECONDS=60 TARGETS="decoders dns_message"
fuzz:           ; @tools/install run check && tests/fuzz/run.sh $(or $(SECONDS),60) $(TARGETS)

# An hour (MINUTES=5: five minutes) of letters, enemies, reloads and torment on one `naru up`: memory flat at the end, nothing left.
soak:           ; @tools/install run test && tools/build naru && tests/soak/run.sh $(MINUTES)

bench:          ; @tools/install run test && tools/bench $(BENCHES)
bench-quick:    ; @tools/install run test && tools/bench --quick $(BENCHES)
peers:          ; @tools/peers

install: build  ; @tools/place-files
clean:          ; rm -rf build build-*

.PHONY: run build test check-all sim fuzz soak bench bench-quick peers install clean
