import json
import pathlib
import unittest

import netaddr

from sg_neutron import transaction, translate
from sg_neutron.told import Told

GROUP = "5a000000-0000-4000-8000-000000000002"
SAMPLES = pathlib.Path(__file__).parent / "samples"


class PortsAreTranslated(unittest.TestCase):
    def test_as_the_server_and_the_agent_tell_them(self):
        for sample in ("server", "agent"):
            recorded = json.loads((SAMPLES / f"{sample}.json").read_text())
            expected = json.loads((SAMPLES / f"{sample}.expected.json").read_text())
            with self.subTest(sample):
                self.maxDiff = None
                told = Told()
                for group, rules in recorded["security_groups"].items():
                    told.rules(group, rules)
                for group, members in recorded["sg_member_ips"].items():
                    told.members(group, members)
                for port in recorded["devices"].values():
                    told.port(port)
                objects = told.objects()
                objects["members"] = {group: sorted(members) for group, members in objects["members"].items()}
                self.assertEqual(expected, objects)

    def test_what_is_not_given_is_not_written(self):
        empty = {"fixed_ips": [], "allowed_address_pairs": [], "security_groups": []}
        device = "11111111-1111-4111-8111-111111111111"
        self.assertEqual(empty, translate.port({"device": device, "mac_address": None, "name": ""}))

    def test_port_security_that_is_off_is_written(self):
        device = "11111111-1111-4111-8111-111111111111"
        self.assertIs(
            False, translate.port({"device": device, "port_security_enabled": False})["port_security_enabled"]
        )

    def test_addresses_may_be_objects(self):
        port = {
            "device": "11111111-1111-4111-8111-111111111111",
            "mac_address": netaddr.EUI("fa:16:3e:00:00:05", dialect=netaddr.mac_unix_expanded),
            "fixed_ips": [netaddr.IPAddress("10.0.0.5")],
            "allowed_address_pairs": [{"ip_address": netaddr.IPNetwork("10.9.0.0/24"), "mac_address": None}],
        }
        told = json.loads(json.dumps(translate.port(port)))
        self.assertEqual("fa:16:3e:00:00:05", told["mac_address"])
        self.assertEqual([{"ip_address": "10.0.0.5"}], told["fixed_ips"])
        self.assertEqual([{"ip_address": "10.9.0.0/24"}], told["allowed_address_pairs"])

    def test_a_device_that_is_an_interface_keeps_one_id(self):
        port = {"device": "tap0"}
        self.assertEqual("tap0", translate.port(port)["device"])
        self.assertEqual(translate.port_id(port), translate.port_id({"device": "tap0"}))
        self.assertNotEqual(translate.port_id(port), translate.port_id({"device": "tap1"}))


