"""What Neutron's agent has told, in its words, and what follows from it for the daemon."""

import collections

from sg_neutron import transaction, translate

# Ports that were filtered once and are gone: so many are remembered.
_REMEMBERED = 4096


class Told:
    """Ports by `device`, rules and members by the id of their group; and what the block at hand names.

    The agent never says that a group is gone: one that no port reaches is not told on. When a port
    reaches it again, the agent tells its rules and members again beside the port, so it can be forgotten
    when ports go.
    """

    def __init__(self):
        self.ports = {}
        self._translated = {}
        self._trusted = {}
        self._groups = {}
        self._remotes = {}
        self._members = {}
        self._formerly_filtered = collections.OrderedDict()
        self._fewer_ports = False
        self.begin()

    def begin(self):
        """Another block begins."""
        self._named = set()
        self._named_again = False

    def prepare(self, described):
        """A port that is new to the agent. If it is not new here, the agent begins anew."""
        self._named_again |= described["device"] in self.ports
        return self.port(described)

    def port(self, described):
        """A port that is new, or may have changed in any way. Whether it is not as it was."""
        device = described["device"]
        self._named.add(device)
        self._trusted.pop(device, None)
        self._formerly_filtered.pop(device, None)
        # For one rule the agent tells every port of its group again.
        if self.ports.get(device) == described:
            return False
        self.ports[device] = described
        self._translated[device] = (translate.port_id(described), translate.port(described))
        return True

    def trust(self, device):
        """A port that is known by id only, and is to be left unfiltered.

        False if it was a filtered one: the agent takes every port for trusted of which the server tells
        it nothing, and of one that was just deleted it does not.
        """
        if device in self._translated or device in self._formerly_filtered:
            return False
        self._named.add(device)
        self._trusted[device] = translate.port_id({"device": device})
        return True

    def withdraw(self, device):
        """A port that counts as never told."""
        self._fewer_ports = True
        self._trusted.pop(device, None)
        self._translated.pop(device, None)
        return self.ports.pop(device, None)

    def remove(self, device):
        """A port that is gone, filtered or trusted, or was never there."""
        if self.withdraw(device):
            self._formerly_filtered[device] = None
            if len(self._formerly_filtered) > _REMEMBERED:
                self._formerly_filtered.popitem(last=False)

    def not_named(self):
        """Ports that the agent may have lost sight of: a dict of ids by device.

        When the agent begins anew, all ports on its bridge are new to it, and those that are not named
        again are gone. It never says so if it had to forget what ports there were.
        """
        if not self._named_again:
            return {}
        known = {device: port for device, (port, _translated) in self._translated.items()} | self._trusted
        return {device: port for device, port in known.items() if device not in self._named}

    def rules(self, group, rules):
        """All rules of a security group."""
        group = translate.identity(group)
        self._groups[group] = translate.security_group(rules)
        self._remotes[group] = translate.remotes(self._groups[group])

    def members(self, group, by_ethertype):
        """All members of a group, of the ethertypes that are named.

        The agent names those that the rules of the ports at hand ask for, so the other may still be asked
        for by rules of other ports.
        """
        group = translate.identity(group)
        self._members |= {
            (group, ethertype): translate.members(told) for ethertype, told in by_ethertype.items()
        }

    def objects(self):
        """All there is, for the daemon: trusted ports, the others, and what these reach."""
        ports = dict(self._translated.values())
        groups = _only(self._groups, {group for port in ports.values() for group in port["security_groups"]})
        reached = _only(self._members, set().union(*(self._remotes[group] for group in groups)))
        if self._fewer_ports:
            self._groups, self._members = dict(groups), dict(reached)
            self._remotes = _only(self._remotes, groups)
            self._fewer_ports = False
        members = {}
        for (group, _ethertype), told in reached.items():
            members[group] = members[group] | told if group in members else told
        return transaction.nothing() | {
            "ports": {key: self._with_rules_first(port) for key, port in ports.items()},
            "trusted": {port: translate.trusted(device) for device, port in self._trusted.items()},
            "security_groups": groups,
            "members": members,
        }

    def _with_rules_first(self, port):
        """The first group says whether a port is stateful, and one without rules does not know."""
        groups = sorted(port["security_groups"], key=lambda group: (not self._has_rules(group), group))
        return port | {"security_groups": groups}

    def _has_rules(self, group):
        return bool(self._groups.get(group, {}).get("security_group_rules"))


def _only(objects, keys):
    return {key: value for key, value in objects.items() if key in keys}
