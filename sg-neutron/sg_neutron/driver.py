"""The firewall driver that Neutron's agent loads: `[securitygroup] firewall_driver = ebpf`."""

import contextlib
import threading

from neutron.agent import firewall
from oslo_config import cfg

from sg_neutron import options, transaction, translate
from sg_neutron.client import Client, DaemonError
from sg_neutron.keeper import Keeper
from sg_neutron.report import Report
from sg_neutron.session import Session
from sg_neutron.told import Told


class NotEnforced(Exception):
    """The daemon has not taken ports that are new to it. The agent leaves them unbound, and tries again."""


class EbpfFirewallDriver(firewall.FirewallDriver):
    """Hands what the agent says to the daemon `sgd`: what is said in one `defer_apply` is one transaction.

    **When the daemon does not take it**, what was said is kept, and told again by the next block and by
    `Keeper`, until it is taken. The block itself fails only if it is about ports that were never in force:
    then the agent does not bind them (they get no VLAN), synchronises, and says them again in its next
    iteration, for ever. Anything else does not fail. A filter that is in force stays so anyway; and an
    agent that fails again and again forgets which ports have gone (`OVSNeutronAgent.process_port_info`
    clears its ports after five times), and never tells the server.
    """

    OVS_HYBRID_PLUG_REQUIRED = False
    provides_arp_spoofing_protection = True

    def __init__(self, integration_bridge=None):
        options.register(cfg.CONF)
        # The agent's loop writes, its RPC handlers read `ports`.
        self._lock = threading.Lock()
        self._deferred = False
        self._told = Told()
        self._wanted = transaction.nothing()
        self._report = Report()
        settings = cfg.CONF[options.GROUP]
        self._session = Session(Client(settings.socket, settings.timeout), self._report)
        self._keeper = Keeper(self._keep)

    @property
    def ports(self):
        """All ports by device, filtered and unfiltered ones. A copy.

        Not the trusted ones: the agent takes what is here for ports that the server knows more of.
        """
        with self._lock:
            return dict(self._told.ports)

    def filter_defer_apply_on(self):
        self._deferred = True
        self._told.begin()

    def filter_defer_apply_off(self):
        self._deferred = False
        self._apply()

    def prepare_port_filter(self, port):
        with self._said() as told:
            is_new = told.prepare(port)
        self._report_provider_rules(port, is_new)

    def update_port_filter(self, port):
        with self._said() as told:
            is_new = told.port(port)
        self._report_provider_rules(port, is_new)

    def remove_port_filter(self, port):
        self._remove([port])

    def process_trusted_ports(self, port_ids):
        with self._said() as told:
            refused = [port for port in port_ids if not told.trust(port)]
        for port in refused:
            self._report.not_trusted(port)

    def remove_trusted_ports(self, port_ids):
        """Also for ports that this run of the agent has never told of, whatever they were."""
        self._remove([self._told.ports.get(port, {"device": port}) for port in port_ids])

    def update_security_group_rules(self, sg_id, rules):
        with self._said() as told:
            told.rules(sg_id, rules)

    def update_security_group_members(self, sg_id, ips):
        with self._said() as told:
            told.members(sg_id, ips)

    def security_group_updated(self, action_type, sec_group_ids, device_id=None):
        """Nothing: the agent tells the new state in a block of its own right afterwards."""

    def _remove(self, ports):
        self._session.forget([translate.port_id(port) for port in ports])
        with self._said() as told:
            for port in ports:
                told.remove(port["device"])

    def _report_provider_rules(self, port, is_new):
        for rule in (port.get("security_group_rules") or ()) if is_new else ():
            if not translate.is_built_in(rule):
                self._report.provider_rule(port["device"], rule)

    @contextlib.contextmanager
    def _said(self):
        with self._lock:
            if not self._deferred:
                self._told.begin()
            yield self._told
        if not self._deferred:
            self._apply()

    def _apply(self):
        try:
            self._tell()
            self._remove_unseen()
        except DaemonError as error:
            new = self._withdraw_new()
            if new:
                raise NotEnforced(_not_enforced(sorted(new), error)) from error
        finally:
            self._keeper.start()

    def _tell(self):
        with self._lock:
            self._wanted = self._told.objects()
        with self._reported():
            self._session.tell(self._everything)

    def _withdraw_new(self):
        """Takes back ports that were never in force: the agent says them again, or they go without a word."""
        with self._lock:
            ports = self._told.ports.values()
            new = [port["device"] for port in ports if not self._session.is_enforced(translate.port_id(port))]
            for device in new:
                self._told.withdraw(device)
            self._wanted = self._told.objects()
        return new

    def _remove_unseen(self):
        """Removes ports that the agent has lost sight of, and that have no interface here."""
        not_named = self._told.not_named()
        if not_named:
            here = self._session.ports_here()
            with self._lock:
                for device, port in not_named.items():
                    if port not in here:
                        self._told.remove(device)
            self._tell()

    def _keep(self):
        with self._reported():
            self._session.look()
            if not self._session.is_settled():
                self._session.tell(self._everything)

    def _everything(self):
        """What was said in whole blocks."""
        return self._wanted

    @contextlib.contextmanager
    def _reported(self):
        try:
            yield
        except DaemonError as error:
            self._report.failed(error)
            raise
        self._report.succeeded()


# The agent logs a failure in each iteration, so the text is short whatever there is.
_SHOWN = 5


def _not_enforced(ports, error):
    shown = ", ".join(ports[:_SHOWN])
    more = f" and {len(ports) - _SHOWN} more" if len(ports) > _SHOWN else ""
    return f"not enforced yet: ports {shown}{more}: {error}"
