"""What the log of the agent says, once each."""

import json

from oslo_log import log as logging

LOG = logging.getLogger(__name__)

# States of a port in which its rules, or nothing at all, decide; or which say that it is elsewhere.
_WELL = ("enforcing", "audit", "unfiltered", "elsewhere")


class Report:
    """Says a thing when it begins and when it ends, however often it is seen in between."""

    def __init__(self):
        self._failure = None
        self._faults = set()
        self._states = {}
        self._waiting = []
        self._said = set()

    def failed(self, error):
        """What was told is not known to be in force."""
        text = str(error)
        if text == self._failure:
            LOG.debug("Still: %s", text)
            return
        self._failure = text
        LOG.error("%s. What was enforced stays so; it is told again until the daemon takes it.", text)

    def succeeded(self):
        """What was told is in force."""
        if self._failure is not None:
            LOG.info("The daemon knows everything again. Before: %s", self._failure)
            self._failure = None

    def stale(self, error):
        """The daemon has something else than this driver has told it."""
        LOG.warning("%s. Everything is told again.", error)

    def waiting(self, ports):
        """Ports of a former run of the agent that have not been announced by this one."""
        if ports != self._waiting:
            self._waiting = ports
            LOG.info(
                "Ports with an interface here are still to be announced by the agent, and keep their filters "
                "until then: %s",
                ", ".join(ports),
            )

    def not_reaped(self, error):
        """What is left of a former run could not be removed yet."""
        self._once(("reap", str(error)), LOG.warning, "What a former run has told stays for now: %s", error)

    def not_trusted(self, port):
        """A port that was filtered, and of which the server tells no more, is not opened."""
        self._once(
            ("trusted", port),
            LOG.warning,
            "Port %s was filtered, and the server tells no more of it: it is not trusted, as the agent says",
            port,
        )

    def provider_rule(self, port, rule):
        """A rule of the provider's that the built-ins of the daemon do not cover."""
        text = json.dumps(rule, sort_keys=True, default=str)
        self._once(
            ("provider", text),
            LOG.warning,
            "Port %s: provider rule %s is none that the filter has built in, and is left out; write it as a "
            "rule of a security group",
            port,
            text,
        )

    def answer(self, answer, named, whole):
        """What the daemon could not apply, and which ports are not enforced.

        These are all faults of the objects that were `named`, by their ids; or all there are.
        """
        faults = {(_subject(fault), _fault(fault)) for fault in answer.get("faults") or ()}
        for _of, text in sorted(faults - self._faults):
            LOG.warning("The daemon reports: %s", text)
        others = () if whole else ((subject, text) for subject, text in self._faults if subject not in named)
        self._faults = faults.union(others)
        for port, outcome in (answer.get("ports") or {}).items():
            self._port(port, outcome or {})

    def _port(self, port, outcome):
        state = (outcome.get("state"), outcome.get("why"))
        if state[0] in _WELL or state[0] is None:
            if self._states.pop(port, None):
                LOG.info("Port %s is %s now", port, state[0] or "gone")
        elif self._states.get(port) != state:
            self._states[port] = state
            LOG.warning("Port %s is %s: %s", port, state[0], state[1] or "the daemon does not say why")

    def _once(self, key, log, *words):
        if key not in self._said:
            self._said.add(key)
            log(*words)


def _subject(fault):
    """The id of what a fault is about; of a rule it is its place in its group, and stands for none."""
    told = fault.get("object") if isinstance(fault, dict) else None
    return str(told.get("id")) if isinstance(told, dict) else ""


def _fault(fault):
    """A fault in one line: object, field, value, what is wrong, what was left out, what helps."""
    if not isinstance(fault, dict):
        return str(fault)
    told = fault.get("object")
    if isinstance(told, dict):
        told = " ".join(str(told[part]) for part in ("kind", "id", "name") if told.get(part)).replace(
            "_", " "
        )
    parts = [f"{told}: {fault.get('field')} {fault.get('value')} {fault.get('problem')}"]
    parts += [str(fault[field]).replace("_", " ") for field in ("effect", "advice") if fault.get(field)]
    return "; ".join(parts)
