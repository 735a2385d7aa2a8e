"""Neutron's dicts as the objects of a transaction: pure, one function a kind of object.

What goes in is what `SecurityGroupAgentRpc` of Neutron 29.0.0 hands to a firewall driver, what comes out
is JSON as the daemon takes it. Values are passed on as they are: what is wrong with them is for the
daemon to say, which says it with object, field, value and remedy. Lists whose order has no meaning are
sorted, because Neutron makes many of them out of sets: the same state is the same JSON.
"""

import functools
import ipaddress
import json
import operator
import uuid

# What a port is to be filtered by, and `name`, by which people know it.
_PORT_FIELDS = ("mac_address", "port_security_enabled", "device_owner", "name")

# The agent's words for `remote_ip_prefix` (neutron.agent.firewall.DIRECTION_IP_PREFIX).
_REMOTE_PREFIX = {"ingress": "source_ip_prefix", "egress": "dest_ip_prefix"}

# Of a rule, the ids of other objects.
_REMOTES = ("remote_group_id", "remote_address_group_id")

# Ports of DHCP: what a server sends from and to, by ethertype.
_DHCP = {"IPv4": (67, 68), "IPv6": (547, 546)}
_ROUTER_ADVERTISEMENT = 134


def port_id(port):
    """The UUID of a port.

    The Open vSwitch agent's `device` is the UUID. One that names an interface instead, and has no `id`
    beside it, gets a UUID made of that name, always the same.
    """
    return identity(port.get("id") or port["device"])


def identity(told):
    """An id as the daemon takes it: one that is no UUID would have it refuse everything at once."""
    return told if _is_uuid(told) else str(uuid.uuid5(uuid.NAMESPACE_OID, told))


def port(described):
    """A port. Its interface is the tap of its id, unless `device` names another."""
    given = {field: described.get(field) for field in _PORT_FIELDS}
    translated = trusted(described["device"])
    translated |= {field: _plain(value) for field, value in given.items() if value not in (None, "")}
    translated["fixed_ips"] = [
        {"ip_address": ip} for ip in sorted(map(str, described.get("fixed_ips") or ()))
    ]
    translated["allowed_address_pairs"] = _sorted(map(_pair, described.get("allowed_address_pairs") or ()))
    translated["security_groups"] = sorted(map(identity, described.get("security_groups") or ()))
    return translated


def trusted(device):
    """A port that is known by its device only."""
    return {} if _is_uuid(device) else {"device": device}


def security_group(rules):
    """A security group. Each of its rules tells whether it is stateful; one without rules counts as it."""
    stateful = all(rule.get("stateful", True) for rule in rules)
    return {"stateful": stateful, "security_group_rules": _sorted(map(_rule, rules))}


def members(told):
    """The members of a security group or an address group that are of one ethertype: addresses and CIDRs.

    Each comes with the MAC of its port, or none, which no rule asks for.
    """
    return frozenset(map(_canonical, map(str, map(operator.itemgetter(0), told))))


def is_built_in(rule):
    """Whether a provider rule, one of a port's own `security_group_rules`, is in force without being told.

    The daemon's built-ins are DHCP's answers to the addresses of the port, and router advertisements.
    """
    if rule.get("direction") != "ingress":
        return False
    match rule.get("protocol"):
        case "udp":
            ports = ("source_port_range_min", "source_port_range_max", "port_range_min", "port_range_max")
            source, destination = _DHCP.get(rule.get("ethertype"), (None, None))
            return [rule.get(field) for field in ports] == [source, source, destination, destination]
        case "ipv6-icmp":
            return rule.get("source_port_range_min") == _ROUTER_ADVERTISEMENT
    return False


def remotes(group):
    """What the rules of a translated security group ask for: remote groups, each with an ethertype."""
    rules = group["security_group_rules"]
    return {(rule[field], rule.get("ethertype")) for rule in rules for field in _REMOTES if field in rule}


# As many as a large group has, of which the agent tells all when one changes.
@functools.lru_cache(maxsize=1 << 17)
def _canonical(address):
    """One text for one address or CIDR, so that lists of them can be compared; as it is if it is neither."""
    try:
        network = ipaddress.ip_network(address, strict=False)
    except ValueError:
        return address
    return str(network.network_address if network.prefixlen == network.max_prefixlen else network)


def _rule(told):
    prefix = _REMOTE_PREFIX.get(told.get("direction"))
    names = {prefix: "remote_ip_prefix"}
    given = {field: value for field, value in told.items() if value is not None and field != "stateful"}
    given |= {field: identity(given[field]) for field in _REMOTES if field in given}
    return {names.get(field, field): value for field, value in given.items()}


def _pair(told):
    return {field: str(told[field]) for field in ("ip_address", "mac_address") if told.get(field)}


def _plain(value):
    """Neutron's addresses may be objects of netaddr."""
    return value if isinstance(value, bool) else str(value)


def _is_uuid(text):
    try:
        return str(uuid.UUID(text)) == text.lower()
    except ValueError:
        return False


def _sorted(objects):
    """Each object once."""
    distinct = {json.dumps(each, sort_keys=True): each for each in objects}
    return [distinct[text] for text in sorted(distinct)]
