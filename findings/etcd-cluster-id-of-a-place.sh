#!/bin/bash
# etcd 3.4.23: a cluster that is begun anew, or restored, has the id of the one that was there before.
#
# Belief:    the cluster's id, which is in the header of every answer, tells one cluster from another; and "snapshot
#            restore" overwrites it, as etcd's page on disaster recovery says, so that a member loses its former identity.
# Behaviour: the id is a hash of the peers' addresses and of the token, which is "etcd-cluster" unless somebody chose one.
#            A member whose data were thrown away, and one that was restored from a snapshot, answer with the same ids of
#            cluster and member as before; what is overwritten is overwritten with the same. Two clusters that each
#            listen on a loopback have one id as well. Another token makes another id.
# Seen:      "begun anew: the same ids; restored: the same ids, revision 3 after 5; with a token: others" (etcd-server and
#            etcd-client 3.4.23-4+b4; etcd 3.5.16 of Debian 13 does the same, with `--bump-revision` at a higher revision).
# Here:      a store has a number of its own, in the value of its layout (`sg-store/src/layout.rs`).
#
# Needs apt of Debian 12, python3 and curl. Listens on two ports of the loopback. Fails if the behaviour has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'kill "${etcd:-}" 2> /dev/null || true; wait; rm -rf "$folder"' EXIT
cd "$folder"
for package in etcd-server etcd-client; do
    apt-get download -q "$package=3.4.23-4+b4" > /dev/null 2>&1
    dpkg -x "$package"_*.deb root
done
export ETCDCTL_API=3

read -r port peer < <(python3 -c '
import socket
sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
print(*(each.getsockname()[1] for each in sockets))')
url=http://127.0.0.1:$port
own=(--name one --initial-cluster "one=http://127.0.0.1:$peer" --initial-advertise-peer-urls "http://127.0.0.1:$peer")

begin() { # data directory, further options
    root/usr/bin/etcd --data-dir "$1" "${own[@]}" --listen-peer-urls "http://127.0.0.1:$peer" \
        --listen-client-urls "$url" --advertise-client-urls "$url" "${@:2}" > log 2>&1 &
    etcd=$!
    until curl -sf "$url/health" > /dev/null; do sleep 0.1; done
}
end() {
    kill "$etcd"
    wait "$etcd" || true
}
put() {
    curl -sf "$url/v3/kv/put" -d '{"key": "YQ==", "value": "MQ=="}' > /dev/null
}
header() { # cluster, member, revision
    curl -sf "$url/v3/kv/range" -d '{"key": "YQ=="}' | python3 -c '
import json, sys
header = json.load(sys.stdin)["header"]
print(header["cluster_id"], header["member_id"], header["revision"])'
}

begin first
put; put
root/usr/bin/etcdctl --endpoints "$url" snapshot save kept > /dev/null 2>&1
put; put
read -r cluster member before < <(header)
end
begin anew
read -r anew_cluster anew_member _ < <(header)
end
root/usr/bin/etcdctl snapshot restore kept --data-dir restored "${own[@]}" > /dev/null 2>&1
begin restored
read -r restored_cluster restored_member after < <(header)
end
begin other --initial-cluster-token other
read -r other_cluster other_member _ < <(header)
end

same() { # two ids each of cluster and member
    [ "$1 $2" = "$cluster $member" ] && echo "the same ids" || echo "others"
}
seen="begun anew: $(same "$anew_cluster" "$anew_member"); "
seen+="restored: $(same "$restored_cluster" "$restored_member"), revision $after after $before; "
seen+="with a token: $(same "$other_cluster" "$other_member")"
echo "$seen"
[ "$seen" = "begun anew: the same ids; restored: the same ids, revision 3 after 5; with a token: others" ]