class RulesAreTranslated(unittest.TestCase):
    def rule(self, **told):
        return translate.security_group([told])["security_group_rules"][0]

    def test_field_by_field(self):
        ingress, egress = (
            {"direction": "ingress", "ethertype": "IPv4"},
            {"direction": "egress", "ethertype": "IPv6"},
        )
        for told, expected in [
            (ingress, ingress),
            (ingress | {"protocol": None, "port_range_min": None}, ingress),
            (ingress | {"source_ip_prefix": "10.0.0.0/8"}, ingress | {"remote_ip_prefix": "10.0.0.0/8"}),
            (egress | {"dest_ip_prefix": "2001:db8::/32"}, egress | {"remote_ip_prefix": "2001:db8::/32"}),
            (ingress | {"remote_group_id": GROUP}, ingress | {"remote_group_id": GROUP}),
            (ingress | {"remote_address_group_id": GROUP}, ingress | {"remote_address_group_id": GROUP}),
            # Type 0 of ICMP is a value.
            (
                ingress | {"protocol": "icmp", "port_range_min": 0},
                ingress | {"protocol": "icmp", "port_range_min": 0},
            ),
            (
                egress | {"protocol": "tcp", "source_port_range_min": 9, "source_port_range_max": 10},
                egress | {"protocol": "tcp", "source_port_range_min": 9, "source_port_range_max": 10},
            ),
            # What cannot be said is passed on: the daemon leaves the rule out, and says why.
            (ingress | {"dest_ip_prefix": "10.0.0.5/32"}, ingress | {"dest_ip_prefix": "10.0.0.5/32"}),
        ]:
            with self.subTest(told):
                self.assertEqual(expected, self.rule(**told))

    def test_the_group_is_stateful_unless_its_rules_say_otherwise(self):
        for rules, stateful in [
            ([], True),
            ([{}], True),
            ([{"stateful": True}], True),
            ([{"stateful": False}, {"stateful": False, "protocol": "tcp"}], False),
        ]:
            self.assertIs(stateful, translate.security_group(rules)["stateful"])

    def test_an_id_that_is_no_uuid_gets_one_which_is_the_same_everywhere(self):
        told = Told()
        told.rules("web", [{"direction": "ingress", "ethertype": "IPv4", "remote_group_id": "peers"}])
        told.members("peers", {"IPv4": [("10.0.0.6", None)]})
        told.port({"device": GROUP, "security_groups": ["web"]})
        objects = told.objects()
        [port], [web], [peers] = objects["ports"].values(), objects["security_groups"], objects["members"]
        self.assertEqual([web], port["security_groups"])
        self.assertEqual(peers, objects["security_groups"][web]["security_group_rules"][0]["remote_group_id"])

    def test_each_rule_is_told_once_in_one_order(self):
        tcp, udp = {"protocol": "tcp"}, {"protocol": "udp"}
        self.assertEqual(translate.security_group([tcp, udp, tcp]), translate.security_group([udp, tcp]))


class MembersAreTranslated(unittest.TestCase):
    def test_without_macs_each_once(self):
        for told, expected in [
            (set(), []),
            ({("10.0.0.6", "fa:16:3e:00:00:06"), ("10.0.0.6", "fa:16:3e:00:00:07")}, ["10.0.0.6"]),
            ([["198.51.100.7/32", None], ["192.0.2.0/24", None]], ["192.0.2.0/24", "198.51.100.7"]),
            ({("10.9.0.5/24", None), ("10.9.0.0/24", None)}, ["10.9.0.0/24"]),
            ({("2001:DB8::1", None), ("2001:db8:0::1/128", None)}, ["2001:db8::1"]),
            ({("nonsense", None)}, ["nonsense"]),
        ]:
            with self.subTest(told):
                self.assertEqual(frozenset(expected), translate.members(told))


class ProviderRulesAreBuiltIn(unittest.TestCase):
    def test_all_that_were_recorded(self):
        for sample in ("server", "agent"):
            recorded = json.loads((SAMPLES / f"{sample}.json").read_text())
            for port in recorded["devices"].values():
                for rule in port["security_group_rules"]:
                    self.assertTrue(translate.is_built_in(rule), rule)

    def test_none_of_another_kind(self):
        dhcp = {
            "direction": "ingress",
            "ethertype": "IPv4",
            "protocol": "udp",
            "port_range_min": 68,
            "port_range_max": 68,
        }
        dhcp |= {"source_port_range_min": 67, "source_port_range_max": 67}
        self.assertTrue(translate.is_built_in(dhcp))
        for change in [
            {"direction": "egress"},
            {"ethertype": "IPv6"},
            {"source_port_range_min": 1},
            {"port_range_max": None},
            {"protocol": "tcp"},
            {"protocol": "ipv6-icmp"},
        ]:
            with self.subTest(change):
                self.assertFalse(translate.is_built_in(dhcp | change))


class DifferencesAreTold(unittest.TestCase):
    def test_object_by_object(self):
        before = transaction.nothing() | {
            "ports": {"a": 1, "b": 2, "c": 3},
            "members": {"g": frozenset({"10.0.0.6"})},
        }
        after = transaction.nothing() | {
            "ports": {"a": 1, "b": 4, "d": 5},
            "members": {"g": frozenset({"10.0.0.6"})},
        }
        self.assertEqual({"ports": {"b": 4, "c": None, "d": 5}}, transaction.difference(before, after))
        self.assertEqual({}, transaction.difference(before, before))
