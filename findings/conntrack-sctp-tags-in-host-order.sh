#!/bin/bash
# conntrack 1.4.7 writes the verification tags of an SCTP entry in the order of the host, and the kernel keeps them in
# that of the network.
#
# Belief:    `conntrack -I -p sctp --orig-vtag 16909060` (0x01020304) makes the entry that an association has whose
#            packets carry the tag 0x01020304, so that its packets belong to it.
# Behaviour: libnetfilter_conntrack puts the number as it is in memory into CTA_PROTOINFO_SCTP_VTAG_ORIGINAL, a big-endian
#            attribute. On a little-endian machine the entry waits for 0x04030201; `conntrack -L` shows no tags, so
#            nothing tells. A tag that the kernel has from a packet is in the order of the wire.
# Seen:      "told by conntrack: 04030201, from a packet: 01020304" (conntrack 1.4.7, libnetfilter-conntrack3 1.0.9,
#            Linux 6.18, x86-64).
# Here:      `sgctl flows adopt` takes the tags as the kernel dumps them; entries that conntrack made by hand are no
#            example of those that packets make, nor a way back for associations.
#
# Needs root, apt of Debian 12 and python3. Works in a network namespace of its own. Fails if the behaviour has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
for package in conntrack=1:1.4.7-1+b2 libnetfilter-conntrack3=1.0.9-3 libnfnetlink0=1.0.2-2 iptables=1.8.9-2 \
    libxtables12=1.8.9-2 libip4tc2=1.8.9-2 libip6tc2=1.8.9-2 libnftnl11=1.2.4-2 libmnl0=1.0.4-3; do
    apt-get download -q "$package" >/dev/null 2>&1
done
for package in *.deb; do dpkg -x "$package" root; done
export LD_LIBRARY_PATH=$folder/root/usr/lib/x86_64-linux-gnu XTABLES_LIBDIR=$folder/root/usr/lib/x86_64-linux-gnu/xtables
export PATH=$folder/root/usr/sbin:$PATH

cat > probe.py <<'PYTHON'
import re
import socket
import struct

TAG = 0x01020304


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def init(source, destination):
    """An INIT, whose initiate tag the other side is to send."""
    chunk = struct.pack("!BBHIIHHI", 1, 0, 20, TAG, 65536, 1, 1, 1)
    header = struct.pack("!HHI", source, destination, 0)
    checksum = crc32c(header + bytes(4) + chunk)
    return header + struct.pack("<I", checksum) + chunk


def dump():
    """What ctnetlink says of all entries: IPCTNL_MSG_CT_GET of AF_INET."""
    link = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12)
    link.send(struct.pack("=IHHIIBBH", 20, 1 << 8 | 1, 0x301, 1, 0, 2, 0, 0))
    return link.recv(1 << 16)


def tags(data, port):
    """The tags of the entry from this port: CTA_PROTOINFO_SCTP_VTAG_* behind CTA_PROTOINFO_SCTP_STATE."""
    begin = data.index(struct.pack("=HH", 6, 2) + struct.pack("!H", port))
    attributes = re.compile(rb"\x05\0\x01\0.\0\0\0\x08\0\x02\0(....)\x08\0\x03\0(....)", re.DOTALL)
    return [tag.hex() for tag in attributes.search(data, begin).groups()]


raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, 132)
raw.sendto(init(3000, 4000), ("127.0.0.1", 0))
data = dump()
told, seen = tags(data, 1000), tags(data, 3000)
expected = f"{TAG:08x}"
[of_packet] = [tag for tag in seen if tag != "00000000"]
print(f"told by conntrack: {told[0]}, from a packet: {of_packet}")
raise SystemExit(not (told[0] == bytes.fromhex(expected)[::-1].hex() and of_packet == expected))
PYTHON

cat > inside.sh <<'SHELL'
set -e
ip link set lo up
iptables-nft -A INPUT -m conntrack --ctstate NEW -j ACCEPT
conntrack -I -p sctp -s 10.0.0.1 -d 10.0.0.2 --sport 1000 --dport 2000 --state ESTABLISHED --timeout 100 \
    --orig-vtag 16909060 --reply-vtag 84281096 2>/dev/null
python3 probe.py
SHELL
unshare --net bash inside.sh
