"""The agent's extension for network logging as the agent loads it, and a server that it asks."""

import importlib.metadata
import pathlib
import tempfile
import time
from unittest import mock

from neutron.conf.services import logging as log_conf
from oslo_config import cfg
from oslo_log import log as oslo_log

from sg_neutron import log_output

PROJECT = "p1"


def info(log, event, *ports, project=PROJECT):
    """What the server says of a log object."""
    return {
        "id": log,
        "event": event,
        "project_id": project,
        "ports_log": [{"port_id": port, "security_group_rules": []} for port in ports],
    }


def resource(log, kind="security_group", enabled=True):
    return mock.MagicMock(
        **{"__getitem__": lambda _self, name: {"id": log, "resource_type": kind}[name]},
        id=log,
        enabled=enabled,
    )


class Server:
    """Answers what log objects there are."""

    def __init__(self, *logs):
        self.logs = list(logs)
        self.silent = False
        self.asked = []

    def get_sg_log_info_for_port(self, context, resource_type, port_id):
        self._answer(("port", port_id))
        return [
            {**log, "ports_log": [{"port_id": port_id, "security_group_rules": []}]}
            for log in self.logs
            if port_id in [port["port_id"] for port in log["ports_log"]]
        ]

    def get_sg_log_info_for_log_resources(self, context, resource_type, log_resources):
        self._answer(("logs", [each["id"] for each in log_resources]))
        return [log for log in self.logs if log["id"] in [each["id"] for each in log_resources]]

    def _answer(self, what):
        self.asked.append(what)
        if self.silent:
            raise TimeoutError("the server is away")


def eventually(condition, seconds=10.0):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError("it did not happen")
        time.sleep(0.01)


class WithExtension:
    """For test cases."""

    def register(self):
        """Makes the settings known that the agent has."""
        oslo_log.register_options(cfg.CONF)
        log_conf.register_log_driver_opts()

    def write_to_a_file(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.output = pathlib.Path(folder.name, "packets.log")
        cfg.CONF.set_override("local_output_log_base", str(self.output), "network_log")

    def load(self, *logs):
        """Has the agent load the extension by its name, and the extension the driver by its."""
        self.server = Server(*logs)
        [entry] = importlib.metadata.entry_points(group="neutron.agent.l2.extensions", name="ebpf_log")
        extension = entry.load()()
        extension.consume_api(mock.Mock())
        connection = mock.Mock()
        before = list(log_output.LOG.logger.handlers)
        with mock.patch("neutron.services.logapi.rpc.agent.LoggingApiStub", return_value=self.server):
            extension.initialize(connection, "ovs")
        self.assertTrue(connection.create_consumer.called)
        self.driver = extension.log_driver
        self.addCleanup(self.release, before)
        return extension

    def release(self, handlers):
        self.driver.stop()
        for handler in set(log_output.LOG.logger.handlers) - set(handlers):
            log_output.LOG.logger.removeHandler(handler)
            handler.close()

    def notify(self, extension, event, *resources):
        extension._handle_notification(mock.Mock(), "log", list(resources), event)

    def plug(self, extension, port, owner="compute:nova"):
        extension.handle_port(mock.Mock(), {"port_id": port, "device_owner": owner})

    def written(self, count):
        eventually(lambda: self.output.exists() and len(self.output.read_text().splitlines()) >= count)
        lines = self.output.read_text().splitlines()
        self.assertEqual(count, len(lines), lines)
        return lines
