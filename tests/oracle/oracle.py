#!/usr/bin/env python3
"""Neutron's own iptables firewall, kept running: inventories in, iptables rules out.

    oracle.py NETNS

Reads one JSON document a line from stdin and answers each with one line on stdout:

    {"fresh": bool, "local": [port id ..], "inventory": {..}}
        Programs iptables, ip6tables and ipset of the namespace through Neutron's unmodified server
        and agent code, driver iptables_hybrid. `fresh`: as an agent that starts anew. Otherwise as one
        that is told of the change, with the removals of conntrack entries that come with it.
        Answer: {"refused": [[rule id, why] ..]}
    {"dump": true}
        Answer: {"iptables": "..", "ip6tables": "..", "ipset": "..", "conntrack": ".."}

An error is answered with {"error": ".."}; nothing of Neutron is written anew here. Needs root, and
neutron==29.0.0.
"""
import json
import os
import subprocess
import sys
import tempfile
import traceback

# Neutron names its chains after the program: these are the OVS agent's.
NETNS, sys.argv = sys.argv[1], ['neutron-openvswitch-agent']
# The answers alone go to stdout, whatever a library prints.
ANSWERS, sys.stdout = sys.stdout, sys.stderr

from neutron import privileged
privileged.default.set_client_mode(False)     # root already: no daemon for privileges
from neutron.conf import common as common_conf
from neutron.conf.agent import common as agent_conf
from neutron.conf.agent import securitygroups_rpc as groups_conf
from oslo_config import cfg
agent_conf.register_root_helper(cfg.CONF)
agent_conf.register_iptables_opts(cfg.CONF)
groups_conf.register_securitygroups_opts()
common_conf.register_core_common_config_opts(cfg.CONF)
cfg.CONF(['--config-file', '/dev/null'], project='neutron')
cfg.CONF.set_override('enable_ipset', True, 'SECURITYGROUP')
LOCKS = tempfile.TemporaryDirectory(prefix='sg-oracle-')
cfg.CONF.set_override('lock_path', LOCKS.name, 'oslo_concurrency')

from neutron.agent import securitygroups_rpc
from neutron.agent.linux import ip_conntrack
from neutron.agent.linux import iptables_firewall

from server import Server

FRESH = False


def _delete_now(manager, devices, rule, remote_ips=None):
    """Conntrack entries go before the answer, not in the queue of a thread that never ends."""
    if not FRESH:
        for remote_ip in remote_ips or [None]:
            manager._delete_conntrack_state(devices, rule, remote_ip)


ip_conntrack.IpConntrackManager._process_queue_worker = lambda self: None
ip_conntrack.IpConntrackManager._process = _delete_now


class Agent(securitygroups_rpc.SecurityGroupAgentRpc):
    def init_firewall(self, defer_refresh_firewall=False, integration_bridge=None):
        ip_conntrack.CONTRACK_MGRS.pop(NETNS, None)
        self.firewall = iptables_firewall.OVSHybridIptablesFirewallDriver(namespace=NETNS)
        self.devices_to_refilter = set()
        self.defer_refresh_firewall = defer_refresh_firewall


class Oracle:
    def __init__(self):
        self.server = Server()
        self.agent = Agent(None, self.server, defer_refresh_firewall=True)

    def apply(self, inventory, local):
        """Brings the node to the inventory with the notifications that a server would send."""
        server, agent = self.server, self.agent
        ports, groups, address_groups = server.ports, server.groups, server.address_groups
        members = {g: server.members(g) for g in groups}
        refused = server.load(inventory, set(local))
        here = {i for i, port in server.ports.items() if port['local']}
        before = {i for i, port in ports.items() if port['local']}
        gone = before - here
        if gone:
            agent.remove_devices_filter(gone)
        rules = [g for g in server.groups if g in groups and server.groups[g] != groups[g]]
        if rules:
            agent.security_groups_rule_updated(rules)
        moved = [g for g in set(groups) | set(server.groups)
                 if members.get(g, set()) != server.members(g)]
        if moved:
            agent.security_groups_member_updated(moved)
        for group in address_groups:
            if address_groups[group] != server.address_groups.get(group):
                agent.address_group_updated(group)
        changed = {i for i in here & before if server.ports[i] != ports[i]}
        agent.setup_port_filters(here - before, changed)
        return refused


def dump():
    def run(*command):
        return subprocess.run(('ip', 'netns', 'exec', NETNS) + command,
                              capture_output=True, text=True, check=False).stdout
    return {'iptables': run('iptables-save'), 'ip6tables': run('ip6tables-save'),
            'ipset': run('ipset', 'save'), 'conntrack': run('conntrack', '-L')}


def main():
    global FRESH
    oracle = None
    for line in sys.stdin:
        try:
            order = json.loads(line)
            if order.get('dump'):
                answer = dump()
            else:
                FRESH = order['fresh'] or oracle is None
                if FRESH:
                    # A new agent adds members to the sets that it finds.
                    subprocess.run(['ip', 'netns', 'exec', NETNS, 'ipset', 'flush'], check=True)
                    oracle = Oracle()
                answer = {'refused': oracle.apply(order['inventory'], order['local'])}
        except Exception:
            answer = {'error': traceback.format_exc()}
            oracle = None
        print(json.dumps(answer), file=ANSWERS, flush=True)
    LOCKS.cleanup()
    os._exit(0)        # Neutron leaves threads behind that never end


main()
