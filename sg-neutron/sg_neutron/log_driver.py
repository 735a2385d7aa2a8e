"""The logging driver that Neutron's agent loads: entry point `ebpf` of `neutron.services.logapi.drivers`."""

import threading

from neutron.services.logapi.agent import log_extension
from neutron_lib.services.logapi import constants
from oslo_config import cfg
from oslo_log import log as logging

from sg_neutron import log_output, options
from sg_neutron.client import Client
from sg_neutron.keeper import Keeper
from sg_neutron.log_listener import Listener
from sg_neutron.logged import Logged

LOG = logging.getLogger(__name__)


class EbpfLoggingDriver(log_extension.LoggingDriver):
    """Has the daemon tell what the log objects of the server want of the ports here, and writes it down.

    Nothing of this is the agent's loop's business: what the server does not answer is asked again by
    `Keeper`, what the daemon does not tell is asked for again by `Listener`, and no call raises.
    """

    SUPPORTED_LOGGING_TYPES = (constants.SECURITY_GROUP,)

    def __init__(self, agent_api):
        options.register(cfg.CONF)
        settings = cfg.CONF[options.GROUP]
        self._lock = threading.Lock()
        self._logged = Logged()
        self._deferred = False
        # What was asked of the server last, and how to ask it again, by what it is about.
        self._asked = {}
        self._failed = {}
        self._turn = 0
        self._server_is_silent = False
        self._listener = Listener(Client(settings.socket, settings.timeout), self._write)
        self._keeper = Keeper(self._ask_again)

    def initialize(self, resource_rpc, **kwargs):
        self.resource_rpc = resource_rpc
        log_output.setup(cfg.CONF)
        self._listener.start()
        self._keeper.start()

    def stop(self):
        """Ends its threads."""
        self._keeper.stop()
        self._listener.stop()

    def start_logging(self, context, **kwargs):
        """A port was announced (`port_id`), or log objects were made, enabled, or touched by a rule."""
        if "port_id" in kwargs:
            port = kwargs["port_id"]
            with self._lock:
                self._logged.plug(port)
            self._ask(("port", port), lambda: self._of_port(context, port))
        else:
            for resource in self._ours(kwargs):
                key = ("log", resource["id"])
                self._ask(key, lambda resource=resource: self._of_log(context, resource))
        self._changed()

    def stop_logging(self, context, **kwargs):
        """A port has gone (`port_id`), or log objects were deleted or disabled."""
        if "port_id" in kwargs:
            self._forget(("port", kwargs["port_id"]), lambda: self._logged.unplug(kwargs["port_id"]))
        else:
            for resource in self._ours(kwargs):
                key = ("log", resource["id"])
                self._forget(key, lambda resource=resource: self._logged.remove(resource["id"]))
        self._changed()

    def defer_apply_on(self):
        self._deferred = True

    def defer_apply_off(self):
        self._deferred = False
        self._changed()

    def _ours(self, kwargs):
        """The log objects of a call that are about security groups."""
        resources = kwargs.get("log_resources") or ()
        return [each for each in resources if each["resource_type"] in self.SUPPORTED_LOGGING_TYPES]

    def _of_port(self, context, port):
        """Asks the server for all log objects of a port."""
        logs = self.resource_rpc.get_sg_log_info_for_port(
            context, resource_type=constants.SECURITY_GROUP, port_id=port
        )
        return lambda: self._logged.port(port, logs)

    def _of_log(self, context, resource):
        """Asks the server for all ports of a log object."""
        logs = self.resource_rpc.get_sg_log_info_for_log_resources(
            context, resource_type=constants.SECURITY_GROUP, log_resources=[resource]
        )
        return lambda: [self._logged.log(log) for log in logs]

    def _ask(self, key, fetch):
        """Asks the server, and takes the answer unless something newer was said meanwhile."""
        with self._lock:
            self._turn += 1
            turn = self._asked[key] = self._turn
            self._failed.pop(key, None)
        try:
            take = fetch()
        except Exception as error:
            self._not_answered(key, turn, fetch, error)
            return
        with self._lock:
            if self._asked.get(key) != turn:
                return
            take()
            if self._server_is_silent and not self._failed:
                self._server_is_silent = False
                LOG.info("The server has said what is to be logged")

    def _not_answered(self, key, turn, fetch, error):
        with self._lock:
            if self._asked.get(key) == turn:
                self._failed[key] = fetch
            log = LOG.debug if self._server_is_silent else LOG.error
            self._server_is_silent = True
        log("The server does not say what is to be logged of %s %s; it is asked again: %r", *key, error)

    def _ask_again(self):
        with self._lock:
            failed = list(self._failed.items())
        for key, fetch in failed:
            self._ask(key, fetch)
        if failed:
            self._changed()

    def _forget(self, key, forget):
        with self._lock:
            self._asked.pop(key, None)
            self._failed.pop(key, None)
            forget()

    def _changed(self):
        """Has the daemon tell what is wanted now."""
        if self._deferred:
            return
        with self._lock:
            ports = self._logged.wanted()
        limits = cfg.CONF.network_log
        self._listener.want(
            {"ports": ports, "rate": limits.rate_limit, "burst": limits.burst_limit} if ports else None
        )

    def _write(self, line):
        """Writes down what the daemon has told."""
        with self._lock:
            logs = self._logged.of(line.get("port"), line.get("action"))
        for project, ids in logs.items():
            log_output.write(line, project, ids)
