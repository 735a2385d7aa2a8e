#!/bin/bash
# bpftrace 0.17.0 takes an array of characters for a string already, and refuses to make one of it.
#
# Belief:    `str($skb->dev->name)` is the name of the interface, as `str()` is of whatever C would print with %s.
# Behaviour: a field that is a `char` array has the type string by itself, which `str()` refuses; a field that is
#            a `char` pointer needs it.
# Seen:      "$device->name: taken", "str($device->name): str() expects an integer or a pointer type as first
#            argument (string[16] provided)" and "str($device->alias): taken" (bpftrace 0.17.0-1).
# Here:      `docs/tools.md` prints `$skb->dev->name` without it.
#
# Needs root, as bpftrace does, and Debian 12's lists of packages (apt-get update); installs nothing and loads
# nothing into the kernel. Fails if the behaviour has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
mkdir -p archives/partial
apt-get -qq -y -o Dir::State::status=/dev/null -o Dir::Cache::archives="$folder/archives" \
    -o Debug::NoLocking=1 -o APT::Sandbox::User=root \
    --no-install-recommends --download-only install bpftrace=0.17.0-1 > log
for package in archives/*.deb; do dpkg -x "$package" root; done

# Compiles a program that prints a word, and runs nothing.
try() { # word
    echo -n "$1: "
    if root/lib64/ld-linux-x86-64.so.2 --library-path root/lib/x86_64-linux-gnu:root/usr/lib/x86_64-linux-gnu \
        root/usr/bin/bpftrace -d -e "
            struct device { char name[16]; char *alias; }
            BEGIN { \$device = (struct device *)0; printf(\"%s\\n\", $1); }" > log 2>&1; then
        echo "taken"
    else
        sed -n 's/^.*ERROR: \(str() expects\)/\1/p' log
    fi
}

{
    try '$device->name'
    try 'str($device->name)'
    try 'str($device->alias)'
} > seen
cat seen
diff seen - <<'SEEN'
$device->name: taken
str($device->name): str() expects an integer or a pointer type as first argument (string[16] provided)
str($device->alias): taken
SEEN
echo "as described"
