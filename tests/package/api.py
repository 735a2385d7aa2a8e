"""The Debian package sgapi through the life of a host of the API: `cargo xtask package-test` runs it.

    api.py FOLDER SUITE PACKAGE NEXT SGD
"""

import json
import subprocess
import sys
import time

from system import booted, expect, wait

HERE = "http://127.0.0.1:9696"
# This host, outside of the loopback.
ADDRESS = "192.0.2.1"
OUTSIDE = f"https://{ADDRESS}:9696"
ENVIRONMENT = "/etc/sgapi/sgapi.env"
DROP_IN = "/etc/systemd/system/sgapi.service.d"
HOST = "compute-1"


def ask(system, method, url, body=None):
    """Status and answer; no status if there is no answer."""
    process = system.beside("ask.py", method, url, *([] if body is None else [json.dumps(body)]))
    return json.loads(process.communicate()[0]) or (None, None)


def groups(system, url=HERE):
    _, answer = ask(system, "GET", f"{url}/v2.0/security-groups")
    return {group["name"] for group in (answer or {}).get("security_groups", [])}


def make(system, kind, body, url=HERE):
    status, answer = ask(system, "POST", f"{url}/v2.0/{kind}s", {kind.replace("-", "_"): body})
    expect(status == 201, f"made over {url}: {kind} {body}")
    return answer[kind.replace("-", "_")]["id"]


def starts(system, what):
    """It is there again, with what it was told, in another process."""
    wait("sgapi is active", lambda: system.is_active("sgapi"))
    expect("web" in groups(system), what)


def configure(system, *lines):
    """What an operator writes at the end of the file."""
    system.run("sh", "-c", f"printf '%s\\n' {' '.join(lines)} >> {ENVIRONMENT}")


def restore(system, text):
    (system.root / ENVIRONMENT[1:]).write_text(text + "\n")


def life(system, first, next_one):
    system.install(first)
    wait("sgapi is active", lambda: system.is_active("sgapi"))
    expect(system.is_active("sgapi"), "installed and started, with nothing but the package")
    pid = system.shows("sgapi", "MainPID")
    status = dict(line.split(":\t", 1) for line in system.run("cat", f"/proc/{pid}/status").splitlines())
    rights = {status[f"Cap{kind}"].strip("0") for kind in ("Inh", "Prm", "Eff", "Bnd", "Amb")}
    expect(status["Uid"].split("\t")[0] != "0" and rights == {""}, "it is not root, and has no capability")
    print(f"  {system.exposure('sgapi')}")
    make(system, "security-group", {"name": "web"})
    said = system.run("stat", "-c", "%a %U", "/var/lib/sgapi", "/var/lib/sgapi/state.redb")
    expect(said == "750 sgapi\n600 sgapi", f"its store is its own: {said.split()}")
    warned = system.run("journalctl", "-u", "sgapi", "-o", "cat", "-p", "warning", "--no-pager")
    expect(warned in ("", "-- No entries --"), f"nothing to warn of: {warned!r}")

    system.install(next_one)
    expect(system.shows("sgapi", "MainPID") != pid, "upgraded: another process")
    starts(system, "with what it was told")
    pid = system.shows("sgapi", "MainPID")
    system.run("systemctl", "kill", "--signal=KILL", "sgapi")
    wait("another process", lambda: system.shows("sgapi", "MainPID") not in ("0", pid))
    starts(system, "killed: there again, with what it was told")
    system.run("systemctl", "stop", "sgapi")
    expect(system.shows("sgapi", "Result") == "success", "stopped in order")


def fleet(system):
    """etcd on another host, whom the unit does not let it reach."""
    for command in (
        "ip link add out type veth peer name beyond",
        "ip link set beyond up",
        "ip link set out up",
        f"ip addr add {ADDRESS}/24 dev out",
    ):
        system.run(*command.split())
    system.run("sed", "-i", "s/^SGAPI_STORE/#&/", ENVIRONMENT)
    configure(system, "SGAPI_ETCD=http://192.0.2.11:2379")
    system.run("systemctl", "restart", "sgapi", check=False)
    wait("it tries again", lambda: system.shows("sgapi", "NRestarts") not in ("0", ""))
    said = system.run("journalctl", "-u", "sgapi", "-o", "cat", "--no-pager")
    said = [line for line in said.splitlines() if "does not answer" in line]
    expect(said and "IPAddressAllow=" in said[0], f"etcd elsewhere is not reached, and tried again: {said[:1]}")
    system.run("systemctl", "stop", "sgapi")


