import time
import unittest
from unittest import mock

from neutron.services.logapi.agent import log_extension
from oslo_config import cfg

from sg_neutron import log_driver, log_listener
from sg_neutron.logged import Logged
from tests.extension import PROJECT, WithExtension, eventually, info, resource
from tests.node import Node

WEB = "11111111-1111-4111-8111-111111111111"
DB = "22222222-2222-4222-8222-222222222222"
AWAY = "33333333-3333-4333-8333-333333333333"
LOG = "aaaaaaaa-0000-4000-8000-000000000001"
OTHER = "aaaaaaaa-0000-4000-8000-000000000002"

SYN = (
    "fa163e000005fa163e00000708004500003c1c464000400600000a0000070a0000059c4001bb"
    "0000000100000000a002faf00000000002040584040208"
    "0a000000000000000001030307"
)


class LogObjects(unittest.TestCase):
    def setUp(self):
        self.logged = Logged()
        self.logged.plug(WEB)
        self.logged.plug(DB)

    def test_what_is_wanted_of_a_port_is_the_sum_of_what_log_objects_want(self):
        self.logged.log(info(LOG, "ACCEPT", WEB, AWAY))
        self.assertEqual({WEB: ["ACCEPT"]}, self.logged.wanted())
        self.logged.log(info(OTHER, "ALL", WEB, DB))
        self.assertEqual({WEB: ["ACCEPT", "DROP"], DB: ["ACCEPT", "DROP"]}, self.logged.wanted())
        self.logged.remove(OTHER)
        self.assertEqual({WEB: ["ACCEPT"]}, self.logged.wanted())

    def test_what_the_server_says_of_one_port_leaves_the_others(self):
        self.logged.log(info(LOG, "DROP", WEB, DB))
        self.logged.port(WEB, [info(OTHER, "ACCEPT", WEB)])
        self.assertEqual({WEB: ["ACCEPT"], DB: ["DROP"]}, self.logged.wanted())
        self.logged.port(WEB, [info(LOG, "DROP", WEB)])
        self.assertEqual({WEB: ["DROP"], DB: ["DROP"]}, self.logged.wanted())

    def test_a_port_that_has_gone_is_not_wanted(self):
        self.logged.log(info(LOG, "DROP", WEB, DB))
        self.logged.unplug(WEB)
        self.assertEqual({DB: ["DROP"]}, self.logged.wanted())

    def test_a_line_belongs_to_the_log_objects_that_want_its_action_of_its_port(self):
        self.logged.log(info(LOG, "DROP", WEB))
        self.logged.log(info(OTHER, "ALL", WEB, project="p2"))
        self.assertEqual({PROJECT: [LOG], "p2": [OTHER]}, self.logged.of(WEB, "DROP"))
        self.assertEqual({"p2": [OTHER]}, self.logged.of(WEB, "ACCEPT"))
        self.assertEqual({}, self.logged.of(DB, "DROP"))


