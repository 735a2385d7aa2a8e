"""The loop of `neutron-openvswitch-agent`, as far as it calls a firewall driver.

`OVSNeutronAgent.rpc_loop` of Neutron 29.0.0 in short: what it does when a block fails, and what it forgets.
"""

from neutron.agent.securitygroups_rpc import SecurityGroupAgentRpc

# `max_device_retries` of the agent: resynchronisations in a row until it forgets its ports.
RETRIES = 5


class Agent:
    """One run of the agent on a node, whose bridge has the ports of `plugged`.

    Those of `not_ready` have no number in Open vSwitch yet, and are first seen by the second iteration.
    """

    def __init__(self, cloud, plugged, not_ready=()):
        self._cloud = cloud
        self._plugged = plugged
        self._not_ready = set(not_ready)
        self.rpc = SecurityGroupAgentRpc(None, cloud, defer_refresh_firewall=True)
        self.bound = set()
        self.reported_down = set()
        self.deleted = set()
        self.errors = []
        self._updated = set()
        self._ports = set()
        self._sync = False
        self._resyncs = 0

    @property
    def driver(self):
        return self.rpc.firewall

    def update(self, port):
        """The server says that a port has changed."""
        self._updated.add(port)

    def delete(self, port):
        """The server says that a port is gone."""
        self.deleted.add(port)

    def resync(self):
        """Something went wrong that is no matter of the driver's: Open vSwitch was started again, say."""
        self._sync = True

    def iterate(self):
        """One iteration of the loop."""
        updated, self._updated = self._updated, set()
        try:
            current = set(self._plugged) - self._not_ready
            self._count_resyncs()
            added = current if self._sync else current - self._ports
            removed = self._ports - current
            self._sync = False
            deleted, self.deleted = self.deleted - removed, set()
            self.rpc.remove_devices_filter(list(deleted))
            if added or removed or updated & current or self.rpc.firewall_refresh_needed():
                self._process(added, removed, updated & current)
            self._ports = current
        except Exception as error:
            self.errors.append(error)
            self._updated |= updated
            self._sync = True
        self._not_ready = set()

    def _process(self, added, removed, updated):
        known = {port for port in added if port in self._cloud.ports_by_id}
        self.rpc.setup_port_filters(known, updated)
        self.bound |= known
        if removed:
            self.rpc.remove_devices_filter(removed)
            self.bound -= removed
            self.reported_down |= removed

    def _count_resyncs(self):
        self._resyncs = self._resyncs + 1 if self._sync else 0
        if self._resyncs >= RETRIES:
            self._ports.clear()
            self._resyncs = 0
