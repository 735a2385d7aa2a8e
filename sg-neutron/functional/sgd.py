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
    """`sgd run --transactions` in a network namespace, at `socket`."""

    def __init__(self, namespace):
        super().__init__()
        self._namespace = namespace
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
        state, pins = self._folder / "state", self._bpffs / "sg"
        files = ["--state", state, "--bpffs", pins, "--socket", self.socket]
        # Not `ip netns exec`, which would hide the BPF file system behind a /sys of its own.
        enter = ["nsenter", f"--net=/run/netns/{self._namespace}"]
        with open(self._folder / "sgd.log", "ab") as log:
            command = [*enter, program, "run", "--transactions", *files]
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        client, deadline = Client(self.socket, 5.0), time.monotonic() + STARTS_WITHIN
        while True:
            try:
                client.in_force()
                return
            except DaemonError as error:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    log = (self._folder / "sgd.log").read_text()
                    raise RuntimeError(f"sgd does not answer: {error}\n{log}") from error
            time.sleep(0.05)

    def kill(self):
        """Kills it."""
        if self._process:
            self._process.kill()
            self._process.wait()

    def lose(self):
        """Removes what it keeps on disk."""
        for kept in self._folder.glob("state*"):
            kept.unlink()
