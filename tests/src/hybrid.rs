//! A node as Neutron's `iptables_hybrid` driver leaves it: each tap on a Linux bridge of its own, rules of
//! iptables on the bridges, and a zone of nf_conntrack for each port.
//!
//! ```text
//!  VM ─ tap… ─ qbr… ─ qvb… ══ qvo… ─ br-int, with an address: whoever is not on the node
//!          the node's namespace │  the fabric's, without netfilter
//! ```

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use crate::inventory::Port;
use crate::netns::Netns;

/// A port, and what its security groups permit, in the words of iptables.
#[derive(Clone, Copy, Debug)]
pub struct Chains<'a> {
    /// The port. Its addresses of IPv4 alone count.
    pub port: &'a Port,
    /// Its zone.
    pub zone: u16,
    /// What may be sent to it, a match for each rule.
    pub ingress: &'a [&'a str],
    /// What it may send.
    pub egress: &'a [&'a str],
}

/// A network that the ports of a node are on; who is in it has the namespace's stack.
#[derive(Debug)]
pub struct Fabric(Netns);

impl Fabric {
    /// One with this address.
    #[must_use]
    pub fn new(address: &str) -> Self {
        let netns = Netns::new("fabric");
        netfilter(&netns, false);
        bridge(&netns, "br-int");
        netns.ip(&format!("address add {address} dev br-int"));
        Self(netns)
    }

    /// Its namespace.
    #[must_use]
    pub fn netns(&self) -> &Netns {
        &self.0
    }

    /// Puts the tap of a port, which is there, behind a bridge of its own.
    pub fn plug(&self, node: &Netns, port: &Port) {
        let [tap, qbr, qvb, qvo] =
            ["tap", "qbr", "qvb", "qvo"].map(|kind| port.interface().replace("tap", kind));
        let Self(fabric) = self;
        bridge(node, &qbr);
        node.ip(&format!(
            "link add {qvb} type veth peer name {qvo} netns {}",
            fabric.name()
        ));
        fabric.ip(&format!("link set {qvo} master br-int up"));
        for interface in [&qvb, &tap] {
            node.ip(&format!("link set {interface} master {qbr} up"));
        }
    }
}

/// Whether frames on the bridges of a namespace go through iptables.
pub fn netfilter(netns: &Netns, on: bool) {
    for key in ["iptables", "ip6tables", "arptables"] {
        let value = if on { "1" } else { "0" };
        netns.set(&format!("bridge/bridge-nf-call-{key}"), value);
    }
}

