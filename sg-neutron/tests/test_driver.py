import unittest

from sg_neutron import options, transaction
from sg_neutron.driver import EbpfFirewallDriver, NotEnforced
from tests.node import Node

A = "aaaaaaaa-1111-4111-8111-111111111111"
B = "bbbbbbbb-2222-4222-8222-222222222222"
WEB = "5a000000-0000-4000-8000-000000000001"
PEERS = "5a000000-0000-4000-8000-000000000002"
MONITORING = "a6000000-0000-4000-8000-000000000001"
TCP = {"direction": "ingress", "ethertype": "IPv4", "protocol": "tcp", "stateful": True}
FROM_PEERS = {"direction": "ingress", "ethertype": "IPv4", "remote_group_id": PEERS, "stateful": True}


def port(device, groups=(WEB,), **fields):
    return {
        "device": device,
        "mac_address": "fa:16:3e:00:00:05",
        "fixed_ips": ["10.0.0.5"],
        "allowed_address_pairs": [],
        "security_groups": list(groups),
        "security_group_rules": [],
        "port_security_enabled": True,
    } | fields


class WithNode(unittest.TestCase):
    def setUp(self):
        self.node = Node(self)
        self.daemon = self.node.start()
        self.node.plug(A)
        self.node.plug(B)
        self.driver = EbpfFirewallDriver(integration_bridge=None)

    def announce(self, *ports, rules=(TCP,), members=None):
        with self.driver.defer_apply():
            self.driver.update_security_group_rules(WEB, list(rules))
            for group, told in (members or {}).items():
                self.driver.update_security_group_members(group, told)
            for described in ports:
                self.driver.prepare_port_filter(described)

    def objects(self, kind):
        return self.node.disk.objects[kind]

    def last(self):
        """The objects that the last transaction named."""
        body = self.node.daemon.transactions()[-1]
        return {kind: body[kind] for kind in transaction.KINDS if kind in body}


class ABlockIsATransaction(WithNode):
    def test_with_everything_that_was_said_in_it(self):
        self.announce(
            port(A), port(B), rules=[TCP, FROM_PEERS], members={PEERS: {"IPv4": {("10.0.0.6", None)}}}
        )
        self.driver.process_trusted_ports([])
        first = self.daemon.transactions()[0]
        self.assertEqual((None, False), (first["base"], first["complete"]))
        self.assertEqual({A, B}, first["ports"].keys())
        self.assertEqual({A: None, B: None}, first["trusted"])
        self.assertEqual({WEB}, first["security_groups"].keys())
        self.assertEqual({PEERS: ["10.0.0.6"]}, first["members"])

    def test_and_names_only_what_differs(self):
        members = {PEERS: {"IPv4": {("10.0.0.6", None)}}}
        self.announce(port(A), port(B), rules=[TCP, FROM_PEERS], members=members)
        sent = len(self.daemon.requests)
        self.announce(port(A), port(B), rules=[FROM_PEERS, TCP], members=members)
        self.assertEqual(sent, len(self.daemon.requests))

        self.announce(port(A), port(B, fixed_ips=["10.0.0.7"]), rules=[TCP, FROM_PEERS], members=members)
        self.assertEqual({"ports"}, self.last().keys())
        self.assertEqual({B}, self.last()["ports"].keys())

        members[PEERS]["IPv4"].add(("10.0.0.8", "fa:16:3e:00:00:08"))
        self.announce(port(A), rules=[TCP, FROM_PEERS], members=members)
        self.assertEqual({"members": {PEERS: {"added": ["10.0.0.8"], "removed": []}}}, self.last())
        self.assertEqual({PEERS: ["10.0.0.6", "10.0.0.8"]}, self.objects("members"))

    def test_and_outside_of_a_block_each_call_is_one(self):
        self.driver.update_security_group_rules(WEB, [TCP])
        self.driver.prepare_port_filter(port(A))
        self.assertEqual({A}, self.objects("ports").keys())
        self.driver.remove_port_filter(port(A))
        self.assertEqual({}, self.objects("ports"))

    def test_and_a_port_takes_its_groups_along(self):
        members = {PEERS: {"IPv4": {("10.0.0.6", None)}}, MONITORING: {"IPv6": {("2001:db8::/64", None)}}}
        self.announce(port(A), rules=[FROM_PEERS], members=members)
        self.assertEqual({PEERS}, self.objects("members").keys())
        with self.driver.defer_apply():
            self.driver.remove_port_filter(self.driver.ports[A])
        self.assertEqual(transaction.nothing(), self.node.disk.objects)

    def test_and_members_of_the_other_ethertype_stay(self):
        both = [FROM_PEERS, FROM_PEERS | {"ethertype": "IPv6"}]
        self.announce(
            port(A),
            rules=both,
            members={PEERS: {"IPv4": {("10.0.0.6", None)}, "IPv6": {("2001:db8::6", None)}}},
        )
        self.announce(port(A), rules=both, members={PEERS: {"IPv4": {("10.0.0.7", None)}}})
        self.assertEqual({PEERS: ["10.0.0.7", "2001:db8::6"]}, self.objects("members"))

    def test_and_of_many_members_those_that_came_and_went(self):
        many = {(f"10.0.{number >> 8}.{number & 255}", None) for number in range(10_000)}
        self.announce(port(A), rules=[FROM_PEERS], members={PEERS: {"IPv4": many}})
        # Two texts of one address are one member.
        members = many - {("10.0.0.6", None)} | {("10.0.0.7/32", None), ("192.0.2.0/24", None)}
        self.announce(port(A), rules=[FROM_PEERS], members={PEERS: {"IPv4": members}})
        self.assertEqual(
            {"members": {PEERS: {"added": ["192.0.2.0/24"], "removed": ["10.0.0.6"]}}}, self.last()
        )

    def test_and_a_group_with_rules_decides_whether_a_port_is_stateful(self):
        with self.driver.defer_apply():
            self.driver.update_security_group_rules(WEB, [])
            self.driver.update_security_group_rules(PEERS, [TCP | {"stateful": False}])
            self.driver.prepare_port_filter(port(A, groups=[WEB, PEERS]))
        self.assertEqual([PEERS, WEB], self.objects("ports")[A]["security_groups"])


