#!/bin/sh
# More worlds than `make test` has time for: SEEDS of them, other ones than there.
exec "$(dirname "$0")/simulation.sh" "${SEEDS:-300}" 1000
