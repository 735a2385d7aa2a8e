"""The Debian package sgd through the life of a node: `cargo xtask package-test` runs it.

    node.py FOLDER SUITE PACKAGE NEXT
"""

import contextlib
import http.client
import json
import pathlib
import signal
import socket
import sys
import time

from system import booted, expect, wait

PORT = "11111111-1111-4111-8111-111111111111"
GROUP = "5a000000-0000-4000-8000-000000000001"
TAP, MAC, ADDRESS = "tap11111111-11", "fa:16:3e:00:00:05", "10.0.0.5"
SOCKET = "/run/sgd/sgd.sock"
RULES = [
    {"direction": "egress", "ethertype": "IPv4"},
    {"direction": "ingress", "ethertype": "IPv4", "protocol": "udp", "port_range_min": 7, "port_range_max": 7},
]
TRANSACTION = {
    "session": "8d0f5a3e-3d0b-4a44-9a5e-5a8f5b2f7a10",
    "base": None,
    "complete": True,
    "ports": {PORT: {"mac_address": MAC, "fixed_ips": [ADDRESS], "security_groups": [GROUP]}},
    "security_groups": {GROUP: {"security_group_rules": RULES}},
}


def tell(system, transaction):
    """What the daemon answers a writer."""
    connection = http.client.HTTPConnection("sgd")
    connection.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.sock.connect(system.path(SOCKET))
    connection.request("POST", "/v1/transactions", json.dumps(transaction))
    answer = connection.getresponse()
    return answer.status, json.loads(answer.read())


class Machine:
    """The virtual machine at the tap, which is a port of the bridge br0."""

    def __init__(self, system, plugged=True):
        self.system = system
        self.process = system.beside("vm.py", TAP, MAC, ADDRESS)
        self.made = float(self.process.stdout.readline())
        if plugged:
            self.plug()

    def plug(self):
        for command in (
            "ip link add br0 type bridge",
            "ip addr add 10.0.0.1/24 dev br0",
            "ip link set br0 up",
            f"ip link set {TAP} master br0 up",
        ):
            self.system.run("sh", "-c", f"{command} 2>/dev/null || true")

    def seen(self):
        self.process.send_signal(signal.SIGUSR1)
        return json.loads(self.process.stdout.readline())

    def end(self):
        self.process.kill()
        self.process.wait()


@contextlib.contextmanager
def traffic(machine, what, passes=True):
    """Traffic goes on meanwhile: what is permitted all arrives, of what is refused nothing."""
    before = machine.seen()["refused"]
    stream = machine.system.beside("stream.py", ADDRESS)
    time.sleep(0.5)
    yield
    time.sleep(0.5)
    said = json.loads(stream.communicate()[0])
    refused = machine.seen()["refused"] - before
    told = f"{what}: {said['sent']} permitted, {said['lost']} lost; refused, {refused} passed"
    if passes:
        expect(said["sent"] > 50 and said["lost"] == 0 and refused == 0, told)
    else:
        expect(refused > 0, told)


def pid(system):
    return system.shows("sgd", "MainPID")


def installs(system, package):
    system.install(package)
    wait("sgd is active", lambda: system.is_active("sgd"))


def life(system, first, next_one):
    installs(system, first)
    expect(system.is_active("sgd"), "installed and started, with nothing but the package")
    expect("type bpf" in system.run("mount"), "the BPF file system is mounted")
    owner = system.run("stat", "-c", "%a %U %G", SOCKET)
    expect(owner == "660 root sgd", f"the socket is {owner}")
    said = system.run("sgd", "config", "check")
    expect("nothing is wrong" in said, said)
    print(f"  {system.exposure('sgd')}")

    machine = Machine(system)
    status, answer = tell(system, TRANSACTION)
    state = answer.get("ports", {}).get(PORT)
    expect(status == 200 and state["state"] == "enforcing", f"a port is added: {state}")
    journal = system.run("journalctl", "-u", "sgd", "-o", "cat", "--no-pager")
    expect("asked for POST /v1/transactions" in journal, "the log says who asked for it")
    status = system.shows("sgd", "StatusText")
    with traffic(machine, "nothing happens"):
        time.sleep(6)
    status = system.shows("sgd", "StatusText")
    expect("1 enforcing" in status, f"systemd says: {status}")

    before = pid(system)
    with traffic(machine, "upgraded"):
        installs(system, next_one)
    expect(pid(system) != before, "another process of the new version")
    before = pid(system)
    with traffic(machine, "killed (SIGKILL)"):
        system.run("systemctl", "kill", "--signal=KILL", "sgd")
        wait("sgd is there again", lambda: pid(system) not in ("0", before) and system.is_active("sgd"))
    before = pid(system)
    system.run("sh", "-c", "mkdir -p /run/systemd/system/sgd.service.d; printf '[Service]\\nWatchdogSec=3\\n' > /run/systemd/system/sgd.service.d/test.conf; systemctl daemon-reload; systemctl restart sgd")
    before = pid(system)
    with traffic(machine, "hung (SIGSTOP), ended by the watchdog"):
        system.run("systemctl", "kill", "--signal=STOP", "sgd")
        wait("the watchdog starts another", lambda: pid(system) not in ("0", before) and system.is_active("sgd"))
    system.run("sh", "-c", "rm -r /run/systemd/system/sgd.service.d; systemctl daemon-reload; systemctl restart sgd")
    with traffic(machine, "stopped"):
        system.run("systemctl", "stop", "sgd")
        time.sleep(2)
    system.run("systemctl", "start", "sgd")


def pins(system):
    """What is pinned or marked at hooks that frames to a machine pass, by the interfaces' numbers."""
    folder = pathlib.Path(system.path("/sys/fs/bpf/sg"))
    return {pin.name for pin in folder.glob("v*/links/*-to_vm*") if not pin.name.endswith("-fresh")}


def reborn(system, machine):
    """The tap is made anew, again and again, while the daemon is away."""
    system.run("systemctl", "stop", "sgd")
    times = []
    for _ in range(10):
        machine.end()
        before = pins(system)
        machine = Machine(system, plugged=False)
        while pins(system) == before:
            if time.monotonic() > machine.made + 10:
                raise SystemExit("FAILED: udev has not closed the tap")
            time.sleep(0.0002)
        times.append((time.monotonic() - machine.made) * 1000)
    times.sort()
    print(f"  closed by udev after {times[0]:.0f} to {times[-1]:.0f} ms, half of ten times within {times[5]:.0f} ms")
    machine.plug()
    stream = system.beside("stream.py", ADDRESS)
    time.sleep(1)
    said = json.loads(stream.communicate()[0])
    expect(said["lost"] == said["sent"] > 0 and machine.seen() == {"echoed": 0, "refused": 0}, f"closed: {said}")
    system.run("systemctl", "start", "sgd")
    with traffic(machine, "adopted by the next daemon"):
        pass
    return machine


def removal(system, machine, package):
    with traffic(machine, "removed"):
        said = system.run("dpkg", "--remove", "sgd")
        time.sleep(1)
    expect("the filters stay in force" in said and "sgd detach" in said, "the removal says so, and what opens ports")
    with traffic(machine, "opened as the removal says", passes=False):
        system.run("rm", "-r", "/sys/fs/bpf/sg")
    installs(system, package)
    with traffic(machine, "installed again: what transactions have told is in force"):
        pass
    system.run("sh", "-c", "echo 'sgd sgd/detach boolean true' | debconf-set-selections")
    said = system.run("dpkg", "--remove", "sgd")
    with traffic(machine, "removed with the answer to open ports", passes=False):
        expect("every port is open" in said, "the filters are taken off")
    system.run("dpkg", "--purge", "sgd")
    left = system.run("sh", "-c", "ls -d /etc/sgd /var/lib/sgd /usr/sbin/sgd 2>/dev/null; true")
    expect(left == "", f"purged, nothing is left: {left!r}")


def main():
    with booted(*sys.argv[1:]) as (system, first, next_one):
        life(system, first, next_one)
        system.stop()
        system.boot()
        wait("sgd is active", lambda: system.is_active("sgd"))
        expect(system.is_active("sgd"), "booted again: sgd is there by itself")
        machine = Machine(system)
        time.sleep(1)
        with traffic(machine, "the tap is there again after the boot"):
            pass
        machine = reborn(system, machine)
        removal(system, machine, next_one)


if __name__ == "__main__":
    main()
