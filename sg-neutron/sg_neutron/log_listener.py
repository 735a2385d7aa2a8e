"""A thread that has the daemon tell what is wanted, and goes on when the daemon was away."""

import json
import threading
import time

from oslo_log import log as logging

from sg_neutron.client import DaemonError

LOG = logging.getLogger(__name__)

# Seconds until it is tried again: at first, and at most.
FIRST_PAUSE = 1.0
LONGEST_PAUSE = 30.0

# Seconds in which what the daemon has read for a former answer comes.
GRACE = 0.25


class Listener:
    """Listens to the daemon for as long as anything is wanted, and hands each line to `give`.

    When something else is wanted, it asks for that before it ceases to listen to the former answer, of which
    it then reads the rest: what both tell is given once.
    """

    def __init__(self, client, give):
        self._client = client
        self._give = give
        self._changed = threading.Condition()
        self._wanted = None
        self._ended = False
        # The thread's own: the answer that is read, and what was asked for.
        self._reading = None
        self._asked = None
        self._thread = threading.Thread(target=self._run, name="sg-neutron-log", daemon=True)
        self._failure = None

    def start(self):
        self._thread.start()

    def stop(self):
        """Ends it, for good."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()
        self._thread.join()

    def want(self, request):
        """From now on this is to be told; nothing, if it is `None`. Never waits for the daemon."""
        with self._changed:
            if request != self._wanted:
                self._wanted = request
                self._changed.notify_all()

    def _run(self):
        pause = FIRST_PAUSE
        while True:
            with self._changed:
                self._changed.wait_for(self._is_due)
                wanted, ended = self._wanted, self._ended
            if self._reading and (ended or wanted is None or self._reading.has_ended):
                if self._reading.has_ended:
                    self._failed("the daemon tells no more")
                    self._pause(FIRST_PAUSE)
                self._reading.finish()
                self._reading = self._asked = None
            elif ended:
                return
            elif wanted is not None and (fresh := self._listen(wanted)):
                told = self._reading.finish(GRACE) if self._reading else set()
                self._reading, self._asked = _Reading(fresh, self._give, told, self._notify), wanted
                self._reading.start()
                pause = FIRST_PAUSE
            elif wanted is not None:
                self._pause(pause)
                pause = min(2 * pause, LONGEST_PAUSE)

    def _is_due(self):
        """Whether it is to end, something else is wanted than was asked for, or the daemon has hung up."""
        hung_up = self._reading is not None and self._reading.has_ended
        return self._ended or self._wanted != self._asked or hung_up

    def _listen(self, wanted):
        """An answer of the daemon's; `None` if it gives none, which is reported."""
        try:
            fresh = self._client.listen(wanted)
        except DaemonError as error:
            self._failed(error)
            return None
        except Exception as error:
            # A thread that has died would log nothing any more.
            LOG.debug("The daemon could not be asked", exc_info=True)
            self._failed(repr(error))
            return None
        self._succeeded()
        return fresh

    def _notify(self):
        with self._changed:
            self._changed.notify_all()

    def _pause(self, pause):
        """Waits, unless it is to end."""
        with self._changed:
            self._changed.wait_for(lambda: self._ended, timeout=pause)

    def _failed(self, error):
        text = str(error)
        if self._failure is None:
            LOG.error("Network logging: %s. It is asked again until it tells.", text)
        else:
            LOG.debug("Still: %s", text)
        self._failure = text

    def _succeeded(self):
        if self._failure is not None:
            LOG.info("The daemon tells again what is to be logged. Before: %s", self._failure)
            self._failure = None


class _Reading:
    """A thread that reads an answer to its end."""

    def __init__(self, stream, give, skipped, ends):
        self._stream = stream
        self._give = give
        self._skipped = skipped
        self._ends = ends
        self._finishing = False
        self._rest = set()
        self.has_ended = False
        self._thread = threading.Thread(target=self._run, name="sg-neutron-log-reader", daemon=True)

    def start(self):
        self._thread.start()

    def finish(self, grace=0.0):
        """Reads what comes within so many seconds and no more; returns the lines of that."""
        self._finishing = True
        time.sleep(grace)
        self._stream.shut()
        self._thread.join()
        return self._rest

    def _run(self):
        for text in self._stream.lines():
            if self._finishing:
                self._rest.add(text)
            if text in self._skipped:
                self._skipped.discard(text)
                continue
            try:
                self._give(json.loads(text))
            except Exception:
                # One line that is not understood costs no other.
                LOG.exception("A line of the daemon's could not be logged: %r", text)
        self._stream.close()
        self.has_ended = True
        self._ends()
