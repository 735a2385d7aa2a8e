"""Neutron's own functional firewall tests, with this driver in the place of theirs.

`neutron.tests.functional.agent.test_firewall` makes a machine and a peer behind a Linux bridge, calls the
driver, and looks which packets come through. Of Neutron 29.0.0 it runs the iptables driver alone: the
scenarios of Open vSwitch, and with them every test of IPv6, are switched off since eventlet was removed.
They run here.
"""

from neutron.tests.common import conn_testers
from neutron.tests.functional.agent import test_firewall
from neutron_lib import constants
from oslo_config import cfg

from functional.sgd import Sgd
from sg_neutron import options
from sg_neutron.driver import EbpfFirewallDriver

# Tests of another driver's own means.
NOT_OURS = {
    "test_rule_application_converges": "reads the text of iptables' rules",
    "test_rule_ordering_correct": "reads the text of iptables' rules",
    "test_tracked_connection": "writes a flow into a bridge of Open vSwitch",
}

# Tests that fail, and why that is meant: docs/parity.md.
DEVIATIONS = {}


class OnABridge:
    """What the tests ask of a driver's scenario."""

    initialize = "initialize_ebpf"
    firewall_name = "ebpf"
    scenarios = None
    settings = ""

    def initialize_ebpf(self):
        bridge = ("brq" + self.net_id)[: constants.LINUX_DEV_LEN]
        tester = self.useFixture(conn_testers.LinuxBridgeConnectionTester(self.ip_cidr, bridge_name=bridge))
        daemon = self.useFixture(Sgd(tester.bridge_namespace, settings=self.settings))
        options.register(cfg.CONF)
        cfg.CONF.set_override("socket", daemon.socket, options.GROUP)
        driver = EbpfFirewallDriver()
        self.addCleanup(driver._keeper.stop)
        return tester, driver


class IPv4(OnABridge, test_firewall.FirewallTestCase):
    """All of them."""

    def setUp(self):
        if self._testMethodName in NOT_OURS:
            self.skipTest(NOT_OURS[self._testMethodName])
        super().setUp()


class IPv6(OnABridge, test_firewall.FirewallTestCaseIPv6):
    """All of them, though they are written for the driver of Open vSwitch: ICMPv6 is to need a rule."""

    settings = 'icmpv6 = "rules"'

    setUp = test_firewall.BaseFirewallTestCase.setUp

    def _apply_security_group_rules(self, sg_id, sg_rules):
        """Their rules say `destination_ip_prefix`, which is nothing, and permits everything there."""
        slip = {"destination_ip_prefix": "dest_ip_prefix"}
        rules = [{slip.get(field, field): value for field, value in rule.items()} for rule in sg_rules]
        super()._apply_security_group_rules(sg_id, rules)