class Driver(WithExtension, unittest.TestCase):
    """The extension and the driver as the agent loads them, over a daemon that tells what a test says."""

    def setUp(self):
        self.register()
        self.node = Node(self)
        self.daemon = self.node.start()
        for name, value in (("FIRST_PAUSE", 0.02), ("LONGEST_PAUSE", 0.1)):
            before = getattr(log_listener, name)
            setattr(log_listener, name, value)
            self.addCleanup(setattr, log_listener, name, before)
        self.write_to_a_file()

    def asked(self, ports, number=1):
        """Waits until the daemon is asked for exactly this, by so many listeners."""
        eventually(lambda: [each["ports"] for each in self.daemon.listeners()] == [ports] * number)

    def test_the_extension_takes_this_driver_whatever_the_type_of_the_agent(self):
        extension = self.load()
        self.assertIsInstance(extension.log_driver, log_driver.EbpfLoggingDriver)
        self.assertIsInstance(extension.log_driver, log_extension.LoggingDriver)

    def test_a_port_that_is_announced_is_asked_for_with_the_rates_of_the_operator(self):
        cfg.CONF.set_override("rate_limit", 150, "network_log")
        extension = self.load(info(LOG, "ALL", WEB))
        self.plug(extension, WEB)
        self.plug(extension, DB, owner="network:dhcp")
        self.asked({WEB: ["ACCEPT", "DROP"]})
        [request] = self.daemon.listeners()
        self.assertEqual((150, 25), (request["rate"], request["burst"]))
        self.assertEqual([("port", WEB)], self.server.asked)

    def test_a_line_has_neutrons_form(self):
        extension = self.load(info(LOG, "ALL", WEB))
        self.plug(extension, WEB)
        self.asked({WEB: ["ACCEPT", "DROP"]})
        self.daemon.tell(port=WEB, action="ACCEPT", reason="new", frame=SYN)
        [line] = self.written(1)
        self.assertIn(
            f"action=ACCEPT project_id={PROJECT} log_resource_ids=['{LOG}'] vm_port={WEB} "
            "pkt=ethernet(dst='fa:16:3e:00:00:05',ethertype=2048,src='fa:16:3e:00:00:07'), ipv4(",
            line,
        )
        self.assertIn("dst_port=443", line)
        self.assertNotIn("Traceback", line)

    def test_what_was_not_told_is_written_too_and_bytes_that_are_no_packet(self):
        extension = self.load(info(LOG, "DROP", WEB))
        self.plug(extension, WEB)
        self.asked({WEB: ["DROP"]})
        self.daemon.tell(port=WEB, action="DROP", lost=7, why="rate", time="2026-01-01T00:00:00Z")
        self.daemon.tell(port=WEB, action="DROP", frame="0102")
        self.daemon.tell(port=WEB, action="DROP", frame="no hex")
        self.daemon.tell(port=WEB, action="DROP", frame="03")
        first, second, third = self.written(3)
        self.assertIn(f"log_resource_ids=['{LOG}'] vm_port={WEB} lost=7 why=rate", first)
        self.assertIn(r"pkt=b'\x01\x02'", second)
        self.assertIn(r"pkt=b'\x03'", third)

    def test_log_objects_are_followed_as_they_are_made_changed_disabled_and_deleted(self):
        extension = self.load()
        self.plug(extension, WEB)
        self.plug(extension, DB)
        self.assertEqual([], self.daemon.listeners())
        self.server.logs = [info(LOG, "DROP", WEB, AWAY)]
        self.notify(extension, "created", resource(LOG))
        self.asked({WEB: ["DROP"]})
        # A rule was added to its group, which another port has got meanwhile.
        self.server.logs = [info(LOG, "DROP", WEB, DB)]
        self.notify(extension, "updated", resource(LOG))
        self.asked({WEB: ["DROP"], DB: ["DROP"]})
        self.notify(extension, "updated", resource(LOG, enabled=False))
        eventually(lambda: not self.daemon.listeners())
        self.notify(extension, "updated", resource(LOG))
        self.asked({WEB: ["DROP"], DB: ["DROP"]})
        self.notify(extension, "deleted", resource(LOG))
        eventually(lambda: not self.daemon.listeners())

    def test_log_objects_of_other_kinds_are_not_this_drivers(self):
        extension = self.load(info(LOG, "DROP", WEB))
        self.notify(extension, "created", resource(LOG, kind="snat"))
        self.assertEqual([], self.server.asked)

    def test_a_port_that_is_deleted_is_no_longer_asked_for(self):
        extension = self.load(info(LOG, "DROP", WEB, DB))
        self.plug(extension, WEB)
        self.plug(extension, DB)
        self.asked({WEB: ["DROP"], DB: ["DROP"]})
        extension.delete_port(mock.Mock(), {"port_id": WEB})
        self.asked({DB: ["DROP"]})

    def test_a_daemon_that_is_started_again_is_asked_again_and_that_is_reported_once(self):
        extension = self.load(info(LOG, "DROP", WEB))
        self.plug(extension, WEB)
        self.asked({WEB: ["DROP"]})
        with self.assertLogs(log_listener.LOG.logger, "INFO") as said:
            self.node.kill()
            time.sleep(0.3)
            self.daemon = self.node.start()
            self.asked({WEB: ["DROP"]})
            eventually(lambda: len(said.records) == 2)
        self.assertEqual(["ERROR", "INFO"], [record.levelname for record in said.records])
        self.daemon.tell(port=WEB, action="DROP", frame=SYN)
        self.written(1)

    def test_an_agent_that_starts_before_the_daemon_asks_when_it_is_there(self):
        self.node.kill()
        extension = self.load(info(LOG, "DROP", WEB))
        self.plug(extension, WEB)
        time.sleep(0.1)
        self.daemon = self.node.start()
        self.asked({WEB: ["DROP"]})

    def test_a_server_that_does_not_answer_is_asked_again_and_the_agent_sees_no_error(self):
        extension = self.load(info(LOG, "DROP", WEB, DB))
        self.server.silent = True
        with self.assertLogs(log_driver.LOG.logger, "INFO") as said:
            self.plug(extension, WEB)
            self.plug(extension, DB)
            self.notify(extension, "created", resource(LOG))
            extension.delete_port(mock.Mock(), {"port_id": DB})
            self.driver._keeper.look()
            self.assertEqual([], self.daemon.listeners())
            self.server.silent = False
            self.driver._keeper.look()
        self.asked({WEB: ["DROP"]})
        self.assertEqual(["ERROR", "INFO"], [record.levelname for record in said.records])
        asked = len(self.server.asked)
        self.driver._keeper.look()
        self.assertEqual(asked, len(self.server.asked), "it has answered")

    def test_an_answer_that_is_older_than_a_deletion_is_not_taken(self):
        extension = self.load(info(LOG, "DROP", WEB))
        answer = self.server.get_sg_log_info_for_port

        def late(context, resource_type, port_id):
            logs = answer(context, resource_type, port_id)
            extension.delete_port(mock.Mock(), {"port_id": WEB})
            return logs

        with mock.patch.object(self.server, "get_sg_log_info_for_port", late):
            self.plug(extension, WEB)
        self.assertEqual({}, self.driver._logged.wanted())

    def test_when_something_else_is_wanted_no_line_is_lost_and_none_is_written_twice(self):
        extension = self.load(info(LOG, "DROP", WEB, DB))
        self.plug(extension, WEB)
        self.asked({WEB: ["DROP"]})
        number = 1

        def tell():
            nonlocal number
            self.daemon.tell(port=WEB, action="DROP", frame=f"{number:04x}")
            number += 1

        listen = self.driver._listener._client.listen

        def slowly(request):
            stream = listen(request)
            for _ in range(20):
                tell()
            return stream

        for _ in range(20):
            tell()
        with mock.patch.object(self.driver._listener._client, "listen", slowly):
            self.plug(extension, DB)
            self.asked({WEB: ["DROP"], DB: ["DROP"]})
        for _ in range(20):
            tell()
        lines = self.written(60)
        found = [line.rpartition("pkt=")[2] for line in lines]
        self.assertEqual([repr(bytes.fromhex(f"{each:04x}")) for each in range(1, 61)], found)
