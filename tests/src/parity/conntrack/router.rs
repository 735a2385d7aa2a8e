//! nf_conntrack's side: a router between the VM and its peer.
//!
//! ```text
//!   VM ─ tap-vm ─ [ forwarding, nf_conntrack, rules ] ─ tap-peer ─ PEER
//! ```
//!
//! A frame written to a tap is forwarded before the write returns, so nothing has to be waited for.

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::frames::{PEERS, PEERS_OPEN, ROUTER};
use super::netlink::Netlink;
use super::notation::{End, Setup};
use super::outcome::{Entry, Label};
use super::run::{Sent, Side};
use super::tuple::Tuple;
use crate::netns::Netns;
use crate::tap::Tap;

/// The group that packets are logged to.
const GROUP: u16 = 7;

/// `IPS_SEEN_REPLY` and `IPS_ASSURED` (`nf_conntrack_common.h`).
const SEEN_REPLY: u32 = 1 << 1;
const ASSURED: u32 = 1 << 2;

/// A router with nf_conntrack.
#[derive(Debug)]
pub struct Router {
    vm: Tap,
    peer: Tap,
    conntrack: Netlink,
    log: Netlink,
    setup: Option<Setup>,
    labels: [u64; Label::ALL.len()],
    netns: Netns,
}

impl Router {
    /// A router that knows of no connection.
    #[must_use]
    pub fn new() -> Self {
        let netns = Netns::new("router");
        for (key, value) in [
            ("ipv4/ip_forward", "1"),
            ("ipv4/conf/all/rp_filter", "0"),
            ("ipv4/conf/default/rp_filter", "0"),
            ("ipv6/conf/all/forwarding", "1"),
            ("ipv6/conf/default/accept_dad", "0"),
            // Nothing checks the sums here either (docs/parity.md).
            ("netfilter/nf_conntrack_checksum", "0"),
        ] {
            netns.set(key, value);
        }
        let [vm, peer] = ["tap-vm", "tap-peer"].map(|name| Tap::new(&netns, name, Some(ROUTER)));
        for words in [
            "addr add 10.0.0.1/24 dev tap-vm",
            "addr add 2001:db8::1/64 dev tap-vm nodad",
            // Nobody asks who has an address: all are behind one neighbour.
            "neigh add 10.0.0.5 lladdr 02:00:00:00:00:05 dev tap-vm",
            "neigh add 10.0.0.6 lladdr 02:00:00:00:00:05 dev tap-vm",
            "neigh add 2001:db8::5 lladdr 02:00:00:00:00:05 dev tap-vm",
            "neigh add 2001:db8::6 lladdr 02:00:00:00:00:05 dev tap-vm",
            "addr add 192.0.2.1/24 dev tap-peer",
            "neigh add 192.0.2.2 lladdr 02:00:00:00:00:07 dev tap-peer",
            &format!("route add {} via 192.0.2.2", PEERS[0]),
            "addr add 2001:db8:ff::1/64 dev tap-peer nodad",
            "neigh add 2001:db8:ff::2 lladdr 02:00:00:00:00:07 dev tap-peer",
            &format!("route add {} via 2001:db8:ff::2", PEERS[1]),
        ] {
            netns.ip(words);
        }
        nft(&netns, &["-f", "-"], &rules());
        let [conntrack, log] = [(); 2].map(|()| Netlink::open(&netns));
        log.listen(GROUP);
        Self {
            vm,
            peer,
            conntrack,
            log,
            setup: None,
            labels: Default::default(),
            netns,
        }
    }

    /// Whether the labels that were heard are those that the rules' counters have counted.
    #[must_use]
    pub fn counted(&self) -> bool {
        let listing = nft(&self.netns, &["list", "counters"], "");
        Label::ALL
            .into_iter()
            .zip(self.labels)
            .all(|(label, heard)| {
                let counter = listing.split(&format!("counter saw_{label} {{")).nth(1);
                let packets = counter.and_then(|text| text.split_whitespace().nth(1));
                packets.and_then(|packets| packets.parse().ok()) == Some(heard)
            })
    }
}

impl Default for Router {
    fn default() -> Self {
        Self::new()
    }
}

