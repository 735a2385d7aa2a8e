//! Network stacks at both ends of a port's way: what a connection costs that is one.
//!
//! ```text
//!  VM ─ eth0 ══ tap… ─ qbr ─ qvb ══ qvo
//! ```
//!
//! The tap is the end of a veth pair: no process copies frames between the machine and the node, so that all that
//! both stacks and the way between them do is done in the thread that uses them.

use std::process::Command;

use super::rules;
use super::side::Wiring;
use super::wire::{BRIDGE, FAR, bridge};
use crate::netns::Netns;

/// The address of who is not the VM.
pub const CLIENT: [u8; 4] = [10, 128, 0, 1];

/// A port with a stack behind it, and one that it talks to.
#[derive(Debug)]
pub struct Stacks {
    /// The VM's.
    pub vm: Netns,
    /// The other one.
    pub far: Netns,
    tap: String,
    ifindex: u32,
}

impl Wiring for Stacks {
    fn new(node: &Netns) -> Self {
        let (vm, far) = (Netns::new("vm"), Netns::new("far"));
        for netns in [node, &vm, &far] {
            netns.set("ipv6/conf/all/disable_ipv6", "1");
            netns.set("ipv6/conf/default/disable_ipv6", "1");
        }
        for netns in [&vm, &far] {
            // Connections that were closed keep their port for a minute.
            netns.set("ipv4/ip_local_port_range", "1024 65535");
            netns.set("ipv4/tcp_tw_reuse", "1");
        }
        let port = rules::server();
        let tap = port.interface();
        bridge(node, &tap, &far);
        node.ip(&format!(
            "link add {tap} type veth peer name eth0 netns {}",
            vm.name()
        ));
        node.ip(&format!("link set {tap} master {BRIDGE} up"));
        vm.ip(&format!("link set eth0 address {} up", port.mac_address()));
        vm.ip(&format!("address add {}/8 dev eth0", rules::SERVER));
        let [a, b, c, d] = CLIENT;
        far.ip(&format!("address add {a}.{b}.{c}.{d}/8 dev {FAR}"));
        Self {
            ifindex: node.ifindex(&tap),
            vm,
            far,
            tap,
        }
    }

    fn ifindex(&self) -> u32 {
        self.ifindex
    }
}

impl Stacks {
    /// Whether interfaces may carry frames longer than their MTU, which are cut where the hardware would.
    pub fn offload(&self, node: &Netns, on: bool) {
        let qvb = rules::beyond(&self.tap);
        let places = [
            (node, self.tap.as_str()),
            (node, qvb.as_str()),
            (&self.vm, "eth0"),
            (&self.far, FAR),
        ];
        let state = if on { "on" } else { "off" };
        for (netns, interface) in places {
            let mut command = Command::new("ethtool");
            command.args(["-K", interface]);
            for feature in ["tso", "gso", "gro"] {
                command.args([feature, state]);
            }
            let output = netns.run(|| command.output());
            let output = output.unwrap_or_else(|e| panic!("cannot run ethtool: {e}"));
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "ethtool on {interface}: {said}");
        }
    }
}
