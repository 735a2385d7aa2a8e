#!/bin/bash
# Neutron 29.0.0 takes a default security group rule for a group that does not exist, and then makes no group.
#
# Belief:    `POST /v2.0/default-security-group-rules` refuses a `remote_group_id` of nothing, as
#            `security-group-rules` does (404).
# Behaviour: it takes any text. From then on every new security group fails with 500, for the rule cannot be
#            copied into it; so does the `default` group of a project that is new, and with it the project's first
#            list of groups. It ends when an admin deletes the default rule.
# Seen:      "rule 201, group 500, list of a new project 500, rule gone 204, group 201" (neutron 29.0.0, ML2).
# Here:      our server refuses the default rule: 404, "Security group nonsense does not exist".
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


rule = {"direction": "ingress", "remote_group_id": "nonsense", "used_in_default_sg": True,
        "used_in_non_default_sg": True}
group = {"security_group": {"name": "web"}}
made, answer = ask("POST", "default-security-group-rules", {"default_security_group_rule": rule})
refused, _ = ask("POST", "security-groups", group)
lists, _ = ask("GET", "security-groups?project_id=new")
gone, _ = ask("DELETE", "default-security-group-rules/" + answer["default_security_group_rule"]["id"])
again, _ = ask("POST", "security-groups", group)
print(f"rule {made}, group {refused}, list of a new project {lists}, rule gone {gone}, group {again}")
neutron.stdin.close()
neutron.wait(timeout=30)
PYTHON
cat seen
diff seen - <<'SEEN'
rule 201, group 500, list of a new project 500, rule gone 204, group 201
SEEN
echo "as described"
