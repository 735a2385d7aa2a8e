//! A compute node: a firewall, and the wiring of `iptables_hybrid` for its guests.
//!
//! ```text
//!  QEMU ─ tap… ─ qbr… ─ qvb… ══ NAME ─ br-int ─ server
//!      the host's namespace     │    the fabric's
//! ```

use std::process::Command;
use std::time::Duration;

use super::Side;
use super::fabric::Fabric;
use crate::crowd::wait_until;
use crate::inventory::{Inventory, Port};
use crate::netns::Netns;
use crate::node::Node;
use crate::parity::oracle::Oracle;

/// How long a firewall may take to know its port.
const PATIENCE: Duration = Duration::from_secs(60);

/// A compute node.
#[derive(Debug)]
pub struct Host {
    name: &'static str,
    firewall: Firewall,
}

#[derive(Debug)]
enum Firewall {
    Filter(Node),
    // In the order of dropping: the oracle works in the namespace.
    Iptables { oracle: Oracle, netns: Netns },
}

impl Host {
    /// One without guests. `name` is also that of its interface in the fabric.
    #[must_use]
    pub fn new(side: Side, name: &'static str) -> Self {
        let (firewall, netfilter) = match side {
            Side::Here => (Firewall::Filter(Node::new(name)), "0"),
            Side::Iptables => {
                let netns = Netns::new(name);
                netns.set("ipv6/conf/all/disable_ipv6", "1");
                netns.set("ipv6/conf/default/disable_ipv6", "1");
                let oracle = Oracle::start(netns.name());
                (Firewall::Iptables { oracle, netns }, "1")
            }
        };
        let host = Self { name, firewall };
        for key in ["iptables", "ip6tables", "arptables"] {
            let key = format!("bridge/bridge-nf-call-{key}");
            host.netns().set(&key, netfilter);
        }
        host
    }

    /// The name of its interface in the fabric.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Its namespace.
    #[must_use]
    pub fn netns(&self) -> &Netns {
        match &self.firewall {
            Firewall::Filter(node) => node.netns(),
            Firewall::Iptables { netns, .. } => netns,
        }
    }

    /// The node with its `sgd`, if it is that which filters.
    #[must_use]
    pub fn node(&self) -> Option<&Node> {
        match &self.firewall {
            Firewall::Filter(node) => Some(node),
            Firewall::Iptables { .. } => None,
        }
    }

    /// Wires up a port: its tap, which QEMU then opens, on a bridge of its own.
    pub fn plug(&self, fabric: &Fabric, port: &Port) {
        let [qbr, qvb] = ["qbr", "qvb"].map(|kind| port.interface().replace("tap", kind));
        let netns = self.netns();
        super::fabric::bridge(netns, &qbr, "ageing_time 0");
        fabric.connect(netns, &qvb, self.name);
        netns.ip(&format!("link set {qvb} master {qbr} up"));
        self.plug_tap(port);
    }

    /// Makes the tap of a port that is wired up.
    pub fn plug_tap(&self, port: &Port) {
        let (tap, netns) = (port.interface(), self.netns());
        netns.ip(&format!("tuntap add dev {tap} mode tap vnet_hdr"));
        let qbr = tap.replace("tap", "qbr");
        netns.ip(&format!("link set {tap} master {qbr} up"));
    }

    /// Removes the tap of a port, whose QEMU is gone.
    pub fn unplug_tap(&self, port: &Port) {
        self.netns().ip(&format!("link del {}", port.interface()));
    }

    /// Waits until the bridge forwards to a port's tap, which it does some time after QEMU has opened it.
    pub fn wait_for_forwarding(&self, port: &Port) {
        let (netns, tap) = (self.netns().name(), port.interface());
        wait_until(PATIENCE, &format!("{tap} forwards"), || {
            let mut command = Command::new("bridge");
            let output = command
                .args(["-n", netns, "link", "show", "dev", &tap])
                .output();
            let output = output.unwrap_or_else(|e| panic!("cannot run bridge: {e}"));
            String::from_utf8_lossy(&output.stdout).contains("state forwarding")
        });
    }

    /// Enforces an inventory; returns when the ports of that many are in force.
    pub fn enforce(&mut self, inventory: &Inventory, local: &[&Port]) {
        match &mut self.firewall {
            Firewall::Filter(node) => {
                node.start(inventory);
                self.wait_for(local);
            }
            Firewall::Iptables { oracle, .. } => {
                let ids: Vec<_> = local.iter().map(|port| port.id().to_string()).collect();
                let refused = oracle.apply(&inventory.json(), &ids, true);
                assert!(refused.is_empty(), "Neutron refuses rules: {refused:?}");
            }
        }
    }

    /// Waits until ports are in force. Rules of iptables go by name and are there before the tap.
    pub fn wait_for(&self, local: &[&Port]) {
        let Some(node) = self.node() else { return };
        for port in local {
            let words = format!("show port {}", port.id());
            wait_until(PATIENCE, &format!("{} is enforced", port.name()), || {
                node.query(&words)["state"] == "enforcing"
            });
        }
    }
}
