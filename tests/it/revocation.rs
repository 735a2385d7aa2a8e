//! Whatever takes a permission away cuts what it had permitted, at its next packet and in both directions,
//! and nothing else: beside it a connection that stays permitted is busy all the time, and loses nothing.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use sg_tests::inventory::{Inventory, Port, group, port};
use sg_tests::mac::Mac;
use sg_tests::node::Node;
use sg_tests::packet::{Packet, udp};
use sg_tests::vm::RawVm;

const PATIENCE: Duration = Duration::from_secs(2);
/// Long enough for a frame that passes to have come.
const SILENCE: Duration = Duration::from_millis(150);

/// The address of the VM, and of the two others that speak with it.
const VM: &str = "10.0.0.5";
const PEER: &str = "198.51.100.7";
const OTHER: &str = "198.51.100.8";

/// Two ends of the VM's tap, and the daemon.
struct Scene {
    vm: RawVm,
    wire: RawVm,
    node: Node,
}

/// A UDP connection, by both ends.
#[derive(Clone)]
struct Talk {
    vm: String,
    peer: String,
    /// The MAC the VM sends from.
    mac: Mac,
    opened_by_vm: bool,
}

fn talk(vm: &str, peer: &str, opened_by_vm: bool) -> Talk {
    let (vm, peer, mac) = (vm.to_owned(), peer.to_owned(), web().mac_address());
    Talk {
        vm,
        peer,
        mac,
        opened_by_vm,
    }
}

fn web() -> Port {
    port("WEB1").ip(VM).groups(&["WEB"])
}

/// WEB1 with these rules, and a group of two peers elsewhere of which OTHER may be missing.
fn inventory(web: Port, rules: &[&str], other_is_member: bool) -> Inventory {
    let rules = rules
        .iter()
        .fold(group("WEB"), |group, rule| group.rule(rule));
    let other = port("OTHER").ip(OTHER);
    let other = match other_is_member {
        true => other.groups(&["PEERS"]),
        false => other,
    };
    Inventory::new()
        .group(rules)
        .group(group("PEERS"))
        .port(web)
        .port(port("PEER").ip(PEER).groups(&["PEERS"]))
        .port(other)
}

impl Scene {
    fn new(label: &str, inventory: &Inventory) -> Self {
        let mut node = Node::new(label);
        let (vm, wire) = (RawVm::new(&node, &web()), RawVm::on(&node, "wire0"));
        node.start(inventory);
        Self { vm, wire, node }
    }

    /// Whether a frame of the VM comes out at the other side.
    fn leaves(&self, talk: &Talk, patience: Duration) -> bool {
        let frame = talk.outbound();
        self.vm.send(&frame);
        self.wire.find(patience, |seen| seen == frame).is_some()
    }

    /// Whether a frame of the other side reaches the VM.
    fn arrives(&self, talk: &Talk, patience: Duration) -> bool {
        let frame = talk.inbound();
        self.wire.send(&frame);
        self.vm.find(patience, |seen| seen == frame).is_some()
    }

    fn passes(&self, talk: &Talk) -> bool {
        match talk.opened_by_vm {
            true => self.leaves(talk, PATIENCE) && self.arrives(talk, PATIENCE),
            false => self.arrives(talk, PATIENCE) && self.leaves(talk, PATIENCE),
        }
    }

    /// Does something while a connection is busy; it loses no packet.
    fn without_loss(&self, talk: &Talk, work: impl FnOnce()) {
        let done = AtomicBool::new(false);
        let (sent, lost) = thread::scope(|scope| {
            let busy = scope.spawn(|| {
                let (mut sent, mut lost) = (0, 0);
                while !done.load(Ordering::Relaxed) || sent < 20 {
                    let arrived = [self.arrives(talk, PATIENCE), self.leaves(talk, PATIENCE)];
                    sent += 2;
                    lost += arrived.iter().filter(|arrived| !**arrived).count();
                }
                (sent, lost)
            });
            work();
            done.store(true, Ordering::Relaxed);
            busy.join().unwrap()
        });
        assert_eq!(
            lost, 0,
            "of {sent} packets of a connection that stays permitted"
        );
    }

    fn apply(&self, inventory: &Inventory) {
        self.node.apply(inventory).expect(0);
    }

    fn revoked(&self) -> [u64; 2] {
        let counters = self.node.query("counters WEB1");
        ["ingress", "egress"].map(|way| {
            let count = &counters[0][way]["revoked"]["packets"];
            count.as_u64().expect("a count")
        })
    }

