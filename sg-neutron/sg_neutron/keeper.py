"""Sees to it that the daemon knows what the agent has said, also when the agent says nothing."""

import threading

from oslo_log import log as logging

from sg_neutron.client import DaemonError

LOG = logging.getLogger(__name__)

# Seconds between two looks: the agent's own polling is every two.
PERIOD = 5.0


class Keeper:
    """A thread that asks the daemon what it has in force, and tells it everything if that is something else.

    So a daemon that was away, or has lost what it was told, knows it again without an event of Neutron's;
    and what a former run has left is removed as soon as all ports have been announced.
    """

    def __init__(self, keep):
        self._keep = keep
        self._period = PERIOD
        self._thread = None
        self._ended = threading.Event()

    def start(self):
        """Begins to look. It goes on until the process ends; once is enough."""
        if self._thread is None and not self._ended.is_set():
            self._thread = threading.Thread(target=self._run, name="sg-neutron", daemon=True)
            self._thread.start()

    def stop(self):
        """Ends it, for good."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join()

    def look(self):
        """Looks once. Never raises: what went wrong is reported, and looked at again."""
        try:
            self._keep()
        except DaemonError:
            LOG.debug("The daemon was asked in vain", exc_info=True)
        except Exception:
            # A thread that has died would tell nothing any more.
            LOG.exception("The daemon could not be asked")

    def _run(self):
        while not self._ended.wait(self._period):
            self.look()
