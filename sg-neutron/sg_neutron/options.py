"""The settings in `openvswitch_agent.ini`, in a group of their own: `[ebpf]`."""

from oslo_config import cfg

GROUP = "ebpf"

OPTIONS = [
    cfg.StrOpt(
        "socket",
        default="/run/sgd/sgd.sock",
        help="The unix socket of the daemon sgd (its option --socket). It must belong to root or to the "
        "user that the agent runs as.",
    ),
    cfg.FloatOpt(
        "timeout",
        default=30.0,
        min=1.0,
        help="Seconds to wait for the daemon's answer, which comes when the kernel enforces what was told. "
        "The agent does nothing else meanwhile.",
    ),
]


def register(conf):
    """Makes the settings known to a configuration; more than once is the same as once."""
    conf.register_opts(OPTIONS, group=GROUP)


def list_options():
    """For `oslo-config-generator`: the groups with their settings."""
    return [(GROUP, OPTIONS)]
