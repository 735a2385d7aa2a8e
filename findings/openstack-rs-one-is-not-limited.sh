#!/bin/bash
# The crate openstack 0.6.0 asks for a whole page, and all others, when it is asked for one object.
#
# Belief:    `find_networks().with_name("x").one()` reads two rows at most: it says limit=2, enough to tell whether
#            the answer is the only one.
# Behaviour: the page's own limit is added behind it, so the request has two: `limit=2&limit=50`. A real Neutron
#            29.0.0 takes the last one, and the crate goes on from page to page: all rows are read before it is said
#            that there are too many.
# Seen:      "/v2.0/networks?name=x&limit=2&limit=50" (openstack 0.6.0, osauth 0.5.0).
# Here:      our server takes the last one, as Neutron does; a comparison with Neutron holds it.
#
# Needs cargo, python3 and the public registry of crates. Fails if the behaviour has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'kill "${api:-}" 2> /dev/null || true; rm -rf "$folder"' EXIT
cd "$folder"

# Has no networks, and notes what is asked for.
cat > api.py <<'PYTHON'
import json
from http.server import BaseHTTPRequestHandler, HTTPServer


class Api(BaseHTTPRequestHandler):
    def do_GET(self):
        root = f"http://{self.headers['Host']}/v2.0/"
        versions = {"versions": [{"id": "v2.0", "status": "CURRENT", "links": [{"rel": "self", "href": root}]}]}
        if "?" in self.path:
            with open("asked", "a") as file:
                file.write(self.path + "\n")
        body = json.dumps(versions if self.path == "/" else {"networks": []}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words):
        pass


server = HTTPServer(("127.0.0.1", 0), Api)
print(server.server_port, flush=True)
server.serve_forever()
PYTHON
python3 api.py > number &
api=$!
until [ -s number ]; do sleep 0.1; done

mkdir -p one/src
cat > one/Cargo.toml <<'TOML'
[package]
name = "one"
version = "0.1.0"
edition = "2021"

[workspace]

[dependencies]
openstack = { version = "=0.6.0", default-features = false, features = ["network"] }
osauth = { version = "=0.5.0", default-features = false }
tokio = { version = "1", features = ["macros", "rt"] }
TOML
cat > one/src/main.rs <<'RUST'
#[tokio::main(flavor = "current_thread")]
async fn main() {
    let cloud = openstack::Cloud::from_env().await.expect("a cloud");
    let found = cloud.find_networks().with_name("x").one().await;
    assert!(found.is_err(), "there is no network");
}
RUST
cargo build --quiet --manifest-path one/Cargo.toml --target-dir built
OS_AUTH_TYPE=none OS_ENDPOINT="http://127.0.0.1:$(cat number)" built/debug/one
cat asked
diff asked - <<'SEEN'
/v2.0/networks?name=x&limit=2&limit=50
SEEN
echo "as described"
