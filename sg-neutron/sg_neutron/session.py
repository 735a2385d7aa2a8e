"""What the daemon knows of what it is to know, and how it gets to know the rest."""

import threading
import uuid

from sg_neutron import transaction
from sg_neutron.client import DaemonError, Stale


class Session:
    """The agent's run, as the daemon sees it: one writer, whose transactions build on each other.

    Only what differs from what was acknowledged is sent. After anything but an acknowledgement nothing is
    taken for known, and everything is told again, in a session of its own.

    A run begins beside what a former one has told, which stays in force until this one has announced all
    ports. Neutron does not say when that is: the agent announces the ports that it finds on its bridge, in
    one block or in several, and leaves out those of which the server does not answer yet. So the rule is:
    **the announcement is complete when no port that the daemon knows has an interface here and was not
    announced.** What is left then has no interface, and is removed.
    """

    def __init__(self, client, report):
        self._client = client
        self._report = report
        self._lock = threading.Lock()
        self._session = None
        self._known = None
        self._base = None
        self._announced_all = False
        self._gone = set()
        self._enforced = frozenset()

    def tell(self, wanted):
        """Makes the daemon know what `wanted()` returns. Done when the kernel enforces it.

        Raises `DaemonError` if it is not known to; what was enforced before stays so.
        """
        with self._lock:
            objects = wanted()
            self._enforced &= objects["ports"].keys()
            self._tell(objects)
            self._enforced = frozenset(objects["ports"])
            self._reap(objects)

    def forget(self, ports):
        """Ports that have gone: the next transaction says so even if this run has never told of them."""
        with self._lock:
            if not self._announced_all:
                self._gone.update(ports)

    def is_enforced(self, port):
        """Whether a port that was told is in force, in its last or an earlier form."""
        return port in self._enforced

    def is_settled(self):
        """Whether the daemon knows nothing but what this run has told, as far as was seen."""
        return self._known is not None and self._announced_all

    def ports_here(self):
        """The ids of the ports that the daemon knows, and that have their interface on this node."""
        return self._client.ports_here()

    def look(self):
        """Forgets what was acknowledged if the daemon has something else, as after the loss of its state."""
        with self._lock:
            if self._known is not None and self._client.in_force() != (self._session, self._base):
                self._known = None

    def _tell(self, objects):
        gone = transaction.gone(self._gone, objects)
        if self._known is not None:
            changes = transaction.merged(gone, transaction.difference(self._known, objects))
            if not changes:
                return
            try:
                self._apply(transaction.transaction(self._session, self._base, changes), objects)
                return
            except Stale as stale:
                self._report.stale(stale)
        self._session = str(uuid.uuid4())
        everything = transaction.merged(gone, transaction.each_of_one_kind(objects))
        self._apply(transaction.transaction(self._session, None, everything, self._announced_all), objects)

    def _apply(self, body, objects):
        self._known = None
        answer = self._client.apply(body)
        self._known, self._base = objects, answer["revision"]
        self._gone.clear()
        self._report.answer(answer, transaction.named(body), whole=body["base"] is None)

    def _reap(self, objects):
        if self._announced_all:
            return
        try:
            waiting = self._not_announced(objects)
            if waiting:
                self._report.waiting(waiting)
                return
            answer = self._client.apply(transaction.reap(self._session, self._base))
        except DaemonError as error:
            # What was told is in force all the same; the daemon is asked again later.
            self._report.not_reaped(error)
            return
        self._base = answer["revision"]
        self._announced_all = True
        self._report.answer(answer, named=(), whole=False)

    def _not_announced(self, objects):
        return sorted(self.ports_here() - objects["ports"].keys() - objects["trusted"].keys())
