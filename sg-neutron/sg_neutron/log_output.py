"""What is logged, in the form and at the place that Neutron's driver for Open vSwitch has."""

import logging.handlers

from os_ken.lib.packet import packet
from oslo_log import formatters, handlers
from oslo_log import log as oslo_logging

LOG = oslo_logging.getLogger(__name__)


def setup(conf):
    """Sends the lines to `[network_log] local_output_log_base`; without one, to the journal or to syslog."""
    log_file = conf.network_log.local_output_log_base
    if log_file:
        handler = logging.handlers.WatchedFileHandler(log_file)
        handler.setFormatter(
            formatters.ContextFormatter(fmt=conf.logging_default_format_string, datefmt=conf.log_date_format)
        )
    elif conf.use_journal:
        handler = handlers.OSJournalHandler()
    else:
        handler = handlers.OSSysLogHandler()
    LOG.logger.addHandler(handler)
    # Whatever the agent says of itself.
    LOG.logger.setLevel(logging.INFO)


def write(line, project, logs):
    """Writes a line of the daemon's for the log objects of a project."""
    words = (line["action"], project, logs, line["port"])
    if "lost" in line:
        LOG.info(
            "action=%s project_id=%s log_resource_ids=%s vm_port=%s lost=%s why=%s",
            *words,
            line["lost"],
            line.get("why"),
        )
    else:
        LOG.info(
            "action=%s project_id=%s log_resource_ids=%s vm_port=%s pkt=%s", *words, _packet(line["frame"])
        )


def _packet(digits):
    """The headers as os-ken writes them; the bytes, where it cannot read them."""
    frame = bytes.fromhex(digits)
    try:
        return str(packet.Packet(frame))
    except Exception:
        # It reads what VMs have made up, and raises whatever its parsers do.
        LOG.debug("A frame that os-ken cannot read", exc_info=True)
        return repr(frame)