    /// The connection, as it is listed.
    fn listed(&self, talk: &Talk) -> Value {
        let listed = self.node.query("flows list --port WEB1 -p udp");
        let end = |flow: &Value, side: &str| {
            let address = flow[side].as_str().expect("an address");
            format!("{address}:{}", flow[format!("{side}_port")])
        };
        let flows = listed.as_array().expect("a list");
        let mut found = flows
            .iter()
            .filter(|flow| end(flow, "local") == talk.vm && end(flow, "remote") == talk.peer);
        found
            .next()
            .unwrap_or_else(|| panic!("not in {listed}"))
            .clone()
    }
}

impl Talk {
    fn outbound(&self) -> Vec<u8> {
        let frame: Packet = udp(&self.vm, &self.peer).from_mac(self.mac);
        frame.bytes()
    }

    fn inbound(&self) -> Vec<u8> {
        udp(&self.peer, &self.vm).to_mac(self.mac).bytes()
    }
}

/// `before` permits both connections, `after` only the one that stays. `source_is_lost`: the VM may no
/// longer send from its address, which is the reason then given to what it sends.
fn assert_cut(
    label: &str,
    before: &Inventory,
    after: &Inventory,
    [cut, stays]: [&Talk; 2],
    source_is_lost: bool,
) {
    let scene = Scene::new(label, before);
    assert!(scene.passes(cut) && scene.passes(stays));
    let counted = scene.revoked();

    scene.without_loss(stays, || scene.apply(after));

    for round in 1..=2 {
        assert!(!scene.arrives(cut, SILENCE), "to the VM, packet {round}");
        assert!(!scene.leaves(cut, SILENCE), "from the VM, packet {round}");
    }
    let egress = if source_is_lost { 0 } else { 2 };
    let now = scene.revoked();
    assert_eq!(
        [now[0] - counted[0], now[1] - counted[1]],
        [2, egress],
        "each packet is dropped for this reason"
    );
    assert_eq!(scene.listed(cut)["revoked"], true, "marked, not deleted");
    assert_eq!(scene.listed(stays)["revoked"], false);

    scene.without_loss(stays, || scene.apply(before));
    assert!(scene.arrives(cut, PATIENCE), "it lives again");
    assert!(scene.leaves(cut, PATIENCE), "in both directions");
    assert_eq!(scene.listed(cut)["revoked"], false);
}

#[test]
fn a_rule_that_goes() {
    let before = ["ingress IPv4 udp 1001", "ingress IPv4 udp 1002"];
    assert_cut(
        "rule",
        &inventory(web(), &before, true),
        &inventory(web(), &before[1..], true),
        [
            &talk("10.0.0.5:1001", "198.51.100.7:40000", false),
            &talk("10.0.0.5:1002", "198.51.100.7:40000", false),
        ],
        false,
    );
}

#[test]
fn a_rule_with_source_ports_that_goes() {
    let before = [
        "ingress IPv4 udp 1001 sport 40001",
        "ingress IPv4 udp 1001 sport 40002-40003",
    ];
    assert_cut(
        "sport",
        &inventory(web(), &before, true),
        &inventory(web(), &before[1..], true),
        [
            &talk("10.0.0.5:1001", "198.51.100.7:40001", false),
            &talk("10.0.0.5:1001", "198.51.100.7:40002", false),
        ],
        false,
    );
}

#[test]
fn source_ports_that_become_fewer_under_connections_of_the_vm() {
    let (before, after) = (
        "egress IPv4 udp sport 1001-1002",
        "egress IPv4 udp sport 1002",
    );
    assert_cut(
        "sports",
        &inventory(web(), &[before], true),
        &inventory(web(), &[after], true),
        [
            &talk("10.0.0.5:1001", "198.51.100.7:40000", true),
            &talk("10.0.0.5:1002", "198.51.100.7:40000", true),
        ],
        false,
    );
}

#[test]
fn a_rule_that_goes_from_under_a_connection_of_the_vm() {
    let before = [
        "egress IPv4 udp 1001",
        "egress IPv4 udp 1002",
        "ingress IPv4",
    ];
    assert_cut(
        "egressrule",
        &inventory(web(), &before, true),
        &inventory(web(), &before[1..], true),
        [
            &talk("10.0.0.5:40000", "198.51.100.7:1001", true),
            &talk("10.0.0.5:40000", "198.51.100.7:1002", true),
        ],
        false,
    );
}

