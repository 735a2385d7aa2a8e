#!/bin/bash
# openstacksdk 4.22.0 goes on sending an If-Match after the change that it was meant for was refused.
#
# Belief:    `update_port(port, if_revision=N, ..)` makes that one change conditional.
# Behaviour: when it is refused (412) the SDK keeps the header in the object that it was given, so each later
#            change of the object carries the old revision and is refused too.
# Seen:      "first: revision_number=7, second: revision_number=7" (openstacksdk 4.22.0; a real Neutron 29.0.0
#            refuses both with "Constrained to 7, but current revision is 1").
# Here:      our server refuses both, as Neutron does. After a 412 a fresh object is needed.
#
# Needs python3 with venv and the public package index. Fails if the behaviour has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'kill "${api:-}" 2> /dev/null || true; rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/python -m pip install --quiet --disable-pip-version-check openstacksdk==4.22.0

# Refuses a change of another revision, and notes on what condition each is asked for.
cat > api.py <<'PYTHON'
import json
from http.server import BaseHTTPRequestHandler, HTTPServer

ID = "00000001-0000-4000-8000-000000000000"


class Api(BaseHTTPRequestHandler):
    def do_GET(self):
        root = f"http://{self.headers['Host']}/v2.0/"
        self.answer({"versions": [{"id": "v2.0", "status": "CURRENT", "links": [{"rel": "self", "href": root}]}]}
                    if self.path == "/" else {"port": {"id": ID, "name": "port", "revision_number": 1}})

    def do_PUT(self):
        condition = self.headers.get("If-Match")
        with open("conditions", "a") as file:
            file.write((condition or "none") + "\n")
        changed = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["port"]
        self.answer({"port": {"id": ID, "revision_number": 2, **changed}}, 412 if condition else 200)

    def answer(self, value, status=200):
        body = json.dumps(value).encode()
        self.send_response(status)
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

venv/bin/python -W ignore - "http://127.0.0.1:$(cat number)" <<'PYTHON'
import contextlib
import sys

import openstack

network = openstack.connect(load_envvars=False, load_yaml_config=False, auth_type="none",
                            auth={"endpoint": sys.argv[1]}).network
port = network.get_port("00000001-0000-4000-8000-000000000000")
for change in ({"if_revision": 7, "name": "a"}, {"name": "b"}):
    with contextlib.suppress(openstack.exceptions.PreconditionFailedException):
        network.update_port(port, **change)
PYTHON
printf 'first: %s, second: %s\n' $(cat conditions) > seen
cat seen
diff seen - <<'SEEN'
first: revision_number=7, second: revision_number=7
SEEN
echo "as described"
