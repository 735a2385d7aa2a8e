#!/bin/bash
# etcd 3.4.23 counts the keys of a range before it filters them by revision.
#
# Belief:    a range request with `min_mod_revision` (and `count_only`) says in `count` how many keys were written
#            since that revision: "how much is new" costs one number.
# Behaviour: `count` is that of all keys of the range. With `count_only` the filter does nothing at all, so the answer is
#            the same for a revision that nobody has reached; without it the keys are filtered, and `count` beside them
#            is not their number. So the two together say what neither says alone: whether keys are gone.
# Seen:      "two of five are new: 2 keys, count 5; count_only: 5; of the future: 0 keys, count 5" (etcd-server
#            3.4.23-4+b4; etcd 3.5.16 of Debian 13 answers the same).
# Here:      a node that follows an etcd without fences asks so for what is new, and lists the keys of the ranges alone
#            whose count is not that of what it has (`sg-store/src/follower.rs`).
#
# Needs apt of Debian 12, python3 and curl. Listens on two ports of the loopback. Fails if the behaviour has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'kill "${etcd:-}" 2> /dev/null || true; wait; rm -rf "$folder"' EXIT
cd "$folder"
apt-get download -q etcd-server=3.4.23-4+b4 > /dev/null 2>&1
dpkg -x etcd-server_*.deb root

read -r port peer < <(python3 -c '
import socket
sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
print(*(each.getsockname()[1] for each in sockets))')
url=http://127.0.0.1:$port
root/usr/bin/etcd --data-dir data --listen-client-urls "$url" --advertise-client-urls "$url" \
    --listen-peer-urls "http://127.0.0.1:$peer" --initial-advertise-peer-urls "http://127.0.0.1:$peer" \
    --initial-cluster "default=http://127.0.0.1:$peer" > log 2>&1 &
etcd=$!
until curl -sf "$url/health" > /dev/null; do sleep 0.1; done

# Five keys, each at a revision of its own; the gateway takes and gives bytes in base64.
revision=0
for name in a b c d e; do
    key=$(printf 'rules/%s' "$name" | base64)
    answer=$(curl -sf "$url/v3/kv/put" -d "{\"key\": \"$key\", \"value\": \"e30=\"}")
    [ "$name" = d ] && revision=$(python3 -c 'import json, sys; print(json.loads(sys.argv[1])["header"]["revision"])' "$answer")
done
ask() { # fields of the request
    curl -sf "$url/v3/kv/range" \
        -d "{\"key\": \"$(printf rules/ | base64)\", \"range_end\": \"$(printf rules0 | base64)\", $1}" |
        python3 -c 'import json, sys; a = json.load(sys.stdin); print(len(a.get("kvs", [])), a.get("count", "0"))'
}
read -r keys count < <(ask "\"min_mod_revision\": $revision")
read -r _ only < <(ask "\"min_mod_revision\": $revision, \"count_only\": true")
read -r later all < <(ask '"min_mod_revision": 1000000')
seen="two of five are new: $keys keys, count $count; count_only: $only; of the future: $later keys, count $all"
echo "$seen"
[ "$seen" = "two of five are new: 2 keys, count 5; count_only: 5; of the future: 0 keys, count 5" ]
