#!/bin/bash
# nix 0.31.3 gives an interface that does not exist an empty name instead of an error.
#
# Belief:    `nix::net::if_::if_indextoname` fails with ENXIO for an index that no interface has, as
#            if_indextoname(3) does (it returns NULL and sets errno).
# Behaviour: it returns Ok with an empty string, so that `.is_err()` never tells that an interface is gone.
# Seen:      "1: Ok lo" and "2147483647: Ok, empty" (nix 0.31.3, Linux 6.18, glibc 2.36).
# Here:      `sg-userspace/src/datapath/place.rs` takes an empty name for "gone".
#
# Needs cargo and the public registry. Fails if the behaviour has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
mkdir src
cat > Cargo.toml <<'TOML'
[package]
name = "probe"
version = "0.0.0"
edition = "2021"

[dependencies]
nix = { version = "=0.31.3", default-features = false, features = ["net"] }
TOML
cat > src/main.rs <<'RUST'
fn main() {
    for index in [1, i32::MAX as u32] {
        match nix::net::if_::if_indextoname(index) {
            Ok(name) if name.is_empty() => println!("{index}: Ok, empty"),
            Ok(name) => println!("{index}: Ok {}", name.to_string_lossy()),
            Err(error) => println!("{index}: {error}"),
        }
    }
}
RUST
cargo run --quiet > seen
cat seen
diff seen - <<'SEEN'
1: Ok lo
2147483647: Ok, empty
SEEN
echo "as described"
