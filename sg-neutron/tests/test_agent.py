"""The driver under Neutron's own `SecurityGroupAgentRpc`, with the server's own code behind it."""

import copy
import logging
import os
import random
import unittest

from tests.agent import Agent
from tests.cloud import Cloud
from tests.fake_daemon import Disk
from tests.node import Node

SEEDS = int(os.environ.get("SG_NEUTRON_SEEDS", "30"))
STEPS = 60


class WithCloud(unittest.TestCase):
    def setUp(self):
        logging.disable(logging.ERROR)
        self.addCleanup(logging.disable, logging.NOTSET)
        self.node = self.make_node()
        self.node.start()
        self.begin(Cloud())

    def make_node(self):
        return Node(self)

    def begin(self, cloud):
        self.cloud = cloud
        self.plugged = set()
        self.agent = self.start_agent()

    def start_agent(self, not_ready=()):
        agent = Agent(self.cloud, self.plugged, not_ready)
        self.addCleanup(agent.driver._keeper.stop)
        return agent

    def plug(self, port):
        self.plugged.add(port)
        self.node.plug(port)

    def unplug(self, port):
        self.plugged.discard(port)
        self.node.unplug(port)

    def objects(self):
        return self.node.disk.objects


class ThePathOfAPort(WithCloud):
    def setUp(self):
        super().setUp()
        self.peers, self.web = self.cloud.add_group(), self.cloud.add_group()
        self.cloud.add_rule(self.web, remote_group_id=self.peers)
        self.port = self.cloud.add_port([self.web])

    def plug_and_iterate(self):
        self.plug(self.port)
        self.agent.iterate()

    def test_from_plug_to_bound(self):
        self.plug_and_iterate()
        self.assertEqual({self.port}, self.objects()["ports"].keys())
        self.assertEqual({self.port}, self.agent.bound)

    def test_and_a_rule_a_member_an_address_group_and_a_pair(self):
        self.plug_and_iterate()
        rpc = self.agent.rpc

        self.cloud.add_rule(self.web, protocol="tcp", port_range_min=80, port_range_max=80)
        rpc.security_groups_rule_updated([self.web])
        self.agent.iterate()
        self.assertEqual(2, len(self.objects()["security_groups"][self.web]["security_group_rules"]))

        self.cloud.add_port([self.peers], number=6)
        rpc.security_groups_member_updated([self.peers])
        self.agent.iterate()
        self.assertEqual({self.peers: ["10.0.0.6"]}, self.objects()["members"])

        group = "a6000000-0000-4000-8000-000000000001"
        self.cloud.address_groups[group] = ["192.0.2.0/24"]
        self.cloud.add_rule(self.web, remote_address_group_id=group)
        rpc.address_group_updated(group)
        self.agent.iterate()
        self.assertEqual(["192.0.2.0/24"], self.objects()["members"][group])

        pair = {"ip_address": "10.9.0.0/24", "mac_address": "00:00:5e:00:01:05"}
        self.cloud.ports_by_id[self.port]["allowed_address_pairs"].append(pair)
        self.agent.update(self.port)
        self.agent.iterate()
        self.assertEqual([pair], self.objects()["ports"][self.port]["allowed_address_pairs"])

    def test_and_port_security_off_and_on(self):
        self.plug_and_iterate()
        for enabled in (False, True):
            self.cloud.ports_by_id[self.port]["port_security_enabled"] = enabled
            self.agent.update(self.port)
            self.agent.iterate()
            self.assertIs(enabled, self.objects()["ports"][self.port]["port_security_enabled"])
            self.assertEqual(
                [self.web] if enabled else [], self.objects()["ports"][self.port]["security_groups"]
            )

    def test_to_unplugged(self):
        self.plug_and_iterate()
        self.unplug(self.port)
        self.agent.iterate()
        self.assertEqual({}, self.objects()["ports"])

    def test_while_no_daemon_answers(self):
        self.node.kill()
        for _ in range(7):
            self.plug_and_iterate()
        self.assertEqual(set(), self.agent.bound)
        self.node.start()
        self.agent.iterate()
        self.assertEqual({self.port}, self.agent.bound)

    def test_unplugged_while_no_daemon_answers_is_reported_to_the_server(self):
        self.plug_and_iterate()
        self.node.kill()
        self.unplug(self.port)
        self.agent.iterate()
        self.assertEqual(({self.port}, []), (self.agent.reported_down, self.agent.errors))
        self.node.start()
        self.agent.driver._keeper.look()
        self.assertEqual({}, self.objects()["ports"])

    def test_announced_again_by_an_agent_that_is_started_again_changes_nothing(self):
        self.plug_and_iterate()
        before = copy.deepcopy(self.objects())
        self.agent = self.start_agent()
        self.agent.iterate()
        self.assertEqual(before, self.objects())

    def test_deleted_while_its_refresh_waits_is_not_opened(self):
        """Neutron takes a port for trusted of which its cache knows nothing."""
        self.plug_and_iterate()
        self.agent.rpc.security_groups_rule_updated([self.web])
        del self.cloud.ports_by_id[self.port]
        self.agent.delete(self.port)
        self.agent.iterate()
        self.assertEqual(({}, {}), (self.objects()["ports"], self.objects()["trusted"]))


