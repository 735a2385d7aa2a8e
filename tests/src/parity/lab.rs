//! A compute node with the wiring of `iptables_hybrid`: every VM's tap on a Linux bridge of its own,
//! from which a veth pair leads to the fabric.
//!
//! ```text
//!  VM1 ─ tap… ─ qbr… ─ qvb… ══ qvo… ┐
//!  VM2 ─ tap… ─ qbr… ─ qvb… ══ qvo… ┼ br-int ─ tap-fabric ─ FABRIC
//!          the node's namespace      │    a namespace of its own, without netfilter
//! ```
//!
//! No bridge learns, so that no test frame can teach one wrong. What is addressed to the MAC of a port
//! goes to its VM alone, as in a network that knows its hosts; all other frames go to every other end.
//! (Were unicast fragments to go to two VMs of a node, its one reassembly would mix them up.)

use std::collections::BTreeSet;
use std::time::Duration;

use crate::inventory;
use crate::mac::Mac;
use crate::netns::Netns;
use crate::parity::scenario::End;
use crate::tap::Tap;

/// The sentinel's ethertype: IEEE's for local experiments. No filter here looks at it.
const SENTINEL: u16 = 0x88b5;

/// How long a sentinel may take. It is there in microseconds, unless the way is closed to it.
const PATIENCE: Duration = Duration::from_millis(60);

/// How long to look for a frame where sentinels do not come through.
const BLIND: Duration = Duration::from_millis(4);

/// The MAC of the fabric, and of a VM before the first inventory.
const STRANGER: Mac = Mac([0x02, 0, 0, 0, 0, 0xfe]);

/// The wiring of a node and the ends of its wires.
#[derive(Debug)]
pub struct Lab {
    taps: [Tap; End::ALL.len()],
    macs: [Mac; End::ALL.len()],
    /// Where the last sentinel did not come through: from, to.
    closed: BTreeSet<(End, End)>,
    sentinels: u64,
    fabric: Netns,
}

impl Lab {
    /// Wires up a node.
    #[must_use]
    pub fn new(node: &Netns) -> Self {
        let fabric = Netns::new("fabric");
        for netns in [node, &fabric] {
            netns.set("ipv6/conf/all/disable_ipv6", "1");
            netns.set("ipv6/conf/default/disable_ipv6", "1");
        }
        for key in ["iptables", "ip6tables", "arptables"] {
            fabric.set(&format!("bridge/bridge-nf-call-{key}"), "0");
        }
        bridge(&fabric, "br-int");
        let taps = End::ALL.map(|end| match end.port() {
            Some(name) => {
                let id = &inventory::port_id(name).to_string()[..11];
                let [tap, qbr, qvb, qvo] =
                    ["tap", "qbr", "qvb", "qvo"].map(|kind| format!("{kind}{id}"));
                bridge(node, &qbr);
                node.ip(&format!(
                    "link add {qvb} type veth peer name {qvo} netns {}",
                    fabric.name()
                ));
                let device = Tap::new(node, &tap, None);
                enslave(node, &tap, &qbr);
                enslave(node, &qvb, &qbr);
                enslave(&fabric, &qvo, "br-int");
                device
            }
            None => {
                let device = Tap::new(&fabric, "tap-fabric", None);
                enslave(&fabric, "tap-fabric", "br-int");
                device
            }
        });
        Self {
            taps,
            macs: End::ALL.map(|_| STRANGER),
            closed: BTreeSet::new(),
            sentinels: 0,
            fabric,
        }
    }

    /// Tells which MAC an end may send from, after another inventory was applied.
    pub fn set_mac(&mut self, end: End, mac: Mac) {
        self.closed.clear();
        let old = std::mem::replace(&mut self.macs[end as usize], mac);
        let Some(port) = end.port().filter(|_| old != mac) else {
            return;
        };
        let qvo = format!("qvo{}", &inventory::port_id(port).to_string()[..11]);
        if old != STRANGER {
            self.fabric
                .bridge(&format!("fdb del {old} dev {qvo} master"));
        }
        self.fabric
            .bridge(&format!("fdb replace {mac} dev {qvo} master static"));
    }

    /// Sends frames into one end; what then came out at each end, in order.
    ///
    /// A sentinel goes the same way after them. Frames that enter at one end overtake each other
    /// nowhere, so when it has come out, all that is to come has.
    pub fn send(&mut self, from: End, frames: &[Vec<u8>]) -> [Vec<Vec<u8>>; End::ALL.len()] {
        let tap = &self.taps[from as usize];
        for frame in frames {
            tap.send(frame);
        }
        self.sentinels += 1;
        let sentinel = sentinel(self.macs[from as usize], self.sentinels);
        tap.send(&sentinel);
        End::ALL.map(|to| {
            if to == from {
                return Vec::new();
            }
            let blind = self.closed.contains(&(from, to));
            let (seen, open) = collect(
                &self.taps[to as usize],
                &sentinel,
                if blind { BLIND } else { PATIENCE },
            );
            if !open {
                self.closed.insert((from, to));
            }
            seen
        })
    }
}

/// The frames up to the sentinel, and whether it came.
fn collect(tap: &Tap, sentinel: &[u8], patience: Duration) -> (Vec<Vec<u8>>, bool) {
    let mut seen = Vec::new();
    while let Some(frame) = tap.recv(patience) {
        if frame == sentinel {
            return (seen, true);
        }
        if frame.get(12..14) != Some(&SENTINEL.to_be_bytes()) {
            seen.push(frame);
        }
    }
    (seen, false)
}

fn sentinel(mac: Mac, number: u64) -> Vec<u8> {
    let mut frame = [Mac::BROADCAST.0, mac.0].concat();
    frame.extend(SENTINEL.to_be_bytes());
    frame.extend(number.to_be_bytes());
    frame.resize(60, 0);
    frame
}

fn bridge(netns: &Netns, name: &str) {
    // The mask lets it forward LLDP and the like, which bridges otherwise keep to themselves.
    netns.ip(&format!(
        "link add {name} type bridge mcast_snooping 0 stp_state 0 forward_delay 0 group_fwd_mask 0xfff8"
    ));
    netns.ip(&format!("link set {name} up"));
}

fn enslave(netns: &Netns, name: &str, bridge: &str) {
    netns.ip(&format!("link set {name} master {bridge} up"));
    netns.ip(&format!(
        "link set {name} type bridge_slave learning off flood on"
    ));
}
