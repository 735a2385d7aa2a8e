"""Which log objects want what of the ports of this node."""

from neutron_lib.services.logapi import constants

ACTIONS = (constants.ACCEPT_EVENT, constants.DROP_EVENT)


class Logged:
    """The log objects that are in force, as the server describes them, and the ports that are here."""

    def __init__(self):
        self._here = set()
        # By id of the log object: its project, the actions that it wants, and its ports.
        self._logs = {}

    def plug(self, port):
        """A port is here."""
        self._here.add(port)

    def unplug(self, port):
        """A port is gone."""
        self._here.discard(port)
        self._withdraw(port)

    def port(self, port, logs):
        """These are all log objects of a port."""
        self._withdraw(port)
        for log in logs:
            _project, _actions, ports = self._logs.get(log["id"], (None, None, set()))
            self._logs[log["id"]] = (log["project_id"], _actions_of(log), ports | _ports_of(log))

    def log(self, log):
        """These are all ports of a log object."""
        self._logs[log["id"]] = (log["project_id"], _actions_of(log), _ports_of(log))

    def remove(self, log):
        """A log object is gone, or not in force."""
        self._logs.pop(log, None)

    def wanted(self):
        """What is wanted of the ports here, by port."""
        wanted = {}
        for _project, actions, ports in self._logs.values():
            for port in ports & self._here:
                wanted.setdefault(port, set()).update(actions)
        return {port: sorted(actions) for port, actions in sorted(wanted.items())}

    def of(self, port, action):
        """The log objects that want an action of a port: their ids by their projects."""
        found = {}
        for log, (project, actions, ports) in self._logs.items():
            if port in ports and action in actions:
                found.setdefault(project, []).append(log)
        return {project: sorted(ids) for project, ids in found.items()}

    def _withdraw(self, port):
        for _project, _actions, ports in self._logs.values():
            ports.discard(port)


def _actions_of(log):
    return set(ACTIONS) if log["event"] == constants.ALL_EVENT else {log["event"]}


def _ports_of(log):
    return {port["port_id"] for port in log.get("ports_log") or ()}
