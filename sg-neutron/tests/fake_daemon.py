"""A daemon that takes transactions as the real one does, strictly, and filters nothing."""

import contextlib
import copy
import http.server
import json
import os
import queue
import re
import socketserver
import threading

KINDS = ("ports", "trusted", "security_groups", "members")
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
PORT = {
    "mac_address", "fixed_ips", "allowed_address_pairs", "security_groups", "port_security_enabled",
    "device_owner", "device", "name",
}  # fmt: skip
RULE = {
    "direction", "ethertype", "protocol", "port_range_min", "port_range_max", "source_port_range_min",
    "source_port_range_max", "remote_ip_prefix", "remote_group_id", "remote_address_group_id",
}  # fmt: skip


class Disk:
    """What outlives the daemon: its state, and the interfaces of the node."""

    def __init__(self):
        self.interfaces = set()
        self.lose()

    def lose(self):
        """The state is gone."""
        self.revision = 0
        self.session = None
        self.objects = {kind: {} for kind in KINDS}
        self.named = {kind: set() for kind in KINDS}


class FakeDaemon:
    """Answers at a socket until it is killed. `complaints` says what was wrong with requests."""

    def __init__(self, path, disk):
        self.disk = disk
        self.requests = []
        self.complaints = []
        self.faults = []
        self.outcomes = {}
        self.late = threading.Event()
        self.late.set()
        self.refusal = None
        self.streams = []
        if os.path.exists(path):
            os.unlink(path)
        self._server = _Server(path, self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def kill(self):
        self.late.set()
        self.hang_up()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, method, path, body):
        self.late.wait()
        self.requests.append((method, path, body))
        if self.refusal:
            return self.refusal
        match (method, path):
            case ("POST", "/v1/transactions"):
                return self._transaction(body)
            case ("GET", "/v1/transactions"):
                return 200, {"revision": self.disk.revision, "session": self.disk.session}
            case ("GET", "/v1/ports"):
                return 200, self._ports()
            case ("POST", "/v1/events"):
                return self._events(body)
        return 501, {"error": "this daemon has no such route"}

    def tell(self, **line):
        """Tells something to all who listen."""
        for stream in self.streams:
            stream.put(json.dumps(line).encode() + b"\n")

    def hang_up(self):
        """Ends all answers that go on."""
        for stream in self.streams:
            stream.put(None)
        self.streams = []

    def listeners(self):
        """What is asked for, by those who listen."""
        return [stream.body for stream in self.streams if not stream.gone]

    def _events(self, body):
        if set(body) - {"ports", "all", "rate", "burst"} or not body["ports"]:
            return self._complain(400, f"unknown fields, or nothing asked for: {body}")
        for port, actions in body["ports"].items():
            if not UUID.fullmatch(port) or not actions or set(actions) - {"ACCEPT", "DROP"}:
                return self._complain(400, f"ports: {port!r}: {actions!r}")
        stream = Stream(body)
        self.streams = [*self.streams, stream]
        return 200, stream

    def transactions(self):
        return [
            body for method, path, body in self.requests if (method, path) == ("POST", "/v1/transactions")
        ]

    def _ports(self):
        known = self.disk.objects["ports"] | self.disk.objects["trusted"]
        rows = [{"id": port, "interface": self._interface(port, known[port])} for port in known]
        return [row | ({"ifindex": 7} if row["interface"] in self.disk.interfaces else {}) for row in rows]

    def _interface(self, port, described):
        return described.get("device", f"tap{port[:11]}")

    def _transaction(self, body):
        wrong = _wrong(body)
        if wrong:
            return self._complain(400, wrong)
        disk = self.disk
        is_own = body["session"] == disk.session
        fits = (
            not is_own or body["complete"]
            if body["base"] is None
            else is_own and body["base"] == disk.revision
        )
        if not fits:
            return 409, {"error": f"in force is revision {disk.revision} of session {disk.session}"}
        named = {kind: set() for kind in KINDS} if body["base"] is None else copy.deepcopy(disk.named)
        objects = copy.deepcopy(disk.objects)
        for kind in KINDS:
            for key, value in body.get(kind, {}).items():
                named[kind].add(key)
                before = objects[kind].pop(key, None)
                if value is not None:
                    objects[kind][key] = _changed(before, value) if kind == "members" else value
            if body.get("complete") or body.get("reap"):
                objects[kind] = {key: value for key, value in objects[kind].items() if key in named[kind]}
        wrong = _dangling(objects)
        if wrong:
            return self._complain(400, wrong)
        changes = sum(disk.objects[kind] != objects[kind] for kind in KINDS)
        disk.objects, disk.named, disk.session = objects, named, body["session"]
        disk.revision += 1
        ports = {port: self.outcomes.get(port, {"state": "enforcing"}) for port in body.get("ports", {})}
        return 200, {"revision": disk.revision, "changes": changes, "ports": ports, "faults": self.faults}

    def _complain(self, status, wrong):
        self.complaints.append(wrong)
        return status, {"error": wrong}


