#!/bin/bash
# openstackclient 6.0.0 lists a port that has a security group as one that has none.
#
# Belief:    `openstack port list --long` shows the groups of each port.
# Behaviour: it asks the API for a field `security_group_ids`. Neutron has none of that name (it is
#            `security_groups`) and leaves out what it does not have, so every port is shown without groups.
#            `port show` has the groups.
# Seen:      "asked for security_group_ids", `[{"SecurityGroups":null}]` from `port list --long`, and
#            `{"security_group_ids":["00000001-…"]}` from `port show` (python3-openstackclient 6.0.0-4).
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

# Answers as Neutron does: of the fields asked for, with those that it has.
cat > api.py <<'PYTHON'
import json
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qs, urlsplit

PORT = {
    "id": "00000002-0000-4000-8000-000000000000", "name": "port", "admin_state_up": True, "status": "ACTIVE",
    "mac_address": "fa:16:3e:00:00:01", "fixed_ips": [], "device_owner": "", "device_id": "", "tags": [],
    "network_id": "00000003-0000-4000-8000-000000000000", "port_security_enabled": True,
    "security_groups": ["00000001-0000-4000-8000-000000000000"],
}


class Api(BaseHTTPRequestHandler):
    def do_GET(self):
        url = urlsplit(self.path)
        fields = parse_qs(url.query).get("fields", [])
        with open("fields", "a") as file:
            file.writelines(field + "\n" for field in fields)
        asked = {key: value for key, value in PORT.items() if not fields or key in fields}
        link = {"rel": "self", "href": f"http://{self.headers['Host']}/v2.0/"}
        answer = {
            "/": {"versions": [{"id": "v2.0", "status": "CURRENT", "links": [link]}]},
            "/v2.0/ports": {"ports": [asked]},
            "/v2.0/ports/" + PORT["id"]: {"port": asked},
        }.get(url.path)
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
    openstack port list --long -c "Security Groups"
    grep security fields | sed 's/^/asked for /'
    openstack port show 00000002-0000-4000-8000-000000000000 -c security_group_ids
} > seen
cat seen
diff seen - <<'SEEN'
[{"SecurityGroups":null}]
asked for security_group_ids
{"security_group_ids":["00000001-0000-4000-8000-000000000000"]}
SEEN
echo "as described"
