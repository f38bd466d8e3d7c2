# The race for real: run by `naru race --real` in user, network and mount namespaces of its own. Everybody sits in a network
# namespace behind a veth whose sending side is capped by tbf, and one router stands between them: on a bridge, everybody would
# know everybody's hardware address, and the kernel's table of those (1,024 for all namespaces together) is full from N = 32 on:
# connections fail without a word. Prints "outcome LAST_MS FIRST_MS CPU_PERCENT SOURCE_BYTES"
# or "trouble WHAT". Needs ip, tc, unshare, mount; curl for the clients of the server, python3 for libtorrent.
set -u
trouble() { echo "trouble $*"; exit 1; }
for tool in ip tc unshare mount date; do command -v $tool >/dev/null || trouble "$tool is not installed"; done
pids=
trap 'kill $pids 2>/dev/null; wait 2>/dev/null' EXIT
mount -t tmpfs -o size=90% race "$DIR" || trouble "no memory disk can be mounted"
cd "$DIR" || trouble "no directory"
ip link set lo up
ip addr add 10.77.0.1/32 dev lo && echo 1 >/proc/sys/net/ipv4/ip_forward || trouble "no router can be made"
cubic() { echo cubic >/proc/sys/net/ipv4/tcp_congestion_control 2>/dev/null; }
cubic

mkdir 0
head -c "$FILE_BYTES" /dev/urandom >0/file
"$NARU" torrent create 0/file --piece "$PIECE" --tracker http://10.77.0.1:6969/announce --private --no-date --output file.torrent \
    >create.log 2>&1 || trouble "the torrent was not made: $(tail -1 create.log)"

# naru's own tracker. As root naru gives each service a user of its own; here there is one user, and it is not root.
cat >race.conf <<END
host race
tracker { listen 10.77.0.1; open yes; interval 30s; interval-min 2s; new-peers 60000 }
END
unshare -U --map-user=1000 --map-group=1000 "$NARU" up race.conf --dir tracker >tracker.log 2>&1 & pids="$pids $!"
tries=0
until grep -q "event=ready host_name" tracker.log 2>/dev/null; do
    tries=$((tries + 1)); [ $tries -lt 100 ] || trouble "the tracker did not come up: $(tail -1 tracker.log)"
    sleep 0.1
done

cat >libtorrent_peer.py <<'END'
import libtorrent as lt, sys, time
where, address = sys.argv[1:]
session = lt.session({"listen_interfaces": address + ":6881", "enable_dht": False, "enable_lsd": False, "enable_upnp": False,
                      "enable_natpmp": False, "announce_to_all_trackers": True, "allow_multiple_connections_per_ip": True})
torrent = session.add_torrent({"ti": lt.torrent_info("file.torrent"), "save_path": where})
while torrent.status().progress < 1 or not torrent.status().is_seeding:
    time.sleep(0.05)
print("complete", flush=True)
while True:
    time.sleep(10)
END

cat >peer.sh <<'END'
i=$1 rate=$2 address=10.77.1.$i
echo $$ >pid.$i
while [ ! -e go ]; do sleep 0.05; done
ip link set lo up; ip addr add $address/32 dev e0; ip link set e0 up; ip route add default via 10.77.0.1 dev e0 onlink
echo cubic >/proc/sys/net/ipv4/tcp_congestion_control 2>/dev/null
tc qdisc add dev e0 root tbf rate ${rate}bit burst 16kb latency 100ms || exit 1
mkdir -p $i; export OUT=$PWD/out.$i HOME=$PWD/$i
[ $i = 0 ] || while [ ! -e start ]; do sleep 0.01; done
date +%s%3N >started.$i
case $CLIENT in
naru)
    stay=--seed; [ -z "$LEAVE" ] || [ $i = 0 ] || stay=
    exec "$NARU" torrent get file.torrent --dir $i --bind $address --local --no-dht --mode $MODE $stay --verbose ;;
libtorrent) exec ${PYTHON:-python3} libtorrent_peer.py $i $address ;;
aria2)
    printf '#!/bin/sh\necho complete >>"$OUT"\n' >$i/done; chmod +x $i/done
    [ $i = 0 ] && (sleep 2; echo complete) &
    exec aria2c --dir=$i --listen-port=6881 --seed-ratio=0.0 --enable-dht=false --enable-dht6=false --bt-enable-lpd=false -V \
        --file-allocation=none --bt-max-peers=0 --on-bt-download-complete=$PWD/$i/done --no-conf --quiet file.torrent ;;
transmission)
    printf '#!/bin/sh\necho complete >>"$OUT"\n' >$i/done; chmod +x $i/done
    [ $i = 0 ] && (sleep 3; echo complete) &
    exec transmission-cli -w $i -p 6881 -g $i/config -f $PWD/$i/done -m file.torrent >$i/log 2>&1 ;;
http)
    [ $i = 0 ] && exec "$NARU" race --serve 0/file
    curl -s -o $i/file http://10.77.1.0/file && [ $(stat -c %s $i/file) = $FILE_BYTES ] && echo complete ;;
esac
END

export CLIENT MODE LEAVE NARU FILE_BYTES N
set -- $PEER_RATES
count=$#
i=0
while [ $i -le "$N" ]; do
    rate=$SERVER_RATE
    [ $i = 0 ] || eval "rate=\${$(( (i - 1) % count + 1 ))}"
    unshare -n sh peer.sh $i $rate >out.$i 2>err.$i & pids="$pids $!"
    i=$((i + 1))
done
i=0
while [ $i -le "$N" ]; do
    while [ ! -s pid.$i ]; do sleep 0.01; done
    ip link add v$i type veth peer name e0 netns "$(cat pid.$i)" || trouble "no veth can be made"
    ip link set v$i up && ip route add 10.77.1.$i/32 dev v$i || trouble "no route can be made"
    [ "$DOWN_RATE" = 0 ] || [ $i = 0 ] || tc qdisc add dev v$i root tbf rate ${DOWN_RATE}bit burst 16kb latency 100ms
    i=$((i + 1))
done
: >go
tries=0
while ! grep -q complete out.0 2>/dev/null; do
    tries=$((tries + 1)); [ $tries -lt 300 ] || trouble "the seed did not come up: $(tail -1 err.0)"
    sleep 0.1
done
sleep 1
busy() { awk '/^cpu /{print $2+$3+$4+$7+$8, $2+$3+$4+$5+$6+$7+$8}' /proc/stat; }
source_bytes() { awk '/^ *v0:/ {sub(/.*:/, ""); print $1}' /proc/net/dev; }
before=$(busy) source=$(source_bytes)
: >start
done=0 waited=0
while [ "$done" -lt "$N" ]; do
    sleep 0.2; waited=$((waited + 1))
    done=$(cat out.[1-9]* 2>/dev/null | grep -c complete)
    [ $waited -lt $((PATIENCE_S * 5)) ] || trouble "$done of $N had everything after $PATIENCE_S s; $(cat err.[1-9]* | tail -1)"
done
after=$(busy) source=$(($(source_bytes) - source))
began=$(cat started.[1-9]* | sort -n | tail -1) last=0 first=0
for out in out.[1-9]*; do
    at=$(date -r $out +%s%3N)
    [ $at -gt $last ] && last=$at
    [ $first = 0 ] || [ $at -lt $first ] && first=$at
done
echo "outcome $((last - began)) $((first - began)) $(echo $before $after | awk '{print int(100*($3-$1)/($4-$2))}') $source"
