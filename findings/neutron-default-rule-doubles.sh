#!/bin/bash
# Neutron 29.0.0 looks for doubles of a default security group rule where it is not used.
#
# Belief:    a default rule is refused as a double (409) if the same one is there for the same groups: those of projects'
#            own (`used_in_non_default_sg`), or their `default` groups (`used_in_default_sg`).
# Behaviour: which groups a new rule is for is looked up one level too high in the request, so each counts as one for
#            projects' own groups alone. One that is for `default` groups only is refused if the same is there for the
#            others, though the two never meet; and twice the same for `default` groups is taken, so that each new
#            project's `default` group has the rule twice.
# Seen:      "for own groups 201, the same for default groups 409; for default groups 201, the same again 201; a new
#            project's default group has it 2 times" (neutron 29.0.0, ML2).
# Here:      our server holds each rule against those for the same groups (docs/api.md).
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


def ask(method, path, body=None):
    connection = http.client.HTTPConnection(host)
    connection.request(method, "/v2.0/" + path, body and json.dumps(body), {"Content-Type": "application/json"})
    answer = connection.getresponse()
    return answer.status, json.loads(answer.read() or "null")


def make(port, own, default):
    """A default rule for a port, and for which groups."""
    rule = {"direction": "ingress", "protocol": "tcp", "port_range_min": port, "port_range_max": port,
            "used_in_non_default_sg": own, "used_in_default_sg": default}
    return ask("POST", "default-security-group-rules", {"default_security_group_rule": rule})[0]


print(f"for own groups {make(22, True, False)}, the same for default groups {make(22, False, True)}")
print(f"for default groups {make(80, False, True)}, the same again {make(80, False, True)}")
_, groups = ask("GET", "security-groups?project_id=new")
rules = groups["security_groups"][0]["security_group_rules"]
print(f"a new project's default group has it {sum(rule['port_range_min'] == 80 for rule in rules)} times")
neutron.stdin.close()
neutron.wait(timeout=30)
PYTHON
cat seen
diff seen - <<'SEEN'
for own groups 201, the same for default groups 409
for default groups 201, the same again 201
a new project's default group has it 2 times
SEEN
echo "as described"