def outside(system):
    """As docs/api.md has an operator do it, for clients of other hosts."""
    configure(system, "SGAPI_LISTEN=0.0.0.0:9696")
    system.run("systemctl", "start", "sgapi", check=False)
    time.sleep(5)
    ended = [system.shows("sgapi", what) for what in ("ExecMainStatus", "NRestarts")]
    expect(ended == ["2", "0"], f"others may reach it, and nothing protects it: not started, and not tried again {ended}")
    certificate = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=api", "-days", "1"]
    files = [system.root / "root" / name for name in ("key.pem", "cert.pem")]
    subprocess.run([*certificate, "-keyout", files[0], "-out", files[1]], check=True, stderr=subprocess.DEVNULL)
    for command in (
        "install -m 640 -g sgapi /dev/null /etc/sgapi/htpasswd",
        "echo secret | sgapi passwd /etc/sgapi/htpasswd ada",
        "install -m 644 /root/cert.pem /etc/sgapi/cert.pem",
        "install -m 640 -g sgapi /root/key.pem /etc/sgapi/key.pem",
    ):
        system.run("sh", "-c", command)
    files = ("HTPASSWD=/etc/sgapi/htpasswd", "TLS_CERT=/etc/sgapi/cert.pem", "TLS_KEY=/etc/sgapi/key.pem")
    configure(system, *[f"SGAPI_{line}" for line in files])
    system.run("systemctl", "restart", "sgapi")
    expect(ask(system, "GET", OUTSIDE) == (None, None), "nobody from outside is answered without a drop-in")
    system.run("mkdir", DROP_IN)
    system.run("cp", "/usr/share/doc/sgapi/examples/network.conf", DROP_IN)
    system.run("sed", "-i", "s/^#IPAddressAllow=/IPAddressAllow=/", f"{DROP_IN}/network.conf")
    system.run("sh", "-c", "systemctl daemon-reload && systemctl restart sgapi")
    status, _ = ask(system, "GET", f"{OUTSIDE}/v2.0/security-groups")
    expect(status == 401, f"with it, they are asked for a password: {status}")
    let_in = groups(system, OUTSIDE.replace("//", "//ada:secret@"))
    expect("web" in let_in, f"and with the password let in: {let_in}")


def node(system, sgd):
    """On a node: sgd is told what the store has for it."""
    system.install(sgd)
    wait("sgd is active", lambda: system.is_active("sgd"))
    system.run("usermod", "--append", "--groups", "sgd", "sgapi")
    configure(system, "SGAPI_NODE=/run/sgd/sgd.sock", f"SGAPI_HOST={HOST}")
    system.run("systemctl", "restart", "sgapi")
    network = make(system, "network", {"name": "n"})
    make(system, "subnet", {"network_id": network, "ip_version": 4, "cidr": "10.0.0.0/24"})
    port = make(system, "port", {"network_id": network, "binding:host_id": HOST})
    wait("sgd knows the port", lambda: port in system.run("sgctl", "list", "ports", "-o", "json", check=False))
    expect(port in system.run("sgctl", "list", "ports", "-o", "json", check=False), "the daemon of the node has its port")
    system.run("dpkg", "--purge", "sgd")


def main():
    with booted(*sys.argv[1:]) as (system, first, next_one, sgd):
        life(system, first, next_one)
        system.stop()
        system.boot()
        starts(system, "booted again: there by itself")
        kept = system.run("cat", ENVIRONMENT)
        fleet(system)
        restore(system, kept)
        outside(system)
        system.run("rm", "-r", DROP_IN, "/etc/sgapi/htpasswd", "/etc/sgapi/cert.pem", "/etc/sgapi/key.pem")
        system.run("systemctl", "daemon-reload")
        restore(system, kept)
        node(system, sgd)
        system.run("dpkg", "--remove", "sgapi")
        left = system.run("sh", "-c", "ls -d /usr/sbin/sgapi /var/lib/sgapi/state.redb 2>/dev/null; true")
        expect(left == "/var/lib/sgapi/state.redb", f"removed, what it was told is left: {left!r}")
        system.run("dpkg", "--purge", "sgapi")
        places = "/etc/sgapi /var/lib/sgapi /usr/share/doc/sgapi /etc/systemd/system/multi-user.target.wants/sgapi.service"
        left = system.run("sh", "-c", f"ls -d {places} 2>/dev/null; true")
        expect(left == "", f"purged, nothing is left: {left!r}")


if __name__ == "__main__":
    main()