class PortsAreKnown(WithNode):
    def test_but_for_trusted_ones(self):
        self.announce(port(A), port(B, groups=[], port_security_enabled=False))
        trusted = "cccccccc-3333-4333-8333-333333333333"
        with self.driver.defer_apply():
            self.driver.process_trusted_ports([trusted])
        self.assertEqual({A, B}, self.driver.ports.keys())
        self.assertEqual({trusted: {}}, self.objects("trusted"))

    def test_and_one_that_is_gone_may_go_again(self):
        for _ in range(2):
            self.driver.remove_port_filter(port(A))
            self.driver.remove_trusted_ports([A])

    def test_and_a_trusted_one_can_become_a_filtered_one(self):
        self.driver.process_trusted_ports([A])
        self.announce(port(A))
        self.assertEqual(({A}, {}), (set(self.objects("ports")), self.objects("trusted")))

    def test_and_a_filtered_one_is_never_trusted_when_the_server_forgets_it(self):
        self.announce(port(A))
        self.driver.remove_port_filter(port(A))
        with self.assertLogs("sg_neutron", "WARNING") as log:
            self.driver.process_trusted_ports([A])
            self.driver.process_trusted_ports([A])
        self.assertEqual({}, self.objects("trusted"))
        self.assertEqual(1, len(log.output))
        self.announce(port(A))
        self.assertEqual({A}, self.objects("ports").keys())


class AnAgentThatBeginsAnew(WithNode):
    def test_has_lost_sight_of_ports_that_it_does_not_name_and_that_have_no_interface(self):
        self.announce(port(A), port(B))
        self.node.unplug(B)
        self.announce(port(A))
        self.assertEqual({A}, self.objects("ports").keys())

    def test_has_not_lost_one_with_an_interface(self):
        self.announce(port(A), port(B))
        self.announce(port(A))
        self.assertEqual({A, B}, self.objects("ports").keys())

    def test_has_not_begun_anew_when_it_refreshes_some(self):
        self.announce(port(A), port(B))
        with self.driver.defer_apply():
            self.driver.update_port_filter(port(A))
        self.assertEqual({A, B}, self.objects("ports").keys())


class ADaemonThatIsAway(WithNode):
    def test_leaves_new_ports_unbound_and_is_told_everything_when_it_is_back(self):
        self.announce(port(A))
        self.node.kill()
        with self.assertLogs("sg_neutron", "ERROR") as log:
            for _ in range(3):
                self.assertRaisesRegex(NotEnforced, B, self.announce, port(A), port(B))
        self.assertEqual(1, len(log.output), log.output)
        self.node.start()
        self.announce(port(A), port(B))
        self.assertEqual({A, B}, self.objects("ports").keys())

    def test_does_not_disturb_the_agent_about_ports_that_are_in_force(self):
        self.announce(port(A), port(B))
        self.node.kill()
        self.announce(port(A), rules=[FROM_PEERS], members={PEERS: {"IPv4": {("10.0.0.6", None)}}})
        with self.driver.defer_apply():
            self.driver.remove_port_filter(port(B))
        self.node.start()
        self.driver._keeper.look()
        self.assertEqual({A}, self.objects("ports").keys())
        self.assertEqual({PEERS: ["10.0.0.6"]}, self.objects("members"))

    def test_and_has_lost_its_state_is_told_everything(self):
        self.announce(port(A))
        self.node.kill()
        self.node.disk.lose()
        self.node.start()
        self.driver._keeper.look()
        self.assertEqual({A}, self.objects("ports").keys())

    def test_from_the_start_has_every_port_wait(self):
        self.node.kill()
        self.assertRaises(NotEnforced, self.announce, port(A))
        self.driver._keeper.look()
        self.node.start()
        self.driver._keeper.look()
        self.announce(port(A))
        self.assertEqual({A}, self.objects("ports").keys())

    def test_or_late_is_waited_for_no_longer_than_the_timeout(self):
        self.node = Node(self, timeout=1.0)
        daemon = self.node.start()
        self.driver = EbpfFirewallDriver()
        daemon.late.clear()
        with self.assertLogs("sg_neutron", "ERROR") as log:
            self.assertRaises(NotEnforced, self.announce, port(A))
        self.assertIn("has not answered within 1 s", log.output[0])
        daemon.late.set()
        self.announce(port(A))
        self.assertEqual({A}, self.objects("ports").keys())

    def test_and_one_that_another_writes_to_is_told_everything(self):
        self.announce(port(A), port(B))
        other = EbpfFirewallDriver()
        with other.defer_apply():
            other.process_trusted_ports([A])
        with self.assertLogs("sg_neutron", "WARNING") as log:
            self.announce(port(A), rules=[])
        self.assertIn("Everything is told again", log.output[0])
        self.assertEqual(({A, B}, {}), (set(self.objects("ports")), self.objects("trusted")))
        self.assertTrue(self.node.daemon.transactions()[-1]["complete"])


