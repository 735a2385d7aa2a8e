//! Floods and full tables: what is established stays, and no VM takes the node.

use std::fs;
use std::sync::Barrier;
use std::thread;
use std::time::Instant;

use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;
use sg_tests::crowd::{Crowd, assured};
use sg_tests::node::Node;
use sg_tests::tap::Tap;

use crate::site::{HTTP, client, site, web1};

const SERVER: &str = "10.0.0.5:80";

/// SYNs of the flood. SG_FLOOD sets another number.
const FLOOD: u32 = 1_000_000;

/// A node with WEB1 and CLIENT, and the taps of both.
fn node(label: &str, settings: &str, options: &[&str]) -> (Node, [Tap; 2]) {
    let mut node = Node::new(label);
    let taps = [web1(), client()].map(|port| node.tap(&port.interface()));
    fs::write(node.inventory_path(), site(&[HTTP]).json().to_string()).unwrap();
    let file = node.directory().join("settings.toml");
    fs::write(&file, settings).unwrap();
    node.start_with(&[&["--settings", file.to_str().unwrap()], options].concat());
    (node, taps)
}

fn web(node: &Node) -> Crowd<'_> {
    Crowd::of(node, &web1().interface(), SERVER)
}

/// A counter of WEB1 towards it.
fn count(node: &Node, reason: &str) -> u64 {
    node.query("counters WEB1")[0]["ingress"][reason]["packets"]
        .as_u64()
        .expect("a count")
}

#[test]
fn idle_connections_survive_a_flood() {
    let flood = std::env::var("SG_FLOOD").map_or(FLOOD, |number| number.parse().unwrap());
    let (node, _taps) = node("flood", "assured_per_port = 'unlimited'", &[]);
    let crowd = web(&node);
    let idle = 100_000;
    assert_eq!(crowd.connect(0..idle), 3 * idle);
    assert_eq!(assured(&node), idle as usize);

    let start = Instant::now();
    assert_eq!(
        crowd.syn(idle..idle + flood),
        flood,
        "a permitted packet is never dropped"
    );
    let pace = f64::from(flood) / start.elapsed().as_secs_f64() / 1e6;

    let before = count(&node, "established");
    assert_eq!(crowd.acknowledge(0..idle), idle);
    let alive = count(&node, "established") - before;
    eprintln!(
        "{alive} of {idle} idle connections survived {flood} SYNs at {pace:.2} million a second"
    );
    assert_eq!(alive, u64::from(idle));
}

#[test]
fn a_vm_at_its_quota_keeps_its_connections_and_takes_no_others() {
    let (node, _taps) = node("quota", "assured_per_port = 1000", &["--max-flows", "4096"]);
    let crowd = web(&node);

    assert_eq!(crowd.connect(0..1500), 3 * 1500);
    assert_eq!(assured(&node), 1000);
    assert!(count(&node, "flow_over_quota") >= 500);
    let before = count(&node, "established");
    assert_eq!(crowd.acknowledge(0..1500), 1500);
    assert_eq!(
        count(&node, "established") - before,
        1500,
        "the others are tracked too"
    );

    let other = Crowd::of(&node, &client().interface(), "10.0.0.7:5000");
    assert_eq!(other.be_served(0..1000), 3 * 1000);
    assert_eq!(assured(&node), 2000, "the other VM has its share");
}

#[test]
fn when_the_table_is_full_nothing_established_is_lost() {
    let (node, _taps) = node(
        "full",
        "assured_per_port = 'unlimited'",
        &["--max-flows", "2000"],
    );
    let crowd = web(&node);

    assert_eq!(crowd.connect(0..3000), 3 * 3000);
    assert_eq!(assured(&node), 2000);
    assert!(count(&node, "flow_not_promoted") >= 1000);
    assert_eq!(crowd.syn(3000..103_000), 100_000);

    let before = count(&node, "established");
    assert_eq!(crowd.acknowledge(0..2000), 2000);
    assert_eq!(count(&node, "established") - before, 2000);
}

#[test]
fn two_cpus_that_open_the_same_connections_end_in_one_entry_each() {
    let (node, _taps) = node("race", "", &[]);
    let connections = 3000;
    let crowds = [web(&node), web(&node)];
    let together = Barrier::new(crowds.len());
    thread::scope(|scope| {
        for (cpu, crowd) in crowds.iter().enumerate() {
            let together = &together;
            scope.spawn(move || {
                let mut cpus = CpuSet::new();
                cpus.set(cpu).unwrap();
                sched_setaffinity(Pid::from_raw(0), &cpus).unwrap();
                for first in (0..connections).step_by(10) {
                    together.wait();
                    assert_eq!(crowd.connect(first..first + 10), 30);
                }
            });
        }
    });
    assert_eq!(assured(&node), connections as usize);
    let turns = u64::from(sg_tests::pinned::room(&node.map("rooms")).used);
    assert_eq!(
        turns,
        u64::from(connections),
        "each has one turn of the sweep"
    );
}
