//! Taps come and go, also many at a time.

use std::thread::sleep;
use std::time::{Duration, Instant};

use sg_tests::inventory::{Inventory, Port, group, port};
use sg_tests::node::Node;
use sg_tests::packet::udp;
use sg_tests::vm::RawVm;

use crate::site::HTTP;

/// Machines that a hypervisor starts at once, say after a loss of power.
const MANY: u8 = 50;

/// Long for as many, but the machine that runs this may be busy.
const PATIENCE: Duration = Duration::from_secs(30);

#[test]
fn fifty_taps_that_appear_at_once_are_all_filtered_and_forgotten_when_they_go() {
    let mut node = Node::new("many");
    let inventory = (1..=MANY).fold(Inventory::new(), |all, n| all.port(machine(n)));
    node.start(&inventory.group(group("G").default_egress().rule(HTTP)));
    assert_eq!(count(&node, "elsewhere"), u64::from(MANY));

    let mut taps: Vec<_> = (1..=MANY).map(|n| RawVm::new(&node, &machine(n))).collect();

    wait_until(&node, "enforcing");
    let forged = udp("10.0.9.9:1000", "10.0.0.1:2000").bytes();
    taps[1].send(&forged);
    let seen = taps[0].find(Duration::from_millis(500), |frame| frame == forged);
    assert!(seen.is_none(), "a forged packet passes");

    taps.clear();
    wait_until(&node, "elsewhere");
    let links = node.map("ports");
    let links = links.parent().unwrap().with_file_name("links");
    let deadline = Instant::now() + PATIENCE;
    while std::fs::read_dir(&links).unwrap().count() > 0 {
        assert!(
            Instant::now() < deadline,
            "links of taps that are gone are kept"
        );
        sleep(Duration::from_millis(100));
    }
}

fn machine(n: u8) -> Port {
    port(&format!("VM{n}"))
        .ip(&format!("10.0.0.{n}"))
        .groups(&["G"])
}

fn count(node: &Node, state: &str) -> u64 {
    node.query("status")["ports"][state]
        .as_u64()
        .expect("a count")
}

fn wait_until(node: &Node, state: &str) {
    let deadline = Instant::now() + PATIENCE;
    while count(node, state) != u64::from(MANY) {
        assert!(
            Instant::now() < deadline,
            "not all are {state}:\n{}",
            node.log()
        );
        sleep(Duration::from_millis(50));
    }
}
