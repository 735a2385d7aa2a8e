"""The half of Neutron's server that answers its agents, over an inventory in memory.

The rule expansion is Neutron's own (`neutron.db.securitygroups_rpc_base`); what is written here only
stands in for the database queries that it makes.
"""
import copy
import json

import netaddr
from neutron.db import securitygroups_db
from neutron.db import securitygroups_rpc_base
from neutron.extensions import securitygroup
from neutron_lib.utils import net


SOURCE_PORTS = ('source_port_range_min', 'source_port_range_max')


class Server(securitygroups_rpc_base.SecurityGroupInfoAPIMixin):
    """What the agent calls `plugin_rpc`."""

    def __init__(self):
        self.ports, self.groups, self.address_groups = {}, {}, {}

    def load(self, inventory, local):
        """Takes a whole inventory. `local`: the ids of the ports on this node.

        Returns the rules that Neutron's API refuses; they are left out.
        """
        refused = []
        self.ports = {p['id']: _port(p, p['id'] in local) for p in inventory['ports']}
        self.groups = {}
        for group in copy.deepcopy(inventory['security_groups']):
            rules = []
            for rule in group['security_group_rules']:
                checked = validated(rule)
                if isinstance(checked, str):
                    refused.append([rule.get('id'), checked])
                else:
                    checked['security_group_id'] = group['id']
                    rules.append(checked)
            group['security_group_rules'] = rules
            self.groups[group['id']] = group
        self.address_groups = {g['id']: g for g in inventory.get('address_groups', [])}
        return refused

    def members(self, group):
        """The addresses of a remote group."""
        return self._select_ips_for_remote_group(None, [group])[group]

    # What the mixin asks the database for.

    def _select_rules_for_ports(self, context, ports):
        return [(port, _beside_protocol(rule)) for port in ports
                for group in self.ports[port]['security_groups']
                for rule in self.groups[group]['security_group_rules']]

    def _select_sg_ids_for_ports(self, context, ports):
        return [(group,) for port in ports for group in self.ports[port]['security_groups']]

    def _get_sgs_stateful_flag(self, context, ids):
        return {i: self.groups[i].get('stateful', True) for i in ids}

    def _select_ips_for_remote_group(self, context, ids):
        found = {i: set() for i in ids}
        for port in self.ports.values():
            for group in set(port['security_groups']) & set(found):
                found[group] |= {(ip, None) for ip in port['fixed_ips']}
                found[group] |= {(pair['ip_address'], pair['mac_address'])
                                 for pair in port['allowed_address_pairs']}
        return found

    def _select_ips_for_remote_address_group(self, context, ids):
        return {i: {(a, None) for a in self.address_groups[i]['addresses']} for i in ids}

    # What the agent calls over RPC.

    def security_group_info_for_devices(self, context, devices):
        ports = {}
        for device in devices:
            port = self.ports.get(device)
            if port and not net.is_port_trusted(port):
                ports[device] = dict(copy.deepcopy(port), security_group_rules=[],
                                     security_group_source_groups=[],
                                     security_group_remote_address_groups=[])
        info = self.security_group_info_for_ports(context, ports)
        for rules in info['security_groups'].values():
            for rule in rules:
                if isinstance(rule.get('protocol'), tuple):
                    rule['protocol'], *source = rule['protocol']
                    rule.update(zip(SOURCE_PORTS, source))
        return json.loads(json.dumps(info, default=list))   # sets become lists, as over RPC

    def get_secgroup_ids_for_address_group(self, address_group):
        return {group['id'] for group in self.groups.values()
                for rule in group['security_group_rules']
                if rule.get('remote_address_group_id') == address_group}


def validated(rule):
    """A rule as Neutron's API stores it, or why it refuses it."""
    attributes = securitygroup.RESOURCE_ATTRIBUTE_MAP['security_group_rules']
    stored = {'project_id': 'p'}
    database = object.__new__(type('Database', (securitygroups_db.SecurityGroupDbMixin,),
                                   {'__abstractmethods__': frozenset()}))
    try:
        for name, attribute in attributes.items():
            if name in ('id', 'tenant_id', 'security_group_id'):
                continue
            value = rule.get(name, attribute.get('default'))
            convert = attribute.get('convert_to')
            stored[name] = convert(value) if convert else value
        stored['remote_address_group_id'] = rule.get('remote_address_group_id')
        database._validate_base_security_group_rule_attributes(stored)
    except Exception as refusal:
        return '%s: %s' % (type(refusal).__name__, refusal)
    stored.update((field, rule.get(field)) for field in SOURCE_PORTS)
    prefix = stored.get('remote_ip_prefix')
    if prefix:
        stored['normalized_cidr'] = str(netaddr.IPNetwork(str(prefix)).cidr)
    return stored


def _beside_protocol(rule):
    """The rule as Neutron's expansion takes it, which passes source ports by: they travel with the protocol."""
    source = [rule[field] for field in SOURCE_PORTS]
    return rule if source == [None, None] else dict(rule, protocol=(rule['protocol'], *source))


def _port(port, local):
    """A port of the API as the server hands it to the OVS agent, which names devices by port id."""
    pairs = [dict(pair, mac_address=pair.get('mac_address') or port['mac_address'])
             for pair in port.get('allowed_address_pairs') or []]
    return {
        'id': port['id'], 'device': port['id'], 'local': local,
        'mac_address': port['mac_address'], 'network_id': port['network_id'],
        'fixed_ips': [ip['ip_address'] for ip in port['fixed_ips']],
        'allowed_address_pairs': pairs, 'security_groups': list(port['security_groups']),
        'port_security_enabled': port.get('port_security_enabled', True),
        'device_owner': port.get('device_owner') or 'compute:nova',
        'status': 'ACTIVE', 'admin_state_up': True,
    }
