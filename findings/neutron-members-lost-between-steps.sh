#!/bin/bash
# Neutron 29.0.0's agent loses members of a remote group when its ports take more than one question to the server.
#
# Belief:    when the agent has asked for its ports in steps (`rpc_resources_processing_step`, by default 20), the
#            firewall driver is told the members of a remote group that the answers have together.
# Behaviour: each answer has only the ethertypes that the rules of its own ports use, and the agent puts one in the
#            place of the other (`SecurityGroupAgentRpc._apply_port_filter`, dict.update): with twenty ports whose
#            rule is for IPv4 and a last one whose rule is for IPv6, the IPv4 members are never told.
# Seen:      "20 ports: IPv4 IPv6" and "21 ports: IPv6" (neutron 29.0.0, Python 3.11).
# Here:      the driver in `sg-neutron` keeps the members of an ethertype that a block does not speak of, so a
#            port loses nothing that it was told before; what the agent never tells nobody can mend.
#
# Needs python3 with venv and the public package index. Fails if the behaviour has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/python -m pip install --quiet --disable-pip-version-check neutron==29.0.0

cat > probe.py <<'PYTHON'
from neutron.agent.firewall import FirewallDriver
from neutron.agent.securitygroups_rpc import SecurityGroupAgentRpc
from neutron.conf.agent import securitygroups_rpc as options
from neutron.db.securitygroups_rpc_base import SecurityGroupInfoAPIMixin
from oslo_config import cfg


class Server(SecurityGroupInfoAPIMixin):
    """Ports whose groups permit what comes from members of the group "clients": the last by IPv6, the others by
    IPv4. What is answered is Neutron's own code."""

    def __init__(self, ports):
        self.last = str(ports - 1)

    def security_group_info_for_devices(self, context, devices):
        return self.security_group_info_for_ports(context, {device: self.port(device) for device in devices})

    def port(self, device):
        group = "of the last" if device == self.last else "of the others"
        return {
            "id": device, "device": device, "network_id": "net", "mac_address": "fa:16:3e:00:00:01",
            "device_owner": "compute:nova", "fixed_ips": [], "allowed_address_pairs": [],
            "port_security_enabled": True, "security_groups": [group], "security_group_ids": [group],
            "security_group_rules": [], "security_group_source_groups": [],
            "security_group_remote_address_groups": [],
        }

    def _select_rules_for_ports(self, context, ports):
        ethertype = {"of the last": "IPv6", "of the others": "IPv4"}
        for port in ports.values():
            for group in port["security_groups"]:
                yield port["id"], {
                    "security_group_id": group, "direction": "ingress", "ethertype": ethertype[group],
                    "remote_group_id": "clients",
                }

    def _select_sg_ids_for_ports(self, context, ports):
        return [(group,) for group in {group for port in ports.values() for group in port["security_groups"]}]

    def _get_sgs_stateful_flag(self, context, groups):
        return dict.fromkeys(groups, True)

    def _select_ips_for_remote_group(self, context, groups):
        return {group: {("10.0.0.9", None), ("2001:db8::9", None)} for group in groups}

    def _select_ips_for_remote_address_group(self, context, groups):
        return {}


class Driver(FirewallDriver):
    """Keeps the ethertypes of the members that it is told."""

    told = None

    def prepare_port_filter(self, port):
        pass

    apply_port_filter = update_port_filter = remove_port_filter = prepare_port_filter
    process_trusted_ports = remove_trusted_ports = prepare_port_filter

    def update_security_group_rules(self, group, rules):
        pass

    def update_security_group_members(self, group, members):
        Driver.told = sorted(members)

    @property
    def ports(self):
        return {}


options.register_securitygroups_opts()
cfg.CONF.set_override("firewall_driver", "noop", "SECURITYGROUP")
for ports in (20, 21):
    agent = SecurityGroupAgentRpc(None, Server(ports), defer_refresh_firewall=True)
    agent.firewall = Driver()
    agent.prepare_devices_filter([str(number) for number in range(ports)])
    print(f"{ports} ports: {' '.join(Driver.told)}")
PYTHON
venv/bin/python -W ignore probe.py 2> log > seen || { cat log; exit 1; }
cat seen
diff seen - <<'SEEN'
20 ports: IPv4 IPv6
21 ports: IPv6
SEEN
echo "as described"
