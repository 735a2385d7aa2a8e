"""A real daemon for a test."""

import os
import pathlib
import subprocess
import time

import fixtures

from sg_neutron.client import Client, DaemonError

# On a busy machine: it has its programs verified.
STARTS_WITHIN = 60.0


class Sgd(fixtures.Fixture):
    """`sgd run` in a network namespace, at `socket`: told by transactions, or an inventory's text."""

    def __init__(self, namespace, inventory=None, settings=""):
        super().__init__()
        self._namespace = namespace
        self._settings = settings
        self._inventory = inventory
        self._process = None
        self.socket = None

    def _setUp(self):
        folder = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        self._folder, self._bpffs = folder, folder / "bpf"
        self._bpffs.mkdir()
        subprocess.run(["mount", "-t", "bpf", "bpf", self._bpffs], check=True)
        self.addCleanup(subprocess.run, ["umount", self._bpffs], check=True)
        self.socket = str(folder / "sgd.sock")
        self.addCleanup(self.kill)
        self.start()

    def start(self):
        """Starts it, and waits until it answers."""
        program = pathlib.Path(os.environ["SG_BIN_DIR"], "sgd")
        source = ["--transactions", "--state", self._folder / "state"]
        if self._inventory is not None:
            file = self._folder / "inventory.json"
            file.write_text(self._inventory)
            source = ["--inventory", file]
        settings = self._folder / "settings.toml"
        settings.write_text(self._settings)
        # Not `ip netns exec`, which would hide the BPF file system behind a /sys of its own.
        enter = ["nsenter", f"--net=/run/netns/{self._namespace}"]
        with open(self._folder / "sgd.log", "ab") as log:
            files = ["--bpffs", self._bpffs / "sg", "--socket", self.socket, "--settings", settings]
            command = [*enter, program, "run", *source, *files]
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        client, deadline = Client(self.socket, 5.0), time.monotonic() + STARTS_WITHIN
        while True:
            try:
                client.status()
                return
            except DaemonError as error:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    log = (self._folder / "sgd.log").read_text()
                    raise RuntimeError(f"sgd does not answer: {error}\n{log}") from error
            time.sleep(0.05)

    @property
    def pins(self):
        """Where its links are pinned."""
        return next((self._bpffs / "sg").glob("v*")) / "links"

    def memory(self):
        """What of it is in memory, and what was at most: bytes."""
        status = pathlib.Path("/proc", str(self._process.pid), "status").read_text()
        fields = dict(line.split(":", 1) for line in status.splitlines())
        return [int(fields[field].split()[0]) << 10 for field in ("VmRSS", "VmHWM")]

    def kill(self):
        """Kills it."""
        if self._process:
            self._process.kill()
            self._process.wait()

    def lose(self):
        """Removes what it keeps on disk."""
        for kept in self._folder.glob("state*"):
            kept.unlink()
