#!/bin/bash
# Neutron 29.0.0 has an API for whether new security groups are stateful, and takes nothing through it.
#
# Belief:    `POST /v2.0/security-groups-default-statefulness` sets what a project's new groups are.
# Behaviour: the name of one object and of many is the same there, `security_groups_default_statefulness`, so
#            Neutron takes one for a list and falls over it (TypeError: string indices must be integers), and
#            refuses a list because it is no object. The SDK 4.22.0 and the client 10.5.0 write another name for
#            one, which is refused as well.
# Seen:      "one 500, list 400, as the SDK writes it 400, kept 0" (neutron 29.0.0, ML2).
# Here:      our server takes one under either name, and new groups follow it.
#
# Needs python3 with venv, the public package index and this checkout. Fails if the behaviour has changed.
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/python -m pip install --quiet --disable-pip-version-check neutron==29.0.0

venv/bin/python -W ignore - "$here/tests/openstack/real_neutron.py" > seen <<'PYTHON'
import http.client
import json
import subprocess
import sys
from urllib.parse import urlsplit

neutron = subprocess.Popen([sys.executable, "-W", "ignore", sys.argv[1]], stdin=subprocess.PIPE,
                           stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
host = urlsplit(neutron.stdout.readline().strip()).netloc
MANY, ONE = "security_groups_default_statefulness", "security_group_default_statefulness"


def ask(method, body=None):
    connection = http.client.HTTPConnection(host)
    connection.request(method, "/v2.0/security-groups-default-statefulness", body and json.dumps(body),
                       {"Content-Type": "application/json"})
    answer = connection.getresponse()
    return answer.status, json.loads(answer.read())


wish = {"project_id": "one", "stateful": False}
one, _ = ask("POST", {MANY: wish})
many, _ = ask("POST", {MANY: [wish]})
written, _ = ask("POST", {ONE: wish})
_, kept = ask("GET")
print(f"one {one}, list {many}, as the SDK writes it {written}, kept {len(kept[MANY])}")
neutron.stdin.close()
neutron.wait(timeout=30)
PYTHON
cat seen
diff seen - <<'SEEN'
one 500, list 400, as the SDK writes it 400, kept 0
SEEN
echo "as described"