def _wrong(body):
    """What is wrong with a transaction in itself."""
    if set(body) - {"session", "base", "complete", "reap", *KINDS}:
        return f"unknown fields: {sorted(body)}"
    if not UUID.fullmatch(body["session"]) or not isinstance(body["base"], int | None):
        return f"session or base: {body['session']!r}, {body['base']!r}"
    if body.get("reap") and (body["base"] is None or any(kind in body for kind in KINDS)):
        return "a reap builds on a base, and names nothing"
    for kind in KINDS:
        for key, value in body.get(kind, {}).items():
            if not UUID.fullmatch(key):
                return f"{kind}: {key!r} is no UUID"
            wrong = None if value is None else globals()[f"_wrong_in_{kind}"](value)
            if wrong:
                return f"{kind} {key}: {wrong}"
    return None


def _wrong_in_ports(port):
    if set(port) - PORT:
        return f"unknown fields: {sorted(set(port) - PORT)}"
    if not all(set(ip) == {"ip_address"} for ip in port["fixed_ips"]):
        return f"fixed_ips: {port['fixed_ips']}"
    if not all(set(pair) <= {"ip_address", "mac_address"} for pair in port["allowed_address_pairs"]):
        return f"allowed_address_pairs: {port['allowed_address_pairs']}"
    return None


def _wrong_in_trusted(port):
    return None if set(port) <= {"device"} else f"unknown fields: {sorted(port)}"


def _wrong_in_security_groups(group):
    if set(group) != {"stateful", "security_group_rules"} or not isinstance(group["stateful"], bool):
        return f"fields: {sorted(group)}"
    unknown = {field for rule in group["security_group_rules"] for field in rule} - RULE
    return f"unknown fields of rules: {sorted(unknown)}" if unknown else None


def _wrong_in_members(members):
    lists = [members] if isinstance(members, list) else list(members.values())
    if isinstance(members, dict) and set(members) != {"added", "removed"}:
        return f"fields: {sorted(members)}"
    return (
        None
        if all(isinstance(member, str) for each in lists for member in each)
        else f"no addresses: {members}"
    )


def _changed(before, members):
    """A list of members, or what has changed of the one before."""
    if isinstance(members, list):
        return members
    return sorted(set(before or ()) - set(members["removed"]) | set(members["added"]))


def _dangling(objects):
    """What an object names that is not there."""
    for port, described in objects["ports"].items():
        for group in described["security_groups"]:
            if group not in objects["security_groups"]:
                return f"port {port} names group {group}, which is not there"
    for group, described in objects["security_groups"].items():
        for rule in described["security_group_rules"]:
            remote = rule.get("remote_group_id") or rule.get("remote_address_group_id")
            if remote and remote not in objects["members"]:
                return f"group {group} names members of {remote}, which are not there"
    both = objects["ports"].keys() & objects["trusted"].keys()
    return f"ports that are trusted as well: {both}" if both else None


class Stream(queue.SimpleQueue):
    """The lines of an answer that goes on."""

    def __init__(self, body):
        self.body = body
        self.gone = False


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    # As when a process dies: nobody waits for answers under way.
    block_on_close = False

    def __init__(self, path, daemon):
        self.daemon = daemon
        super().__init__(path, _Handler)


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self._answer(None)

    def do_POST(self):
        self._answer(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

    def _answer(self, body):
        status, answer = self.server.daemon.answer(self.command, self.path, body)
        if isinstance(answer, Stream):
            self._stream(answer)
            return
        text = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        with contextlib.suppress(BrokenPipeError):
            self.end_headers()
            self.wfile.write(text)

    def _stream(self, stream):
        """As hyper does it: in chunks, and a reader that hangs up is noticed while nothing is told."""
        self.protocol_version = "HTTP/1.1"
        self.close_connection = True
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        threading.Thread(target=self._watch, args=(stream,), daemon=True).start()
        with contextlib.suppress(OSError):
            while (line := stream.get()) is not None:
                self.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))
        stream.gone = True

    def _watch(self, stream):
        with contextlib.suppress(OSError, ValueError):
            self.connection.recv(1)
        stream.gone = True
        stream.put(None)

    def log_message(self, *words):
        """Nothing: tests look at `requests`."""
