"""The agent's extension for network logging: `[agent] extensions = ebpf_log`."""

from neutron.services.logapi.agent import log_extension

# Of the entry points `neutron.services.logapi.drivers`.
DRIVER = "ebpf"


class EbpfLoggingExtension(log_extension.LoggingExtension):
    """Neutron's own extension `log`, with this package's driver.

    `log` takes the driver that is named as the agent's type, which is `ovs` in `neutron-openvswitch-agent`
    whatever its firewall: that one logs from flow tables that this firewall does not fill.
    """

    def initialize(self, connection, driver_type):
        super().initialize(connection, DRIVER)