/// Takes the chains of ports into force, in the place of all rules that are there.
pub fn enforce(netns: &Netns, ports: &[Chains<'_>]) {
    netfilter(netns, true);
    let text = rules(ports);
    let restore = || {
        let mut child = Command::new("iptables-restore")
            .stdin(Stdio::piped())
            .process_group(0)
            .spawn()?;
        if let Some(mut input) = child.stdin.take() {
            input.write_all(text.as_bytes())?;
        }
        child.wait()
    };
    let status = netns.run(restore);
    let status = status.unwrap_or_else(|e| panic!("cannot run iptables-restore: {e}"));
    assert!(status.success(), "iptables-restore takes not:\n{text}");
}

/// Runs `iptables` with these words.
pub fn iptables(netns: &Netns, words: &str) {
    let mut command = Command::new("iptables");
    command.args(words.split_whitespace()).process_group(0);
    let output = netns.run(|| command.output());
    let output = output.unwrap_or_else(|e| panic!("cannot run iptables: {e}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "`iptables {words}` failed: {said}");
}

/// The chain of what is sent to a port.
#[must_use]
pub fn ingress_chain(port: &Port) -> String {
    chain('i', port)
}

fn chain(kind: char, port: &Port) -> String {
    // The driver cuts names at so many characters of the port's id.
    format!("neutron-openvswi-{kind}{}", &port.id().to_string()[..10])
}

/// What `iptables-restore` is given: the tables raw and filter, in the order of the driver.
fn rules(ports: &[Chains<'_>]) -> String {
    const SKELETON: &str = "\
:neutron-filter-top - [0:0]
:neutron-openvswi-local - [0:0]
:neutron-openvswi-FORWARD - [0:0]
:neutron-openvswi-INPUT - [0:0]
:neutron-openvswi-OUTPUT - [0:0]
:neutron-openvswi-sg-chain - [0:0]
:neutron-openvswi-sg-fallback - [0:0]
-A INPUT -j neutron-openvswi-INPUT
-A FORWARD -j neutron-filter-top
-A FORWARD -j neutron-openvswi-FORWARD
-A OUTPUT -j neutron-filter-top
-A OUTPUT -j neutron-openvswi-OUTPUT
-A neutron-filter-top -j neutron-openvswi-local
-A neutron-openvswi-sg-fallback -j DROP
";
    let zones: String = ports.iter().map(zone).collect();
    let chains: String = ports.iter().map(filter).collect();
    format!(
        "*raw\n:neutron-openvswi-PREROUTING - [0:0]\n-A PREROUTING -j neutron-openvswi-PREROUTING\n{zones}COMMIT\n\
         *filter\n{SKELETON}{chains}-A neutron-openvswi-sg-chain -j ACCEPT\nCOMMIT\n"
    )
}

fn zone(Chains { port, zone, .. }: &Chains<'_>) -> String {
    let tap = port.interface();
    let qvb = tap.replace("tap", "qvb");
    let to = format!("-j CT --zone {zone}\n");
    let matches = [
        format!("-m physdev --physdev-in {qvb}"),
        format!("-i {qvb}"),
        format!("-m physdev --physdev-in {tap}"),
    ];
    let rule = |met: &String| format!("-A neutron-openvswi-PREROUTING {met} {to}");
    matches.iter().map(rule).collect()
}

fn filter(of: &Chains<'_>) -> String {
    let Chains { port, .. } = of;
    let [i, o, s] = ['i', 'o', 's'].map(|kind| chain(kind, port));
    let (tap, mac) = (port.interface(), port.mac_address());
    let out = format!("-m physdev --physdev-out {tap} --physdev-is-bridged");
    let into = format!("-m physdev --physdev-in {tap} --physdev-is-bridged");
    let mut lines = vec![
        format!("-A neutron-openvswi-FORWARD {out} -j neutron-openvswi-sg-chain"),
        format!("-A neutron-openvswi-FORWARD {into} -j neutron-openvswi-sg-chain"),
        format!("-A neutron-openvswi-INPUT {into} -j {o}"),
        format!("-A neutron-openvswi-sg-chain {out} -j {i}"),
        format!("-A neutron-openvswi-sg-chain {into} -j {o}"),
        format!("-A {i} -m state --state RELATED,ESTABLISHED -j RETURN"),
        format!(
            "-A {o} -s 0.0.0.0/32 -d 255.255.255.255/32 -p udp -m udp --sport 68 --dport 67 -j RETURN"
        ),
        format!("-A {o} -j {s}"),
        format!("-A {o} -p udp -m udp --sport 68 --dport 67 -j RETURN"),
        format!("-A {o} -p udp -m udp --sport 67 --dport 68 -j DROP"),
        format!("-A {o} -m state --state RELATED,ESTABLISHED -j RETURN"),
    ];
    let own = port.addresses().iter().filter(|address| address.is_ipv4());
    lines.extend(
        own.map(|address| format!("-A {s} -s {address}/32 -m mac --mac-source {mac} -j RETURN")),
    );
    lines.push(format!("-A {s} -j DROP"));
    for (chain, permits) in [(&i, of.ingress), (&o, of.egress)] {
        lines.extend(
            permits
                .iter()
                .map(|met| format!("-A {chain} {met} -j RETURN")),
        );
        lines.push(format!("-A {chain} -m state --state INVALID -j DROP"));
        lines.push(format!("-A {chain} -j neutron-openvswi-sg-fallback"));
    }
    let named = [i, o, s].map(|chain| format!(":{chain} - [0:0]"));
    let lines = named.into_iter().chain(lines);
    lines.map(|line| line + "\n").collect()
}

fn bridge(netns: &Netns, name: &str) {
    netns.ip(&format!(
        "link add {name} type bridge mcast_snooping 0 stp_state 0 forward_delay 0"
    ));
    netns.ip(&format!("link set {name} up"));
}
