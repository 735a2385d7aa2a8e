#!/bin/bash
# QEMU 7.2 boots from the network with a card's default ROM, but not if that very file is named.
#
# Belief:    `-device virtio-net-pci,romfile=efi-virtio.rom` is the same as `-device virtio-net-pci`, whose
#            default ROM that is: iPXE boots either way.
# Behaviour: QEMU writes the card's PCI id into a default ROM (`pci_patch_ids` in hw/pci/pci.c) and leaves one
#            that is named as it is. The file is made for 1af4:1041, the card of the machine `pc` is 1af4:1000,
#            and SeaBIOS passes over a ROM that is for another card, without a word.
# Seen:      "default: iPXE runs" and "named: iPXE does not run" (qemu-system-x86 1:7.2+dfsg-7+deb12u18+b3,
#            seabios 1.16.2-1, ipxe-qemu 1.0.0+git-20190125.36a4c85-5.1).
# Here:      `tests/src/guests/machine.rs` never names the ROM.
#
# Needs Debian 12's lists of packages (apt-get update); installs nothing. Fails if the behaviour has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
mkdir -p archives/partial
apt-get -qq -y -o Dir::State::status=/dev/null -o Dir::Cache::archives="$folder/archives" \
    -o Debug::NoLocking=1 -o APT::Sandbox::User=root \
    --no-install-recommends --download-only install \
    qemu-system-x86=1:7.2+dfsg-7+deb12u18+b3 seabios=1.16.2-1 ipxe-qemu=1.0.0+git-20190125.36a4c85-5.1 > log
for package in archives/*.deb; do dpkg -x "$package" root; done
libraries=root/lib/x86_64-linux-gnu:root/usr/lib/x86_64-linux-gnu
libraries+=:root/usr/lib/x86_64-linux-gnu/pulseaudio
export QEMU_MODULE_DIR=$folder/root/usr/lib/x86_64-linux-gnu/qemu

# Boots a machine with nothing but a network card until the BIOS gives up.
boot() { # options of the card
    rm -f console
    root/lib64/ld-linux-x86-64.so.2 --library-path "$libraries" root/usr/bin/qemu-system-x86_64 \
        -L root/usr/share/qemu -L root/usr/share/seabios -L root/usr/lib/ipxe/qemu \
        -nodefaults -no-user-config -display none -accel tcg -machine pc,graphics=off -m 128 \
        -serial file:console -netdev user,id=net,restrict=on -device "virtio-net-pci,netdev=net$1" -boot n &
    local qemu=$! second
    for second in $(seq 240); do
        grep -q "No bootable device" console 2> /dev/null && break
        sleep 1
    done
    kill "$qemu"
    wait "$qemu" || true
    grep -q "SeaBIOS" console && grep -q "No bootable device" console
    if grep -q "iPXE" console; then echo "iPXE runs"; else echo "iPXE does not run"; fi
}

{
    echo "default: $(boot "")"
    echo "named: $(boot ",romfile=efi-virtio.rom")"
} > seen
cat seen
diff seen - <<'SEEN'
default: iPXE runs
named: iPXE does not run
SEEN
echo "as described"
