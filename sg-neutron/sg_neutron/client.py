"""The daemon's HTTP interface over its unix socket."""

import contextlib
import http.client
import json
import os
import socket
import stat
import struct

_CREDENTIALS = struct.Struct("3i")  # struct ucred: pid, uid, gid


class DaemonError(Exception):
    """The daemon has not done what it was asked to. The text says why, and what helps."""


class Stale(DaemonError):
    """The daemon builds on something else than the transaction does; it has changed nothing."""


class Client:
    """Asks the daemon behind a socket. Every request is a connection of its own."""

    def __init__(self, path, timeout):
        self._path = path
        self._timeout = timeout

    def apply(self, transaction):
        """Sends a transaction, and returns the answer when the kernel enforces it.

        Raises `Stale` or `DaemonError`; after one without an answer it may still have been applied.
        """
        answer = self._ask("POST", "/v1/transactions", dict, transaction)
        if not isinstance(answer.get("revision"), int):
            raise DaemonError(_other_version(self._path, "its answer to a transaction has no revision"))
        return answer

    def in_force(self):
        """The session and the revision that are in force."""
        answer = self._ask("GET", "/v1/transactions", dict)
        return answer.get("session"), answer.get("revision")

    def status(self):
        """How the daemon is doing (`StatusView`)."""
        return self._ask("GET", "/v1/status", dict)

    def ports_here(self):
        """The ids of the ports that have their interface on this node, and that the daemon knows."""
        rows = self._ask("GET", "/v1/ports", list)
        return {row["id"] for row in rows if row.get("ifindex") is not None and row.get("id")}

    def listen(self, request):
        """Has the daemon tell what a request for events asks for: a `Stream`, from when it tells."""
        connection = _Connection(self._path, self._timeout)
        with contextlib.ExitStack() as refused:
            refused.callback(connection.close)
            with self._explained():
                response = self._request(connection, "POST", "/v1/events", request)
                answer = None if response.status == 200 else response.read()
            if answer is not None:
                self._read(response.status, answer, dict)
            refused.pop_all()
        return Stream(connection, response)

    def _ask(self, method, path, expected, body=None):
        with contextlib.closing(_Connection(self._path, self._timeout)) as connection, self._explained():
            response = self._request(connection, method, path, body)
            status, answer = response.status, response.read()
        return self._read(status, answer, expected)

    def _request(self, connection, method, path, body):
        text = None if body is None else _text(body)
        connection.request(method, path, text, {"Content-Type": "application/json"} if text else {})
        return connection.getresponse()

    @contextlib.contextmanager
    def _explained(self):
        """Says why the daemon could not be asked, and what helps."""
        try:
            yield
        except TimeoutError as error:
            raise DaemonError(
                f"the daemon at {self._path} has not answered within {self._timeout:g} s; "
                "if that happens again, see its log, or raise [ebpf] timeout"
            ) from error
        except FileNotFoundError as error:
            raise DaemonError(f"no daemon: {self._path} does not exist; start sgd --transactions") from error
        except PermissionError as error:
            raise DaemonError(
                f"the agent may not connect to {self._path}; let it belong to a group of the agent's user"
            ) from error
        except (OSError, http.client.HTTPException) as error:
            raise DaemonError(
                f"no daemon answers at {self._path}: {error!r}; start sgd --transactions"
            ) from error

    def _read(self, status, text, expected):
        try:
            answer = json.loads(text)
        except ValueError:
            answer = None
        match status:
            case 200 if isinstance(answer, expected):
                return answer
            case 409:
                raise Stale(f"the daemon at {self._path} refuses to build on this: {_reason(answer)}")
            case 404 | 405 | 501 | 200:
                raise DaemonError(_other_version(self._path, f"it answers {status}: {_reason(answer)}"))
            case _:
                raise DaemonError(f"the daemon at {self._path} answers {status}: {_reason(answer)}")


class Stream:
    """An answer that goes on for as long as it is read, line by line."""

    def __init__(self, connection, response):
        self._connection = connection
        self._response = response
        self._socket = connection.sock
        # However long nothing happens.
        self._socket.settimeout(None)

    def lines(self):
        """The lines, until the daemon ends, or `shut` was called and all is read that had come."""
        try:
            yield from self._response
        except (OSError, http.client.HTTPException, ValueError):
            # The daemon has died in the middle of a line. `ValueError` is what the parser of chunks says.
            return

    def shut(self):
        """Lets nothing more come."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self):
        self._response.close()
        self._connection.close()


class _Connection(http.client.HTTPConnection):
    """HTTP over a unix socket whose owner may be trusted."""

    def __init__(self, path, timeout):
        super().__init__("sgd", timeout=timeout)
        self._path = path

    def connect(self):
        _require_owner(self._path, os.stat(self._path))
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)
        credentials = self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        pid, listener, _group = _CREDENTIALS.unpack(credentials)
        if not _is_trusted(listener):
            raise DaemonError(_untrusted(f"the process {pid} that listens at {self._path}", listener))


def _text(body):
    """The daemon compares objects as they are written, so the same object is written in the same way."""
    return json.dumps(body, separators=(",", ":"), sort_keys=True)


def _require_owner(path, status):
    if not stat.S_ISSOCK(status.st_mode):
        raise DaemonError(f"{path} is no socket; set [ebpf] socket to the one of sgd")
    if not _is_trusted(status.st_uid):
        raise DaemonError(_untrusted(path, status.st_uid))


def _is_trusted(user):
    return user in (0, os.geteuid())


def _untrusted(what, user):
    return (
        f"{what} belongs to user {user}, and neither to root nor to the agent's user {os.geteuid()}: "
        "nothing is told there; remove it, and start sgd"
    )


def _other_version(path, what):
    return f"the daemon at {path} is of another version: {what}; install sgd and sg-neutron of one release"


def _reason(answer):
    """The daemon's own words (`ErrorView`): what is wrong, then what helps."""
    if not isinstance(answer, dict):
        return "nothing that can be read"
    subject = " ".join(str(answer[field]) for field in ("object", "field", "value") if answer.get(field))
    words = f"{subject}: {answer.get('error')}" if subject else str(answer.get("error"))
    return f"{words} ({answer['hint']})" if answer.get("hint") else words