#[test]
fn a_member_that_leaves_a_remote_group() {
    let rules = ["ingress IPv4 udp 1001 from group PEERS", "egress IPv4"];
    assert_cut(
        "member",
        &inventory(web(), &rules, true),
        &inventory(web(), &rules, false),
        [
            &talk("10.0.0.5:1001", "198.51.100.8:40000", false),
            &talk("10.0.0.5:1001", "198.51.100.7:40000", false),
        ],
        false,
    );
}

#[test]
fn a_member_that_leaves_an_address_group() {
    let with = |addresses: &[&str]| {
        let rules = ["ingress IPv4 udp 1001 from addresses PARTNERS"];
        inventory(web(), &rules, true).address_group("PARTNERS", addresses)
    };
    assert_cut(
        "addressgroup",
        &with(&["198.51.100.7/32", "198.51.100.8/32"]),
        &with(&["198.51.100.7/32"]),
        [
            &talk("10.0.0.5:1001", "198.51.100.8:40000", false),
            &talk("10.0.0.5:1001", "198.51.100.7:40000", false),
        ],
        false,
    );
}

#[test]
fn an_allowed_address_pair_that_goes() {
    assert_cut(
        "pair",
        &inventory(web().pair("10.0.0.99"), &["egress IPv4"], true),
        &inventory(web(), &["egress IPv4"], true),
        [
            &talk("10.0.0.99:40000", "198.51.100.7:1001", true),
            &talk("10.0.0.5:40000", "198.51.100.7:1001", true),
        ],
        true,
    );
}

#[test]
fn an_allowed_address_pair_with_a_mac_of_its_own_that_goes() {
    let foreign = Mac([0xfa, 0x16, 0x3e, 0, 0, 0x99]);
    let with_pair = web().pair_with_mac("10.0.0.99", foreign);
    assert_cut(
        "foreignpair",
        &inventory(with_pair, &["egress IPv4"], true),
        &inventory(web(), &["egress IPv4"], true),
        [
            &Talk {
                mac: foreign,
                ..talk("10.0.0.99:40000", "198.51.100.7:1001", true)
            },
            &talk("10.0.0.5:40000", "198.51.100.7:1001", true),
        ],
        true,
    );
}

#[test]
fn a_fixed_address_that_goes() {
    assert_cut(
        "fixed",
        &inventory(web().ip("10.0.0.6"), &["egress IPv4"], true),
        &inventory(web(), &["egress IPv4"], true),
        [
            &talk("10.0.0.6:40000", "198.51.100.7:1001", true),
            &talk("10.0.0.5:40000", "198.51.100.7:1001", true),
        ],
        true,
    );
}

#[test]
fn a_group_that_is_taken_from_the_port() {
    let with = |groups: &[&str]| {
        let extra = group("EXTRA").rule("ingress IPv4 udp 1001");
        inventory(web().groups(groups), &["ingress IPv4 udp 1002"], true).group(extra)
    };
    assert_cut(
        "grouplist",
        &with(&["WEB", "EXTRA"]),
        &with(&["WEB"]),
        [
            &talk("10.0.0.5:1001", "198.51.100.7:40000", false),
            &talk("10.0.0.5:1002", "198.51.100.7:40000", false),
        ],
        false,
    );
}

#[test]
fn a_rule_that_went_while_port_security_was_off() {
    let rules = ["ingress IPv4 udp 1001", "ingress IPv4 udp 1002"];
    let off = web().groups(&[]).with("port_security_enabled", false);
    let (before, off) = (inventory(web(), &rules, true), inventory(off, &rules, true));
    let cut = talk("10.0.0.5:1001", "198.51.100.7:40000", false);
    let stays = talk("10.0.0.5:1002", "198.51.100.7:40000", false);
    let scene = Scene::new("security", &before);
    assert!(scene.passes(&cut) && scene.passes(&stays));

    scene.without_loss(&stays, || scene.apply(&off));
    let foreign = talk("10.0.0.66:9", "198.51.100.7:9", true);
    assert!(
        scene.passes(&cut) && scene.passes(&foreign),
        "nothing is filtered"
    );
    scene.without_loss(&stays, || scene.apply(&inventory(web(), &rules[1..], true)));

    assert!(!scene.arrives(&cut, SILENCE) && !scene.leaves(&cut, SILENCE));
    assert!(!scene.leaves(&foreign, SILENCE));
    assert_eq!(scene.revoked(), [1, 1]);
    assert_eq!(scene.listed(&cut)["revoked"], true);
}
