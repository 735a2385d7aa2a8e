#!/bin/bash
# bpftool 7.1.0 takes a map for the value of a map of maps by name, and shows it as the bytes of a number.
#
# Belief:    what `bpftool map update … value pinned INNER` writes, `bpftool map dump` and `lookup` show as the
#            map that it is: a number under a name of its own (`inner_map_id`), at least in JSON.
# Behaviour: both show a plain value of four bytes, each as a hexadecimal string, in the order of the machine. It
#            is the id of the inner map; an element without a map is no element at all.
# Seen:      the bytes of the inner map's id, and "Not found" (bpftool 7.1.0+6.1.176-1, Linux 6.18).
# Here:      each port has its tables in such maps; `tests/it/tally.rs` reads the bytes.
#
# Needs root, and Debian 12's lists of packages (apt-get update); installs nothing. Two maps are pinned in a file
# system of its own, and gone with it. Fails if the behaviour has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'umount -q "$folder/bpf" || true; rm -rf "$folder"' EXIT
cd "$folder"
apt-get -qq -o APT::Sandbox::User=root download bpftool=7.1.0+6.1.176-1
dpkg -x bpftool_*.deb root
bpftool=root/usr/sbin/bpftool
mkdir bpf
mount -t bpf bpf bpf

"$bpftool" map create bpf/inner type hash key 4 value 8 entries 4 name inner
"$bpftool" map create bpf/outer type array_of_maps key 4 value 4 entries 2 name outer inner_map pinned bpf/inner
"$bpftool" map update pinned bpf/outer key 0 0 0 0 value pinned bpf/inner

id=$("$bpftool" map show pinned bpf/inner | sed -n 's/^\([0-9]*\):.*/\1/p')
bytes=$(python3 -c "print(*(f'{byte:02x}' for byte in int($id).to_bytes(4, '$(python3 -c 'import sys; print(sys.byteorder)')')))")

# Says "ID" where the bytes of the inner map's id are.
try() { # words of bpftool
    echo "$*: $("$bpftool" "$@" 2>&1 | tr -d '\n' \
        | sed -e "s/$bytes/ID/" -e "s/0x${bytes// /\",\"0x}/ID/" -e 's/  */ /g')"
}

{
    try map dump pinned bpf/outer
    try -j map dump pinned bpf/outer
    try map lookup pinned bpf/outer key 0 0 0 0
    try map lookup pinned bpf/outer key 1 0 0 0
} > seen
cat seen
diff seen - <<'SEEN'
map dump pinned bpf/outer: key: 00 00 00 00 value: IDFound 1 element
-j map dump pinned bpf/outer: [{"key":["0x00","0x00","0x00","0x00"],"value":["ID"]}]
map lookup pinned bpf/outer key 0 0 0 0: key: 00 00 00 00 value: ID
map lookup pinned bpf/outer key 1 0 0 0: key:01 00 00 00Not found
SEEN
echo "as described"
