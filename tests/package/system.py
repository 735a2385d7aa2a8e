"""A bare Debian that is booted in a container, with a network namespace of its own."""

import contextlib
import os
import pathlib
import shutil
import signal
import subprocess
import time

PACKAGES = "systemd,systemd-sysv,dbus,udev,kmod,iproute2,procps"

# Whether the container may write to /sys, and whose cgroups it sees: as on a node.
ENVIRONMENT = {"SYSTEMD_NSPAWN_API_VFS_WRITABLE": "1", "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"}


class System:
    """One of this release of Debian below a folder, which keeps what was downloaded."""

    def __init__(self, folder, suite):
        self.archive = folder / f"{suite}.tar"
        self.root = folder / suite
        self.log = folder / f"{suite}.log"
        self.container = None
        self.helpers = []
        folder.mkdir(parents=True, exist_ok=True)
        if not self.archive.exists():
            part = folder / f"{suite}.part.tar"
            command = ["mmdebstrap", "--quiet", "--variant=minbase", f"--include={PACKAGES}", suite, str(part)]
            subprocess.run(command, check=True)
            part.rename(self.archive)
        shutil.rmtree(self.root, ignore_errors=True)
        self.root.mkdir()
        subprocess.run(["tar", "-xf", self.archive, "-C", self.root], check=True)
        # A system that has never run.
        (self.root / "etc/machine-id").write_text("")

    def boot(self):
        """Returns when systemd says that all is up."""
        command = ["systemd-nspawn", "--boot", "--quiet", "-D", self.root, "--machine=sgd-package-test"]
        command += ["--private-network", "--register=no", "--keep-unit", "--capability=all", "--system-call-filter=bpf"]
        command += ["--console=pipe", "--bind=/dev/net/tun"]
        with open(self.log, "ab") as log:
            self.container = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **ENVIRONMENT},
                start_new_session=True,
            )
        wait("the system is up", lambda: self.run("systemctl", "is-system-running", check=False) == "running")
        # The kernel's place for a BPF file system, which nspawn's /sys lacks. It is left to be mounted.
        self.run("mkdir", "-p", "/sys/fs/bpf")

    def leader(self):
        """The first process of the system, as the host counts."""
        children = pathlib.Path(f"/proc/{self.container.pid}/task/{self.container.pid}/children")
        return int(children.read_text().split()[0])

    def enter(self, *kinds):
        """What a command begins with that is to run inside."""
        return ["nsenter", f"--target={self.leader()}", *[f"--{kind}" for kind in kinds], "--"]

    def run(self, *command, check=True):
        """What a command inside has printed."""
        try:
            inside = self.enter("mount", "uts", "ipc", "net", "pid")
        except (OSError, IndexError):
            return ""
        done = subprocess.run(
            [*inside, "env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND=noninteractive", *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        if check and done.returncode:
            raise SystemExit(f"`{' '.join(command)}` ended with {done.returncode}:\n{done.stdout}")
        return done.stdout.strip()

    def install(self, package):
        """Puts a package of the folder of root on it, or another version of it."""
        self.run("dpkg", "-i", f"/root/{package}")

    def is_active(self, service):
        return self.run("systemctl", "is-active", service, check=False) == "active"

    def shows(self, service, property):
        return self.run("systemctl", "show", f"--property={property}", "--value", service)

    def exposure(self, service):
        """What systemd thinks of how far it is locked in."""
        said = self.run("systemd-analyze", "security", service, "--no-pager", check=False)
        return said.splitlines()[-1].strip()

    def beside(self, script, *arguments):
        """A program of the host that runs in the network of the system."""
        script = pathlib.Path(__file__).with_name(script)
        process = subprocess.Popen(
            [*self.enter("net"), "python3", str(script), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.helpers.append(process)
        return process

    def path(self, inside):
        """A file of the running system, as the host sees it."""
        return f"/proc/{self.leader()}/root{inside}"

    def stop(self):
        """Shuts it down, and ends what runs beside it."""
        while self.helpers:
            self.helpers.pop().kill()
        if self.container is None or self.container.poll() is not None:
            return
        try:
            os.kill(self.leader(), signal.SIGRTMIN + 4)
            self.container.wait(30)
        except (OSError, IndexError, subprocess.TimeoutExpired):
            self.container.kill()
            self.container.wait()


def wait(what, is_so, patience=90):
    """Until it is so."""
    end = time.monotonic() + patience
    while not is_so():
        if time.monotonic() > end:
            raise SystemExit(f"not within {patience} s: {what}")
        time.sleep(0.05)


def expect(is_so, what):
    if not is_so:
        raise SystemExit(f"FAILED: {what}")
    print(f"  ok: {what}", flush=True)


@contextlib.contextmanager
def booted(folder, suite, *packages):
    """A system that is up, with packages in the folder of root; and their names."""
    system = System(pathlib.Path(folder), suite)
    for package in packages:
        shutil.copy(package, system.root / "root")
    try:
        print(f"{suite}:")
        system.boot()
        print(f"  {system.run('systemctl', '--version').splitlines()[0]}")
        yield system, *[pathlib.Path(package).name for package in packages]
    finally:
        system.stop()
        shutil.rmtree(system.root, ignore_errors=True)