class AnAgentThatIsStartedAgain(WithNode):
    def setUp(self):
        super().setUp()
        self.announce(port(A), port(B))
        self.driver = EbpfFirewallDriver()

    def test_takes_no_filter_off_while_it_announces(self):
        self.announce(port(A))
        self.assertEqual({A, B}, self.objects("ports").keys())
        self.announce(port(B))
        self.assertEqual({A, B}, self.objects("ports").keys())
        self.assertTrue(self.daemon.transactions()[-1]["reap"])

    def test_but_off_a_port_that_was_deleted_meanwhile(self):
        with self.driver.defer_apply():
            self.driver.remove_trusted_ports([A])
        self.assertEqual({B}, self.objects("ports").keys())
        self.announce(port(B))
        self.assertTrue(self.daemon.transactions()[-1]["reap"])

    def test_nor_when_a_port_has_become_trusted(self):
        self.driver.process_trusted_ports([A])
        self.assertEqual(({B}, {A}), (set(self.objects("ports")), set(self.objects("trusted"))))

    def test_nor_when_the_daemon_is_started_again_meanwhile(self):
        self.announce(port(A))
        self.node.start()
        self.node.disk.revision += 1
        self.announce(port(A), rules=[])
        self.assertEqual({A, B}, self.objects("ports").keys())

    def test_removes_what_has_no_interface_any_more(self):
        self.node.unplug(B)
        self.announce(port(A))
        self.assertEqual({A}, self.objects("ports").keys())
        self.announce(port(A), rules=[])
        self.assertNotIn("reap", self.daemon.transactions()[-1])


class SettingsAreListed(unittest.TestCase):
    def test_for_the_generator_of_configuration_files(self):
        [(group, listed)] = options.list_options()
        self.assertEqual(("ebpf", ["socket", "timeout"]), (group, [option.name for option in listed]))


class FaultsAreLogged(WithNode):
    def test_once_each_with_object_field_value_and_remedy(self):
        self.daemon.faults = [
            {
                "object": {"kind": "port", "id": A, "name": ""},
                "field": "mac_address",
                "value": "",
                "problem": "is missing",
                "advice": "give the MAC address of the VM's interface",
                "effect": "port_closed",
            }
        ]
        self.daemon.outcomes = {A: {"state": "closed", "why": "mac_address is missing"}}
        with self.assertLogs("sg_neutron", "WARNING") as log:
            self.announce(port(A, mac_address=None))
            self.announce(port(A, mac_address=None), rules=[])
        self.assertEqual(2, len(log.output), log.output)
        for words in (f"port {A}", "mac_address", "is missing", "port closed", "give the MAC"):
            self.assertIn(words, log.output[0])
        self.assertIn(f"Port {A} is closed: mac_address is missing", log.output[1])

    def test_and_again_when_they_were_mended_in_between(self):
        fault = {"object": {"kind": "port", "id": A}, "field": "mac_address", "problem": "is missing"}
        for faults, mac in (([fault], None), ([], "fa:16:3e:00:00:05"), ([fault], None)):
            self.daemon.faults = faults
            with self.assertLogs("sg_neutron") if faults else self.assertNoLogs("sg_neutron"):
                self.announce(port(A, mac_address=mac))

    def test_and_so_are_provider_rules_that_are_not_built_in(self):
        rule = {"direction": "ingress", "ethertype": "IPv4", "protocol": "udp", "port_range_min": 69}
        with self.assertLogs("sg_neutron", "WARNING") as log:
            self.announce(port(A, security_group_rules=[rule]))
            self.announce(port(A, security_group_rules=[rule]))
        self.assertEqual(1, len(log.output), log.output)
