"""Network logging with the real daemon and a real tap: what the log objects ask for is written down."""

import subprocess
import sys
import time
import unittest
import uuid

from functional.agent import RealNode, _ip
from sg_neutron.client import Client
from tests.extension import PROJECT, WithExtension, info, resource

WEB = "11111111-1111-4111-8111-111111111111"
LOG = "aaaaaaaa-0000-4000-8000-000000000001"
GROUP = "5a000000-0000-4000-8000-000000000001"

# The VM sends a datagram from an address of its own, and from one that is not.
HEADER = "fffffffffffffa163e00000508004500001c00000000401100000a0000{:02x}c0000201{:04x}003500080000"
HONEST, FORGED = 5, 99

SEND = """
import fcntl, struct, sys
with open("/dev/net/tun", "r+b", buffering=0) as tap:
    fcntl.ioctl(tap, 0x400454CA, struct.pack("16sH22x", sys.argv[1].encode(), 0x1002))
    for frame in sys.argv[2:]:
        tap.write(bytes.fromhex(frame))
"""


def frame(host, port):
    """From this host of 10.0.0.0/24 and this port, with the checksum of its header."""
    digits = HEADER.format(host, port)
    words = [int(digits[28 + at : 32 + at], 16) for at in range(0, 40, 4)]
    total = sum(words)
    total = (total & 0xFFFF) + (total >> 16)
    return f"{digits[:48]}{~((total & 0xFFFF) + (total >> 16)) & 0xFFFF:04x}{digits[52:]}"


class NetworkLog(WithExtension, unittest.TestCase):
    def setUp(self):
        self.register()
        self.node = RealNode(self)
        self.write_to_a_file()
        self.node.plug(WEB)
        _ip("-n", self.node._namespace, "link", "set", f"tap{WEB[:11]}", "up")
        self.tell()

    def tell(self):
        """Says what the agent's firewall driver would say."""
        port = {
            "mac_address": "fa:16:3e:00:00:05",
            "fixed_ips": [{"ip_address": "10.0.0.5"}],
            "security_groups": [GROUP],
        }
        rules = [{"direction": "egress", "ethertype": "IPv4", "protocol": "udp"}]
        Client(self.node._sgd.socket, 10.0).apply(
            {
                "session": str(uuid.uuid4()),
                "base": None,
                "complete": True,
                "ports": {WEB: port},
                "security_groups": {GROUP: {"stateful": True, "security_group_rules": rules}},
            }
        )

    def send(self, *frames):
        enter = ["nsenter", f"--net=/run/netns/{self.node._namespace}"]
        subprocess.run([*enter, sys.executable, "-c", SEND, f"tap{WEB[:11]}", *frames], check=True)

    def find(self, *words):
        """The lines that have all these words, which come sooner or later."""
        deadline = time.monotonic() + 10.0
        while time.monotonic() < deadline:
            lines = self.output.read_text().splitlines() if self.output.exists() else []
            found = [line for line in lines if all(word in line for word in words)]
            if found:
                return found
            time.sleep(0.05)
        raise AssertionError(f"{words}: {lines}")

    def send_until_logged(self, sent, *words):
        """Nobody says from when on the daemon is asked."""
        for _ in range(100):
            self.send(sent)
            if self.output.exists() and all(word in self.output.read_text() for word in words):
                return
            time.sleep(0.1)
        raise AssertionError(words)

    def test_what_is_accepted_and_refused_is_logged_for_its_log_object_and_also_after_a_restart(self):
        extension = self.load(info(LOG, "ALL", WEB))
        self.plug(extension, WEB)
        self.send_until_logged(frame(FORGED, 7), "action=DROP")

        self.send(frame(HONEST, 4000), frame(HONEST, 4000))
        of = f"project_id={PROJECT} log_resource_ids=['{LOG}'] vm_port={WEB} pkt=ethernet("
        found = self.find(f"action=ACCEPT {of}", "src='10.0.0.5'", "src_port=4000")
        self.assertEqual(1, len(found), "the first packet of the connection")
        self.find(f"action=DROP {of}", "src='10.0.0.99'")

        self.node.kill()
        self.node.start()
        self.tell()
        self.send_until_logged(frame(FORGED, 8), "src_port=8")

        self.notify(extension, "deleted", resource(LOG))
        time.sleep(1.0)
        self.send(frame(FORGED, 9))
        time.sleep(0.5)
        self.assertNotIn("src_port=9", self.output.read_text())
