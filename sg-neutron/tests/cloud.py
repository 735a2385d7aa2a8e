"""What the server knows, told by Neutron's own code: it makes the dicts that the agent hands to a driver."""

import copy
import random
import uuid

from neutron.db.securitygroups_rpc_base import SecurityGroupInfoAPIMixin


class Cloud(SecurityGroupInfoAPIMixin):
    """Ports, groups and address groups, and the answers of the agent's cache about them."""

    def __init__(self, seed=0):
        self._choose = random.Random(seed)
        self.ports_by_id = {}
        self.groups = {}
        self.address_groups = {}
        self.available = True

    def add_port(self, groups=(), number=5, **fields):
        port = self._new_id()
        self.ports_by_id[port] = {
            "id": port,
            "name": f"vm{number}",
            "network_id": self._new_id(),
            "mac_address": f"fa:16:3e:00:{number >> 8:02x}:{number & 255:02x}",
            "admin_state_up": True,
            "device_owner": "compute:nova",
            "status": "ACTIVE",
            "allowed_address_pairs": [],
            "fixed_ips": [f"10.0.{number >> 8}.{number & 255}", f"2001:db8::{number:x}"],
            "security_group_ids": list(groups),
            "port_security_enabled": True,
        } | fields
        return port

    def add_group(self, stateful=True):
        group = self._new_id()
        self.groups[group] = {"stateful": stateful, "rules": []}
        return group

    def add_rule(self, group, **fields):
        rule = {
            "id": self._new_id(),
            "security_group_id": group,
            "direction": "ingress",
            "ethertype": "IPv4",
        } | fields
        self.groups[group]["rules"].append(rule)
        return rule

    def _new_id(self):
        return str(uuid.UUID(int=self._choose.getrandbits(128), version=4))

    # What the agent asks for.

    def security_group_info_for_devices(self, _context, devices):
        if not self.available:
            raise ConnectionError("the server does not answer")
        known = (device for device in devices if device in self.ports_by_id)
        ports = {device: self._port(device) for device in known if not self.is_trusted(device)}
        return self.security_group_info_for_ports(None, ports)

    def get_secgroup_ids_for_address_group(self, address_group):
        return {
            group
            for group, described in self.groups.items()
            if any(rule.get("remote_address_group_id") == address_group for rule in described["rules"])
        }

    def is_trusted(self, port):
        return self.ports_by_id[port]["device_owner"].startswith("network:")

    def _port(self, device):
        port = copy.deepcopy(self.ports_by_id[device])
        groups = port["security_group_ids"] if port["port_security_enabled"] else []
        return port | {
            "device": device,
            "security_groups": list(groups),
            "security_group_ids": list(groups),
            "security_group_rules": [],
            "security_group_source_groups": [],
            "security_group_remote_address_groups": [],
        }

    # What Neutron's mix-in asks for.

    def _select_rules_for_ports(self, _context, ports):
        groups = ((port["id"], group) for port in ports.values() for group in port["security_groups"])
        return [(port, dict(rule)) for port, group in groups for rule in self.groups[group]["rules"]]

    def _select_sg_ids_for_ports(self, _context, ports):
        return [(group,) for group in {group for port in ports.values() for group in port["security_groups"]}]

    def _get_sgs_stateful_flag(self, _context, groups):
        return {group: self.groups[group]["stateful"] for group in groups}

    def _select_ips_for_remote_group(self, _context, groups):
        members = {group: set() for group in groups}
        for port in self.ports_by_id.values():
            pairs = [(pair["ip_address"], pair["mac_address"]) for pair in port["allowed_address_pairs"]]
            addresses = [(ip, port["mac_address"]) for ip in port["fixed_ips"]] + pairs
            for group in members.keys() & set(port["security_group_ids"]):
                members[group].update(addresses)
        return members

    def _select_ips_for_remote_address_group(self, _context, groups):
        return {group: {(cidr, None) for cidr in self.address_groups[group]} for group in groups}
