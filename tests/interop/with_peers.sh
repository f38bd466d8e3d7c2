#!/bin/sh
# tests/interop/with_peers.sh: the cases that need programs that nobody here wrote: BitTorrent's, and promtool. They are unpacked
# under build/peers (nothing is installed); without them the cases say that they are skipped.
set -u
cd "$(dirname "$0")/../.." || exit 1
tools/peers python3-libtorrent transmission-cli aria2 rtorrent opentracker prometheus || echo "SKIPPED: the programs could not be had; see above"
exec tests/interop/run.sh torrents: dht: trackers: rpc: exchange: superseed: metrics:
