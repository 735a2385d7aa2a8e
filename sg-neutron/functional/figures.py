"""What telling a node costs, beside Neutron's own iptables driver on the same node.

`unshare --net --mount python -m functional.figures [ROW…]`, with the folder of an optimised `sgd` in
`SG_BIN_DIR`. Prints a table; times are medians of what the agent's calls to the driver take, until the
driver returns and the kernel enforces.
"""

import contextlib
import json
import os
import pathlib
import statistics
import subprocess
import sys
import threading
import time
import traceback
import uuid

from functional.isolated import isolated

RULES = 100


def main(names):
    rows = {"rule": rule, "member": member, "again": again, "memory": memory, "taps": taps}
    for name in names or rows:
        for line in rows[name]():
            print(line, flush=True)


def rule():
    """One rule more in a group of 200 ports with 100 rules."""
    seconds = {}
    for driver in ("iptables_hybrid", "ebpf"):
        with _node(driver, ports=200) as node:
            node.agent.iterate()
            seconds[driver] = node.median(7 if driver == "ebpf" else 3, node.add_rule)
    seconds["sgctl apply"] = _applied(200)
    ours = seconds["ebpf"]
    yield f"one rule more, 200 ports x {RULES} rules: {_ms(ours)}"
    for other, target in (("iptables_hybrid", 500), ("sgctl apply", 20)):
        yield f"  {other}: {_ms(seconds[other])}, 1/{seconds[other] / ours:.0f} (target 1/{target})"


def member():
    """One member more in a group of 10,000, and of 10, that 200 ports name."""
    seconds = {}
    for members in (10, 10_000):
        with _node("ebpf", ports=200, members=members) as node:
            node.agent.iterate()
            seconds[members] = node.median(9, node.add_member)
            writes = max(node.changes[-9:])
    with _node("iptables_hybrid", ports=200, members=10_000) as node:
        node.agent.iterate()
        theirs = node.median(3, node.add_member)
    few, many = seconds.values()
    yield f"one member more in a group of 10,000 that 200 ports name: {_ms(many)}, {writes} writes"
    yield f"  in a group of 10: {_ms(few)}, x {many / few:.2f} (target 1.5)"
    yield f"  iptables_hybrid: {_ms(theirs)}, 1/{theirs / many:.0f}"


def again():
    """The agent starts again and says the same."""
    seconds = {}
    for driver in ("iptables_hybrid", "ebpf"):
        with _node(driver, ports=500) as node:
            node.agent.iterate()
            first = node.seconds[-1]
            node.changes.clear()
            node.restart()
            seconds[driver] = (first, node.median(1, lambda: None))
            writes = sum(node.changes)
    first, second = seconds["ebpf"]
    theirs = seconds["iptables_hybrid"]
    yield f"500 ports x {RULES} rules announced again: {_ms(second)}, {writes} writes (target 0)"
    yield f"  announced first: {_ms(first)}, 1/{first / second:.0f} (target 1/10)"
    yield f"  iptables_hybrid: first {_ms(theirs[0])}, again {_ms(theirs[1])}"


def memory():
    """What the daemon takes."""
    with _node("ebpf", ports=500) as node:
        node.agent.iterate()
        now, most = node.sgd.memory()
    yield f"memory, 500 ports x {RULES} rules: {_mb(now)}, at most {_mb(most)} (target 77 MB)"
    with _daemon(_inventory(1, 100_000)) as sgd:
        now, most = sgd.memory()
    yield f"memory, 100,000 members as ports: {_mb(now)}, at most {_mb(most)} (target 134 MB)"


def taps():
    """A tap comes while an inventory with 100,000 members is applied again and again; others are there.

    A program is in force at a hook before the kernel's call returns, which waits for the readers of what was
    there (`tcx_entry_sync`), 12 ms on an idle machine: when the first link is pinned, the second is in force.
    """
    first, second = _inventory(60, 100_000), _inventory(60, 100_000, more=1)
    closed, enforced = [], []
    with _daemon(first) as sgd:
        _ip("-n", sgd.namespace, "tuntap", "add", _tap(59), "mode", "tap")
        _until_enforcing(sgd, _tap(59))
        stop = threading.Event()
        applied = threading.Thread(target=_apply_until, args=(stop, sgd, [second, first]))
        applied.start()
        for number in range(59):
            time.sleep(0.1)
            _ip("-n", sgd.namespace, "tuntap", "add", _tap(number), "mode", "tap")
            plugged = time.monotonic()
            ifindex = int(_ip("-n", sgd.namespace, "-o", "link", "show", _tap(number)).split(":")[0])
            while not any(sgd.pins.glob(f"{ifindex}-*")):
                time.sleep(0.0002)
            shut = time.monotonic()
            _until_enforcing(sgd, _tap(number))
            closed.append(shut - plugged)
            enforced.append(time.monotonic() - shut)
        stop.set()
        applied.join()
    for what, times, target in (("plugged to closed", closed, 10), ("closed to enforcing", enforced, 50)):
        times.sort()
        yield (
            f"a tap during an apply with 100,000 members, {what}: median {_ms(statistics.median(times))}, "
            f"most of {len(times)} {_ms(times[-1])} (target p99 {target} ms)"
        )


class _Node:
    """An agent on a node, with a driver; what its blocks took, and what they wrote."""

    def __init__(self, cloud, group, remote, plugged, sgd):
        self.cloud, self.sgd = cloud, sgd
        self.seconds, self.changes = [], []
        self._group, self._remote, self._plugged = group, remote, plugged
        self.restart()

    def restart(self):
        from tests.agent import Agent

        self.agent = Agent(self.cloud, self._plugged)
        self._time(self.agent.driver)

    def add_rule(self):
        _add_rule(self.cloud, self._group, len(self.cloud.groups[self._group]["rules"]))
        self.agent.rpc.security_groups_rule_updated([self._group])

    def add_member(self):
        self.cloud.add_port([self._remote], number=len(self.cloud.ports_by_id), network=1)
        self.agent.rpc.security_groups_member_updated([self._remote])

    def median(self, times, change):
        seconds = []
        for _ in range(times):
            change()
            self.agent.iterate()
            if self.agent.errors:
                raise self.agent.errors[0]
            seconds.append(self.seconds[-1])
        return statistics.median(seconds)

    def _time(self, driver):
        begin, end = driver.filter_defer_apply_on, driver.filter_defer_apply_off

        def on():
            self._begun = time.monotonic()
            begin()

        def off():
            end()
            self.seconds.append(time.monotonic() - self._begun)

        driver.filter_defer_apply_on, driver.filter_defer_apply_off = on, off


@contextlib.contextmanager
def _node(driver, ports, members=0):
    from neutron import privileged
    from neutron.conf.agent import common, securitygroups_rpc
    from oslo_config import cfg

    from functional.sgd import Sgd
    from sg_neutron import client, options
    from tests.cloud import Cloud

    # What it does as root it does here, and not by way of sudo.
    privileged.default.set_client_mode(False)
    securitygroups_rpc.register_securitygroups_opts()
    common.register_root_helper(cfg.CONF)
    options.register(cfg.CONF)
    cfg.CONF([], project="neutron")
    cfg.CONF.set_override("firewall_driver", driver, "SECURITYGROUP")
    cfg.CONF.set_override("lock_path", os.environ["OS_LOG_PATH"], "oslo_concurrency")
    cfg.CONF.set_override("root_helper", os.environ["OS_ROOTWRAP_CMD"], "AGENT")
    cloud = Cloud()
    group, remote = cloud.add_group(), cloud.add_group()
    for number in range(RULES):
        _add_rule(cloud, group, number)
    if members:
        cloud.add_rule(group, remote_group_id=remote)
    plugged = {cloud.add_port([group], number=number) for number in range(ports)}
    for number in range(members):
        cloud.add_port([remote], number=ports + number)
    with contextlib.ExitStack() as stack:
        sgd = None
        if driver == "ebpf":
            namespace = stack.enter_context(_namespace(f"tap{port[:11]}" for port in plugged))
            sgd = stack.enter_context(Sgd(namespace))
            cfg.CONF.set_override("socket", sgd.socket, options.GROUP)
            cfg.CONF.set_override("timeout", 60.0, options.GROUP)
        node = _Node(cloud, group, remote, plugged, sgd)
        apply = client.Client.apply

        def recorded(*arguments):
            answer = apply(*arguments)
            node.changes.append(answer["changes"])
            return answer

        client.Client.apply = recorded
        stack.callback(setattr, client.Client, "apply", apply)
        if driver == "ebpf":
            stack.callback(lambda: node.agent.driver._keeper.stop())
        yield node


@contextlib.contextmanager
def _daemon(inventory):
    from functional.sgd import Sgd

    with _namespace(()) as namespace, Sgd(namespace, inventory) as sgd:
        sgd.namespace = namespace
        yield sgd


@contextlib.contextmanager
def _namespace(taps):
    name = f"sg-{uuid.uuid4()}"
    _ip("netns", "add", name)
    try:
        _ip("-n", name, "-batch", "-", input="".join(f"tuntap add {tap} mode tap\n" for tap in taps))
        yield name
    finally:
        _ip("netns", "del", name)


def _applied(ports):
    """Seconds of `sgctl apply` with one rule more."""
    seconds = []
    with _namespace(map(_tap, range(ports))) as namespace:
        from functional.sgd import Sgd

        with Sgd(namespace, _inventory(ports, 0)) as sgd:
            for number in range(5):
                begun = time.monotonic()
                _apply(sgd, _inventory(ports, 0, more=1 + number))
                seconds.append(time.monotonic() - begun)
    return statistics.median(seconds)


def _apply_until(stop, sgd, inventories):
    while not stop.is_set():
        for inventory in inventories:
            _apply(sgd, inventory)


def _apply(sgd, inventory):
    file = pathlib.Path(sgd.socket).parent / "given.json"
    file.write_text(inventory)
    sgctl = pathlib.Path(os.environ["SG_BIN_DIR"], "sgctl")
    subprocess.run(
        [sgctl, "--socket", sgd.socket, "apply", "-f", file], check=True, stdout=subprocess.DEVNULL
    )


def _until_enforcing(sgd, tap):
    from sg_neutron.client import Client

    client = Client(sgd.socket, 30.0)
    while client._ask("GET", f"/v1/ports/{tap}", dict)["state"] != "enforcing":
        time.sleep(0.001)


def _inventory(here, elsewhere, more=0):
    """Ports with taps, in a group of 100 rules for itself and for members that are ports of other nodes."""
    servers, members = (str(uuid.UUID(int=number, version=4)) for number in (1, 2))

    def port(number, group, octet):
        return {
            "id": _port_id(number),
            "mac_address": f"fa:16:3e:{number >> 16:02x}:{number >> 8 & 255:02x}:{number & 255:02x}",
            "fixed_ips": [{"ip_address": f"10.{octet + (number >> 16)}.{number >> 8 & 255}.{number & 255}"}],
            "security_groups": [group],
        }

    rules = [
        {
            "direction": "ingress",
            "protocol": "tcp",
            "port_range_min": 1000 + place,
            "port_range_max": 1000 + place,
        }
        for place in range(RULES + more)
    ]
    rules.append({"direction": "ingress", "remote_group_id": members})
    ports = [port(number, servers, 1) for number in range(here)]
    ports += [port(here + number, members, 100) for number in range(elsewhere)]
    groups = [{"id": servers, "security_group_rules": rules}, {"id": members, "security_group_rules": []}]
    return json.dumps({"ports": ports, "security_groups": groups})


def _tap(number):
    return f"tap{_port_id(number)[:11]}"


def _port_id(number):
    return str(uuid.UUID(int=number << 96 | 1, version=4))


def _add_rule(cloud, group, number):
    cloud.add_rule(group, protocol="tcp", port_range_min=1000 + number, port_range_max=1000 + number)


def _ip(*words, input=None):
    done = subprocess.run(["ip", *words], check=True, capture_output=True, text=True, input=input)
    return done.stdout


def _ms(seconds):
    return f"{seconds * 1e3:.1f} ms"


def _mb(size):
    return f"{size / 1e6:.0f} MB"


if __name__ == "__main__":
    status = 1
    try:
        with isolated():
            main(sys.argv[1:])
        status = 0
    except Exception:
        traceback.print_exc()
    sys.stdout.flush()
    # The threads of Neutron's iptables driver never end.
    os._exit(status)
