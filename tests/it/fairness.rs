//! A flood of one VM is not felt by another: what ports share is shared fairly.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use bytemuck::pod_read_unaligned;
use sg_common::hook::Hook;
use sg_common::layout::fair::Fair;
use sg_common::layout::maps::name;
use sg_common::layout::port::{self as kernel, PortKey};
use sg_tests::crowd::Crowd;
use sg_tests::inventory::{Inventory, Port, group, port};
use sg_tests::node::Node;
use sg_tests::packet::udp;
use sg_tests::pinned;
use sg_tests::tap::Tap;
use sg_tests::testrun::{PinnedHash, Program, Verdict};

/// Ports on the node.
const PORTS: u32 = 60;

/// How long a handshake takes.
const HANDSHAKE: Duration = Duration::from_millis(200);

/// Connections that one VM opens under the flood of two others. `SG_HANDSHAKES` sets another number:
/// 10,000 take a minute.
const HANDSHAKES: u32 = 500;

/// Connections under way at once.
const AT_ONCE: u32 = 34;

/// Room for unproven connections, of which the floods fill many times as much.
const ROOM: u32 = 8192;

fn vm(number: u32) -> Port {
    port(&format!("VM{number}"))
        .ip(&format!("10.0.0.{number}"))
        .groups(&["ANY"])
}

/// VMs that may open anything.
fn inventory(numbers: impl Iterator<Item = u32>) -> Inventory {
    numbers
        .map(vm)
        .fold(Inventory::new(), Inventory::port)
        .group(group("ANY").default_egress())
}

/// A node of [`PORTS`] VMs, each with its tap.
fn node(label: &str) -> (Node, Vec<Tap>) {
    let mut node = Node::new(label);
    let taps = (1..=PORTS).map(|number| node.tap(&vm(number).interface()));
    let taps = taps.collect();
    let document = inventory(1..=PORTS).json().to_string();
    fs::write(node.inventory_path(), document).unwrap();
    node.start_with(&[
        "--max-unproven",
        &ROOM.to_string(),
        "--max-fragments",
        "1024",
    ]);
    (node, taps)
}

/// The programs at a VM's tap, and what passes through them.
fn crowd(node: &Node, number: u32) -> Crowd<'_> {
    Crowd::of(
        node,
        &vm(number).interface(),
        &format!("10.0.0.{number}:5000"),
    )
}

/// A counter of a VM, both directions.
fn count(node: &Node, number: u32, reason: &str) -> u64 {
    let counters = node.query(&format!("counters VM{number}"));
    let of = |direction: &str| counters[0][direction][reason]["packets"].as_u64();
    ["ingress", "egress"]
        .map(|direction| of(direction).expect("a count"))
        .iter()
        .sum()
}

/// What each slot has in a table.
fn held(node: &Node, table: Fair) -> Vec<u64> {
    let shares = pinned::shares(&node.map(name::SHARES));
    let held = shares.iter().map(|share| share.fair[table.index()].into());
    held.collect()
}

/// What `sgctl status` says of a table: used and capacity.
fn fill(node: &Node, table: &str) -> (u64, u64) {
    let status = node.query("status");
    let tables = status["tables"].as_array().expect("tables");
    let table = tables.iter().find(|fill| fill["name"] == table);
    let number = |field: &str| {
        table
            .and_then(|fill| fill[field].as_u64())
            .expect("a number")
    };
    (number("used"), number("capacity"))
}

