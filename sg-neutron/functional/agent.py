"""The agent's loop of `tests`, with a real daemon and real taps."""

import subprocess
import uuid
from unittest import mock

from functional.sgd import Sgd
from sg_neutron.client import Client
from tests import test_agent
from tests.node import configure


class RealNode:
    """A network namespace with taps, and the daemon in it."""

    def __init__(self, case):
        self._namespace = f"sg-{uuid.uuid4()}"
        _ip("netns", "add", self._namespace)
        case.addCleanup(_ip, "netns", "del", self._namespace)
        self._sgd = Sgd(self._namespace)
        self._sgd.setUp()
        case.addCleanup(self._sgd.cleanUp)
        configure(case, self._sgd.socket, timeout=10.0)
        self._client = Client(self._sgd.socket, 10.0)
        self._is_up = True
        self._last = set()

    def start(self):
        if not self._is_up:
            self._sgd.start()
            self._is_up = True

    def kill(self):
        self._sgd.kill()
        self._is_up = False

    def lose(self):
        """The daemon will know nothing of what it knew."""
        self._sgd.lose()
        self._last = set()

    def plug(self, port):
        self._link("add", port, "mode", "tap")

    def unplug(self, port):
        self._link("del", port, "mode", "tap")

    def ports(self):
        """The ids of the ports that the daemon knows; if it is away, as it knew them last."""
        if self._is_up:
            rows = self._client._ask("GET", "/v1/ports", list)
            self._last = {row["id"] for row in rows if row["id"]}
        return self._last

    def _link(self, verb, port, *words):
        _ip("-n", self._namespace, "tuntap", verb, f"tap{port[:11]}", *words)


class WithRealNode:
    def make_node(self):
        return RealNode(self)

    def objects(self):
        return {"ports": dict.fromkeys(self.node.ports()), "trusted": {}}


class AnyInterleaving(WithRealNode, test_agent.AnyInterleaving):
    """At the end, what a fresh start tells is found to be in the kernel already."""

    def clear(self):
        self.doCleanups()
        self.setUp()

    def assert_as_after_a_fresh_start(self):
        self.node.kill()
        self.node.start()
        answers = []
        apply = Client.apply

        def recorded(client, body):
            answers.append(apply(client, body))
            return answers[-1]

        with mock.patch.object(Client, "apply", recorded):
            self.start_agent().iterate()
        self.assertEqual([0] * len(answers), [answer["changes"] for answer in answers])
        self.assertEqual(self.plugged & self.cloud.ports_by_id.keys(), self.node.ports())


def _ip(*words):
    subprocess.run(["ip", *words], check=True)
