"""A node for tests: a socket, a daemon behind it, and drivers that are told to use it."""

import pathlib
import tempfile

from neutron.conf.agent import securitygroups_rpc
from oslo_config import cfg

from sg_neutron import keeper, options
from tests.fake_daemon import Disk, FakeDaemon


class Node:
    """What stays when the daemon or the agent ends."""

    def __init__(self, case, timeout=10.0):
        folder = tempfile.TemporaryDirectory()
        case.addCleanup(folder.cleanup)
        self.socket = str(pathlib.Path(folder.name, "sgd.sock"))
        configure(case, self.socket, timeout)
        self.disk = Disk()
        self.daemon = None
        self.complaints = []
        case.addCleanup(lambda: case.assertEqual([], self.complaints))
        case.addCleanup(self.kill)

    def start(self):
        self.kill()
        self.daemon = FakeDaemon(self.socket, self.disk)
        return self.daemon

    def kill(self):
        if self.daemon:
            self.daemon.kill()
            self.complaints += self.daemon.complaints
            self.daemon = None

    def lose(self):
        """The daemon loses its state."""
        self.disk.lose()

    def plug(self, port):
        self.disk.interfaces.add(f"tap{port[:11]}")

    def unplug(self, port):
        self.disk.interfaces.discard(f"tap{port[:11]}")


def configure(case, socket, timeout):
    """Has the agents of a test use this driver, and the driver this socket."""
    securitygroups_rpc.register_securitygroups_opts()
    options.register(cfg.CONF)
    cfg.CONF([], project="neutron")
    for name, value in (("socket", socket), ("timeout", timeout)):
        cfg.CONF.set_override(name, value, options.GROUP)
    cfg.CONF.set_override("firewall_driver", "ebpf", "SECURITYGROUP")
    case.addCleanup(cfg.CONF.reset)
    case.addCleanup(cfg.CONF.clear)
    # Tests look themselves, so that nothing happens at a time of its own.
    period, keeper.PERIOD = keeper.PERIOD, 3600.0
    case.addCleanup(setattr, keeper, "PERIOD", period)