impl Side for Router {
    fn prepare(&mut self, setup: &Setup) {
        let former = self.setup.replace(*setup).map(|setup| sysctls(&setup));
        for (key, value) in sysctls(setup) {
            if former.is_none_or(|former| !former.contains(&(key, value))) {
                let key = format!("netfilter/nf_conntrack_tcp_{key}");
                self.netns.set(&key, value);
            }
        }
    }

    fn send(&mut self, sent: &Sent, _before: Option<&Entry>) -> (Option<Label>, bool) {
        let (from, to) = match sent.from {
            End::Vm => (&self.vm, &self.peer),
            End::Peer => (&self.peer, &self.vm),
        };
        from.send(&sent.frame);
        let label = self.log.logged().map(|prefix| {
            prefix
                .parse::<Label>()
                .unwrap_or_else(|e| panic!("the rules log something else: {e}"))
        });
        if let Some(label) = label {
            self.labels[label as usize] += 1;
        }
        let mut passes = false;
        while let Some(seen) = to.recv(Duration::ZERO) {
            passes |= is_forwarded(&sent.frame, &seen);
        }
        (label, passes)
    }

    fn entry(&mut self, tuple: &Tuple) -> Option<Entry> {
        let connection = self.conntrack.get(tuple)?;
        let opened_by = match connection.source {
            Some(source) if source == tuple.local => End::Vm,
            _ => End::Peer,
        };
        Some(Entry {
            opened_by,
            state: connection.state,
            replied: connection.status & SEEN_REPLY != 0,
            assured: connection.status & ASSURED != 0,
            seconds: connection.timeout,
        })
    }

    fn set_lifetime(&mut self, tuple: &Tuple, seconds: u32) {
        match seconds {
            0 => self.conntrack.delete(tuple),
            seconds => self.conntrack.set_timeout(tuple, seconds),
        }
    }

    fn forget(&mut self, tuple: &Tuple) {
        self.conntrack.delete(tuple);
    }
}

/// What a setup makes of `nf_conntrack_tcp_…`.
fn sysctls(setup: &Setup) -> [(&'static str, &'static str); 3] {
    let value = |on| if on { "1" } else { "0" };
    [
        ("be_liberal", value(!setup.strict)),
        ("loose", value(!setup.tight)),
        ("ignore_invalid_rst", value(setup.any_reset)),
    ]
}

/// Whether a frame is another one, one hop further: the same from the IP addresses on.
fn is_forwarded(sent: &[u8], seen: &[u8]) -> bool {
    let addresses = match sent.get(12..14) {
        Some([0x08, 0x00]) => 26,
        _ => 22,
    };
    sent.get(12..14) == seen.get(12..14) && sent.get(addresses..) == seen.get(addresses..)
}

/// The rules: every packet is labelled right behind nf_conntrack, where none is missed, and filtered
/// as Neutron's chains do; the last one is built in there.
fn rules() -> String {
    let (mut counters, mut labels) = (String::new(), String::new());
    for label in Label::ALL {
        counters += &format!("counter saw_{label} {{}}\n");
        labels += &format!(
            "ct state {label} counter name saw_{label} log prefix \"{label}\" group {GROUP} queue-threshold 1\n"
        );
    }
    let [open4, open6] = PEERS_OPEN;
    format!(
        "table inet parity {{
            {counters}
            chain label {{
                type filter hook prerouting priority -150;
                {labels}
            }}
            chain filter {{
                type filter hook forward priority 0; policy drop;
                ct state established,related accept
                iifname tap-vm accept
                ip saddr {open4} accept
                ip6 saddr {open6} accept
                icmpv6 type {{ 130, 134, 135, 136 }} accept
            }}
        }}"
    )
}

/// Runs `nft` in a namespace; what it prints.
fn nft(netns: &Netns, arguments: &[&str], input: &str) -> String {
    let run = || {
        let mut child = Command::new("nft")
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            stdin.write_all(input.as_bytes())?;
        }
        child.wait_with_output()
    };
    let output = netns
        .run(run)
        .unwrap_or_else(|e| panic!("cannot run `nft` (package nftables): {e}"));
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "`nft {arguments:?}` fails: {error}"
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}
