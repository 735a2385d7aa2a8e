#!/bin/bash
# openstackclient 6.0.0 shows a rule for an address group as one for the whole Internet.
#
# Belief:    a rule whose remote is an address group has no IP range, as in the API: `remote_ip_prefix` is null.
# Behaviour: `security group rule list` and `rule show` print `0.0.0.0/0` in its place.
# Seen:      "IPRange":"0.0.0.0/0" and "remote_ip_prefix":"0.0.0.0/0", each beside the id of the address group
#            (python3-openstackclient 6.0.0-4).
# Here:      what the client prints is no inventory: it is refused, with the command that saves what the API
#            answers.
#
# Needs python3 and Debian 12's lists of packages (apt-get update); installs nothing. Fails if the behaviour has
# changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'kill "${api:-}" 2> /dev/null || true; rm -rf "$folder"' EXIT
cd "$folder"
mkdir -p archives/partial
apt-get -qq -y -o Dir::State::status=/dev/null -o Dir::Cache::archives="$folder/archives" \
    -o Debug::NoLocking=1 -o APT::Sandbox::User=root \
    --no-install-recommends --download-only install python3-openstackclient=6.0.0-4 > log
for package in archives/*.deb; do dpkg -x "$package" root; done

# Answers as Neutron does.
cat > api.py <<'PYTHON'
import json
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import urlsplit

RULE = {
    "id": "00000002-0000-4000-8000-000000000000", "direction": "ingress", "ethertype": "IPv4", "protocol": "tcp",
    "port_range_min": 22, "port_range_max": 22, "remote_ip_prefix": None, "remote_group_id": None,
    "remote_address_group_id": "00000003-0000-4000-8000-000000000000", "normalized_cidr": None,
    "security_group_id": "00000001-0000-4000-8000-000000000000", "description": "", "revision_number": 0,
}


class Api(BaseHTTPRequestHandler):
    def do_GET(self):
        link = {"rel": "self", "href": f"http://{self.headers['Host']}/v2.0/"}
        answer = {
            "/": {"versions": [{"id": "v2.0", "status": "CURRENT", "links": [link]}]},
            "/v2.0/security-group-rules": {"security_group_rules": [RULE]},
            "/v2.0/security-group-rules/" + RULE["id"]: {"security_group_rule": RULE},
        }.get(urlsplit(self.path).path)
        body = json.dumps(answer or {"NeutronError": {"type": "", "message": "", "detail": ""}}).encode()
        self.send_response(200 if answer else 404)
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

# Prints columns as JSON without spaces.
openstack() { # command, columns
    HOME=$folder PYTHONHOME=$folder/root/usr PYTHONPATH=$folder/root/usr/lib/python3/dist-packages \
        OS_AUTH_TYPE=none OS_ENDPOINT=http://127.0.0.1:$(cat number) \
        root/lib64/ld-linux-x86-64.so.2 --library-path root/lib/x86_64-linux-gnu:root/usr/lib/x86_64-linux-gnu \
        root/usr/bin/python3.11 -s -W ignore root/usr/bin/openstack "$@" -f json | tr -d ' \n'
    echo
}

{
    openstack security group rule list -c "IP Range" -c "Remote Address Group"
    openstack security group rule show 00000002-0000-4000-8000-000000000000 \
        -c remote_ip_prefix -c remote_address_group_id
} > seen
cat seen
diff seen - <<'SEEN'
[{"IPRange":"0.0.0.0/0","RemoteAddressGroup":"00000003-0000-4000-8000-000000000000"}]
{"remote_address_group_id":"00000003-0000-4000-8000-000000000000","remote_ip_prefix":"0.0.0.0/0"}
SEEN
echo "as described"