#[test]
fn handshakes_succeed_while_two_other_vms_flood() {
    let handshakes = std::env::var("SG_HANDSHAKES");
    let handshakes = handshakes.map_or(HANDSHAKES, |number| number.parse().unwrap());
    let (node, _taps) = node("fair-flood");
    let over = AtomicBool::new(false);
    let mut answered = 0;
    let start = Instant::now();
    let flooded: u32 = thread::scope(|scope| {
        let floods: Vec<_> = [1, 2]
            .into_iter()
            .map(|number| {
                let (node, over) = (&node, &over);
                scope.spawn(move || {
                    let crowd = crowd(node, number);
                    let mut flooded = 0;
                    while !over.load(Ordering::Relaxed) {
                        flooded += crowd.open(flooded..flooded + 1000);
                    }
                    flooded
                })
            })
            .collect();
        let third = crowd(&node, 3);
        // When the table is full of the flood.
        thread::sleep(HANDSHAKE * 5);
        for first in (0..handshakes).step_by(AT_ONCE as usize) {
            let batch = first..handshakes.min(first + AT_ONCE);
            assert_eq!(third.open(batch.clone()), batch.end - batch.start);
            thread::sleep(HANDSHAKE);
            answered += third.accept(batch);
        }
        over.store(true, Ordering::Relaxed);
        floods
            .into_iter()
            .map(|flood| flood.join().expect("a flood"))
            .sum()
    });
    let pace = f64::from(flooded) / start.elapsed().as_secs_f64() / 1e6;
    let displaced = [1, 2, 3].map(|number| count(&node, number, "flow_displaced"));
    eprintln!(
        "{answered} of {handshakes} handshakes were answered under {pace:.2} million new connections a \
         second; displaced: {displaced:?}"
    );
    assert_eq!(answered, handshakes);
    assert_eq!(displaced[2], 0);
    assert!(
        u64::from(flooded) > 4 * u64::from(ROOM),
        "no flood: {flooded}"
    );
    // Every connection of the flood is there, was displaced, or was not stored.
    for (number, displaced) in [(1, displaced[0]), (2, displaced[1])] {
        let others = count(&node, number, "flow_not_stored");
        assert!(displaced > u64::from(ROOM), "{displaced} of VM{number}");
        let slot = slot(&node, number);
        assert_eq!(
            count(&node, number, "new"),
            held(&node, Fair::Embryos4)[slot] + displaced + others
        );
    }
    let (used, capacity) = fill(&node, "embryos4");
    assert_eq!(used, held(&node, Fair::Embryos4).iter().sum::<u64>());
    assert_eq!(capacity, u64::from(ROOM));
    assert_eq!(used, capacity, "what is promised is held");
}

/// The slot of a VM.
fn slot(node: &Node, number: u32) -> usize {
    const KEY: usize = size_of::<PortKey>();
    const VALUE: usize = size_of::<kernel::Port>();
    let ports = PinnedHash::<KEY, VALUE>::open(&node.map(name::PORTS));
    let port = ports.keys::<[u8; KEY]>().into_iter().find_map(|key| {
        let port: kernel::Port = pod_read_unaligned(&ports.get(key)?);
        (port.uuid == *vm(number).id().as_bytes()).then_some(port)
    });
    port.expect("the port is in force").slot as usize
}

#[test]
fn fragments_of_one_vm_are_found_while_another_floods() {
    let (node, _taps) = node("fair-fragments");
    let netns = node.netns();
    let programs = [1, 3].map(|number: u32| {
        let interface = vm(number).interface();
        let program = Program::attached(netns, &interface, Hook::FromVm);
        (program, netns.ifindex(&interface))
    });
    let [(flooder, at_flooder), (third, at_third)] = &programs;
    let datagram = |id| {
        let whole = || udp("10.0.0.3:5000", "198.18.0.9:53").payload(&[7; 64]);
        [(0, 32), (32, 72)].map(|(start, end)| whole().fragment(id, start, end).bytes())
    };
    let first = udp("10.0.0.1:5000", "198.18.0.9:53").payload(&[7; 64]);
    let first = first.fragment(1, 0, 32).bytes();
    for id in 0..20_u16 {
        let [opening, rest] = datagram(id.into());
        assert_eq!(third.run(netns, *at_third, &opening), Verdict::Accept);
        // Each of another datagram, twice as many as there is room for.
        let passed = flooder.run_varied(
            netns,
            *at_flooder,
            first.clone(),
            0..2048,
            |number, frame| {
                let number = number + u32::from(id) * 2048;
                frame[18..20].copy_from_slice(&(number as u16).to_be_bytes());
                frame[30..34].copy_from_slice(&(0xc612_0000 + (number >> 16)).to_be_bytes());
            },
        );
        assert_eq!(passed, 2048);
        assert_eq!(third.run(netns, *at_third, &rest), Verdict::Accept, "{id}");
    }
    assert!(count(&node, 1, "fragment_displaced") > 10_000);
    assert_eq!(count(&node, 3, "fragment_displaced"), 0);
    assert_eq!(count(&node, 3, "fragment"), 20);
}

#[test]
fn whoever_gets_a_slot_gets_none_of_the_connections_of_its_former_owner() {
    let mut node = Node::new("fair-slot");
    let _taps = [1, 2].map(|number| node.tap(&vm(number).interface()));
    node.start(&inventory(1..=1));
    let first = crowd(&node, 1);
    assert_eq!(first.be_served(0..5), 15);
    assert_eq!(first.open(5..25), 20);
    assert_eq!(node.query("flows list").as_array().unwrap().len(), 25);
    let freed = slot(&node, 1);

    node.apply(&inventory(0..0)).expect(0);
    node.apply(&inventory(2..=2)).expect(0);

    assert_eq!(slot(&node, 2), freed, "another slot proves nothing");
    let left = node.query("flows list");
    assert_eq!(left.as_array().map(Vec::len), Some(0), "{left}");
    assert_eq!(held(&node, Fair::Embryos4)[freed], 0);
}