class AnyInterleaving(WithCloud):
    """Ends in the state that a fresh start with the same cloud has, and takes no filter off on its way."""

    def test_of_changes_and_ends(self):
        for seed in range(SEEDS):
            with self.subTest(seed=seed):
                self.clear()
                self.begin(Cloud(seed))
                self.play(random.Random(seed))

    def clear(self):
        """A node on which nothing was ever told."""
        self.node.kill()
        self.node.disk = Disk()
        self.node.start()

    def play(self, choose):
        self.filtered = set()
        self.groups = [self.cloud.add_group(stateful=choose.random() < 0.8) for _ in range(3)]
        self.address_groups = []
        self.numbers = iter(range(10, 10_000))
        for _ in range(STEPS):
            choose.choice(STEPS_THERE_ARE)(self, choose)
            self.assert_no_filter_is_lost()
        self.settle()
        self.assert_as_after_a_fresh_start()
        self.assertEqual(self.plugged & self.cloud.ports_by_id.keys(), self.agent.bound & self.plugged)

    # What can happen.

    def new_port(self, choose):
        groups = choose.sample(self.groups, choose.randint(0, 2))
        owner = "network:dhcp" if choose.random() < 0.1 else "compute:nova"
        port = self.cloud.add_port(groups, next(self.numbers), device_owner=owner)
        self.notify_members(port)
        if choose.random() < 0.8:
            self.plug(port)

    def unplug_one(self, choose):
        if self.plugged:
            self.unplug(choose.choice(sorted(self.plugged)))

    def delete_one(self, choose):
        """Nova unplugs the tap, before or after the agent has seen that the port is gone."""
        if self.cloud.ports_by_id:
            port = choose.choice(sorted(self.cloud.ports_by_id))
            self.unplug(port)
            groups = self.cloud.ports_by_id.pop(port)["security_group_ids"]
            self.agent.delete(port)
            self.agent.rpc.security_groups_member_updated(groups)

    def change_rules(self, choose):
        group = choose.choice(self.groups)
        rules = self.cloud.groups[group]["rules"]
        if rules and choose.random() < 0.4:
            rules.pop(choose.randrange(len(rules)))
        else:
            remote = choose.choice(
                [{}, {"remote_group_id": choose.choice(self.groups)}, self.address_group(choose)]
            )
            ethertype = choose.choice(["IPv4", "IPv6"])
            self.cloud.add_rule(group, ethertype=ethertype, protocol=choose.choice([None, "tcp"]), **remote)
        self.agent.rpc.security_groups_rule_updated([group])

    def address_group(self, choose):
        if not self.address_groups or choose.random() < 0.3:
            self.address_groups.append(f"a6000000-0000-4000-8000-{len(self.address_groups):012}")
            self.cloud.address_groups[self.address_groups[-1]] = ["192.0.2.0/24", "2001:db8:1::/48"]
        return {"remote_address_group_id": choose.choice(self.address_groups)}

    def change_address_group(self, choose):
        if self.address_groups:
            group = choose.choice(self.address_groups)
            self.cloud.address_groups[group] = [f"198.51.100.{choose.randrange(250)}/32", "2001:db8:2::/48"]
            self.agent.rpc.address_group_updated(group)

    def change_port(self, choose):
        if self.cloud.ports_by_id:
            port = choose.choice(sorted(self.cloud.ports_by_id))
            described = self.cloud.ports_by_id[port]
            before = described["security_group_ids"]
            match choose.randrange(3):
                case 0:
                    described["security_group_ids"] = choose.sample(self.groups, choose.randint(0, 2))
                case 1:
                    described["port_security_enabled"] ^= True
                case 2:
                    pair = {
                        "ip_address": f"10.9.0.{choose.randrange(250)}",
                        "mac_address": described["mac_address"],
                    }
                    described["allowed_address_pairs"] = [pair]
            self.agent.update(port)
            self.notify_members(port, before)

    def notify_members(self, port, before=()):
        groups = {*before, *self.cloud.ports_by_id[port]["security_group_ids"]}
        if groups:
            self.agent.rpc.security_groups_member_updated(groups)

    def iterate(self, _choose):
        self.agent.iterate()

    def look(self, _choose):
        self.agent.driver._keeper.look()

    def restart_agent(self, choose):
        self.agent.driver._keeper.stop()
        self.agent = self.start_agent(not_ready={port for port in self.plugged if choose.random() < 0.3})

    def kill_daemon(self, _choose):
        self.node.kill()

    def start_daemon(self, _choose):
        self.node.start()

    def lose_state(self, choose):
        if choose.random() < 0.2:
            self.node.kill()
            self.node.lose()
            self.filtered = set()

    def change_availability(self, choose):
        self.cloud.available = choose.random() < 0.7

    # What must hold.

    def assert_no_filter_is_lost(self):
        """A port that the daemon has had stays there as long as it is plugged and exists."""
        known = self.objects()["ports"].keys() | self.objects()["trusted"].keys()
        lasting = self.plugged & self.cloud.ports_by_id.keys()
        lost = (self.filtered & lasting) - known
        self.assertEqual(set(), lost)
        self.filtered = known & lasting

    def settle(self):
        self.cloud.available = True
        self.node.start()
        # What the agent has lost sight of goes when it next begins anew, and finds a port at all.
        self.plug(self.cloud.add_port([self.groups[0]], next(self.numbers)))
        for _ in range(2):
            self.agent.resync()
            self.agent.iterate()
        self.agent.driver._keeper.look()

    def assert_as_after_a_fresh_start(self):
        """What a new agent and a new daemon make of the same cloud."""
        self.node.kill()
        old, self.node.disk = self.node.disk, Disk()
        self.node.disk.interfaces = old.interfaces
        self.node.start()
        self.start_agent().iterate()
        self.assertEqual(self.objects(), old.objects)


STEPS_THERE_ARE = [
    *[AnyInterleaving.new_port] * 4,
    *[AnyInterleaving.change_rules] * 4,
    *[AnyInterleaving.change_port] * 3,
    *[AnyInterleaving.iterate] * 12,
    AnyInterleaving.unplug_one,
    AnyInterleaving.delete_one,
    AnyInterleaving.change_address_group,
    AnyInterleaving.look,
    AnyInterleaving.restart_agent,
    AnyInterleaving.kill_daemon,
    *[AnyInterleaving.start_daemon] * 2,
    AnyInterleaving.lose_state,
    AnyInterleaving.change_availability,
]
