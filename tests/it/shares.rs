//! A flood of one VM is not felt by another: what evicts, each port has of its own.

use std::fs;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use bytemuck::pod_read_unaligned;
use serde_json::{Value, json};
use sg_common::hook::Hook;
use sg_common::layout::maps::name;
use sg_common::layout::port::SlotPorts;
use sg_tests::crowd::{Crowd, assured, unproven, wait_until};
use sg_tests::inventory::{Inventory, Port, group, port};
use sg_tests::node::Node;
use sg_tests::packet::udp;
use sg_tests::tap::Tap;
use sg_tests::testrun::{Program, Verdict, elements};

/// Ports on the node.
const PORTS: u32 = 60;

/// How long a handshake takes.
const HANDSHAKE: Duration = Duration::from_millis(200);

/// Connections that one VM opens under the flood of two others. `SG_HANDSHAKES` sets another number:
/// 10,000 take a minute.
const HANDSHAKES: u32 = 500;

/// Connections under way at once.
const AT_ONCE: u32 = 34;

/// Room of each port for unproven connections.
const ROOM: u32 = 1024;

/// Longer than a round of the sweep and a slow machine take.
const SOON: Duration = Duration::from_secs(60);

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

/// A node of VMs, each with its tap. What is stored does not expire.
fn node(label: &str, ports: u32) -> (Node, Vec<Tap>) {
    let mut node = Node::new(label);
    let taps = (1..=ports).map(|number| node.tap(&vm(number).interface()));
    let taps = taps.collect();
    let document = inventory(1..=ports).json().to_string();
    fs::write(node.inventory_path(), document).unwrap();
    let settings = node.directory().join("settings.toml");
    fs::write(&settings, "timeouts.udp = 3600\n").unwrap();
    node.start_with(&[
        "--settings",
        settings.to_str().unwrap(),
        "--max-unproven",
        &ROOM.to_string(),
        "--max-fragments",
        "128",
    ]);
    (node, taps)
}

/// The programs at a VM's tap, and what passes through them.
fn crowd(node: &Node, number: u32) -> Crowd<'_> {
    let address = format!("10.0.0.{number}:5000");
    Crowd::of(node, &vm(number).interface(), &address)
}

/// A counter of a VM, both directions.
fn count(node: &Node, number: u32, reason: &str) -> u64 {
    let counters = node.query(&format!("counters VM{number}"));
    let of = |direction: &str| counters[0][direction][reason]["packets"].as_u64();
    let counts = ["ingress", "egress"].map(|direction| of(direction).expect("a count"));
    counts.iter().sum()
}

/// What a list of tables says of one: used and capacity.
fn fill(tables: &Value, name: &str) -> (u64, u64) {
    let tables = tables["tables"].as_array().expect("tables");
    let table = tables.iter().find(|fill| fill["name"] == name);
    let number = |field: &str| table.and_then(|fill| fill[field].as_u64());
    (
        number("used").expect("a number"),
        number("capacity").expect("a number"),
    )
}

/// The slot of a VM.
fn slot(node: &Node, number: u32) -> u32 {
    let slots = elements::<{ size_of::<SlotPorts>() }>(&node.map(name::SLOT_PORTS));
    let in_force = |slot: &SlotPorts| slot.ports[slot.turn as usize & 1];
    let mut ports = slots.iter().map(|slot| in_force(&pod_read_unaligned(slot)));
    let port = ports.find(|port| port.uuid == *vm(number).id().as_bytes());
    port.expect("the port is in force").slot
}

#[test]
fn handshakes_succeed_while_two_other_vms_flood() {
    let handshakes = std::env::var("SG_HANDSHAKES");
    let handshakes = handshakes.map_or(HANDSHAKES, |number| number.parse().unwrap());
    let (node, _taps) = node("flood-next-door", PORTS);
    let idle = crowd(&node, 4);
    assert_eq!(idle.ask(0..20), 20);
    let (mut accepted, mut told) = (0, 0);
    let over = AtomicBool::new(false);
    let start = Instant::now();
    let flooded = thread::scope(|scope| {
        let floods = [1, 2].map(|number| {
            let (node, over) = (&node, &over);
            scope.spawn(move || {
                let crowd = crowd(node, number);
                let mut flooded = 0;
                while !over.load(Ordering::Relaxed) {
                    flooded += crowd.ask(flooded..flooded + 1000);
                }
                flooded
            })
        });
        let third = crowd(&node, 3);
        // Until the tables of both are full.
        thread::sleep(HANDSHAKE * 5);
        for first in (0..handshakes).step_by(AT_ONCE as usize) {
            let batch = first..handshakes.min(first + AT_ONCE);
            let asked = third.open(batch.clone()) + third.ask(batch.clone());
            assert_eq!(asked, 2 * (batch.end - batch.start));
            thread::sleep(HANDSHAKE);
            accepted += third.accept(batch.clone());
            told += third.tell(batch);
        }
        over.store(true, Ordering::Relaxed);
        floods.map(|flood| flood.join().expect("a flood"))
    });
    let pace = f64::from(flooded[0] + flooded[1]) / start.elapsed().as_secs_f64() / 1e6;
    eprintln!(
        "{accepted} TCP and {told} UDP of {handshakes} handshakes succeeded under {pace:.2} million new \
         connections a second"
    );
    assert_eq!((accepted, told), (handshakes, handshakes));
    assert_eq!(idle.tell(0..20), 20, "what waited all the time is there");
    for (number, flooded) in [1, 2].into_iter().zip(flooded) {
        assert!(flooded > 8 * ROOM, "VM{number} was no flood: {flooded}");
    }

    // Every connection is there or was displaced by others of its port, and counted there.
    let opened = [flooded[0], flooded[1], 2 * handshakes, 20];
    wait_until(SOON, "all that was displaced is counted", || {
        let held = unproven(&node);
        (1..=4).zip(opened).all(|(number, opened)| {
            let there = held[&slot(&node, number)] as u64;
            there + count(&node, number, "flow_displaced") == u64::from(opened)
        })
    });
    assert_eq!(count(&node, 4, "flow_displaced"), 0);

    // What is shown is what is there: an LRU keeps some entries free.
    let held = unproven(&node);
    for number in [1, 2] {
        let there = held[&slot(&node, number)] as u64;
        let shown = node.query(&format!("show port VM{number}"));
        assert_eq!(fill(&shown, "embryos4"), (there, ROOM.into()));
        assert!(there >= u64::from(ROOM) / 2, "VM{number} has {there}");
    }
    let all = held.values().sum::<usize>() as u64;
    let status = node.query("status");
    assert_eq!(
        fill(&status, "embryos4"),
        (all, u64::from(PORTS) * u64::from(ROOM))
    );
}

#[test]
fn fragments_of_one_vm_are_found_while_another_floods() {
    let (node, _taps) = node("fragments-next-door", 2);
    let netns = node.netns();
    let [(flooder, at_flooder), (other, at_other)] = [1, 2].map(|number| {
        let interface = vm(number).interface();
        let program = Program::attached(netns, &interface, Hook::FromVm);
        (program, netns.ifindex(&interface))
    });
    let fragment = |vm: &str, id, start, end| {
        let whole = udp(vm, "198.18.0.9:53").payload(&[7; 64]);
        whole.fragment(id, start, end).bytes()
    };
    let flood = 2048;
    for id in 0..20 {
        let first = fragment("10.0.0.2:5000", id, 0, 32);
        assert_eq!(other.run(netns, at_other, &first), Verdict::Accept);
        // Each of another datagram, many times as many as there is room for.
        let first = fragment("10.0.0.1:5000", 1, 0, 32);
        let passed = flooder.run_varied(netns, at_flooder, first, 0..flood, |number, frame| {
            let address = 0xc612_0000 + id * flood + number;
            frame[30..34].copy_from_slice(&address.to_be_bytes());
        });
        assert_eq!(passed, flood);
        let rest = fragment("10.0.0.2:5000", id, 32, 72);
        assert_eq!(other.run(netns, at_other, &rest), Verdict::Accept, "{id}");
    }
    assert_eq!(count(&node, 2, "fragment"), 20);
    wait_until(SOON, "what was displaced is counted", || {
        count(&node, 1, "fragment_displaced") >= u64::from(20 * flood - 128)
    });
    assert_eq!(count(&node, 2, "fragment_displaced"), 0);
}

#[test]
fn whoever_gets_a_slot_gets_none_of_the_connections_of_its_former_port() {
    let mut node = Node::new("slot-again");
    let _taps = [1, 2].map(|number| node.tap(&vm(number).interface()));
    node.start(&inventory(1..=1));
    assert_eq!(crowd(&node, 1).ask(0..20), 20);
    let freed = slot(&node, 1);
    assert_eq!(unproven(&node).get(&freed), Some(&20));

    node.apply(&inventory(0..0)).expect(0);
    assert_eq!(unproven(&node).get(&freed), None, "its table went with it");
    node.apply(&inventory(2..=2)).expect(0);

    assert_eq!(slot(&node, 2), freed, "another slot proves nothing");
    assert_eq!(unproven(&node).get(&freed), Some(&0));
    let left = node.query("flows list");
    assert_eq!(left.as_array().map(Vec::len), Some(0), "{left}");
    assert_eq!(count(&node, 2, "flow_displaced"), 0);
}

#[test]
fn an_heir_of_slot_and_address_has_none_of_the_established_connections() {
    let heir = port("HEIR").ip("10.0.0.1").groups(&["ANY"]);
    let mut node = Node::new("heir");
    let _taps = [vm(1), heir.clone()].map(|port| node.tap(&port.interface()));
    node.start(&inventory(1..=1));
    assert_ne!(crowd(&node, 1).be_served(0..20), 0);
    assert_eq!(assured(&node), 20);

    node.apply(&inventory(0..0)).expect(0);
    node.apply(&inventory(0..0).port(heir.clone())).expect(0);

    assert_eq!(assured(&node), 0);
    let peers = Crowd::of(&node, &heir.interface(), "10.0.0.1:5000");
    assert_eq!(peers.accept(0..20), 0, "no rule lets them in");
    assert_ne!(peers.be_served(0..20), 0, "its own are served");
}

#[test]
fn a_port_that_cannot_have_its_tables_waits_alone() {
    const SUBPORTS: u32 = 100;
    let subport = |number: u32| {
        port(&format!("SUB{number}"))
            .ip(&format!("10.1.0.{number}"))
            .groups(&["ANY"])
    };
    let trunk: Vec<_> = (1..=SUBPORTS)
        .map(|number| {
            json!({
                "port_id": subport(number).id(), "segmentation_id": number, "segmentation_type": "vlan",
                "mac_address": subport(number).mac_address().to_string(),
            })
        })
        .collect();
    let parent = port("PARENT")
        .ip("10.0.0.99")
        .groups(&["ANY"])
        .with("trunk_details", json!({"sub_ports": trunk}));
    let mut node = Node::new("waits-alone");
    let _taps = [vm(1), parent.clone()].map(|port| node.tap(&port.interface()));
    let before = inventory(1..=1).port(
        parent
            .clone()
            .with("trunk_details", json!({"sub_ports": []})),
    );
    node.start(&before);
    assert_eq!(crowd(&node, 1).ask(0..1), 1);
    let after = (1..=SUBPORTS)
        .map(subport)
        .fold(inventory(0..0), Inventory::port)
        .port(parent)
        .port(vm(1).groups(&["NOTHING"]))
        .group(group("NOTHING"));

    // A table has a descriptor until it is in its place.
    let pid = node.daemon_pid();
    let open = fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count();
    let limit = |most: usize| {
        let limit = format!("--nofile={most}:20000");
        let mut command = Command::new("prlimit");
        command.args(["--pid", &pid.to_string(), &limit]);
        node.output(command).expect(0);
    };
    limit(open + SUBPORTS as usize / 2);
    let refused = node.apply(&after);
    assert_ne!(refused.code, 0, "{}", refused.stdout);
    assert_eq!(
        crowd(&node, 1).ask(0..1),
        0,
        "what was revoked does not wait"
    );

    limit(20_000);
    node.apply(&after).expect(0);
    let ports = node.query("list ports");
    let states = ports.as_array().unwrap().iter().map(|port| &port["state"]);
    assert!(states.clone().all(|state| state == "enforcing"), "{ports}");
    assert_eq!(states.count() as u32, SUBPORTS + 2);
}

#[test]
fn a_restart_keeps_the_connections_that_are_not_proven_yet() {
    let mut node = Node::new("unproven-restart");
    let _tap = node.tap(&vm(1).interface());
    node.start(&inventory(1..=1));
    assert_eq!(crowd(&node, 1).ask(0..20) + crowd(&node, 1).open(0..20), 40);

    node.terminate();
    node.start(&inventory(1..=1));

    let listed = node.query("flows list");
    assert_eq!(listed.as_array().map(Vec::len), Some(40), "{listed}");
    assert_eq!(
        crowd(&node, 1).tell(0..20) + crowd(&node, 1).accept(0..20),
        40
    );
}

#[test]
fn connections_that_are_deleted_by_hand_are_not_taken_for_displaced() {
    let (node, _taps) = node("deleted-by-hand", 1);
    let vm1 = crowd(&node, 1);
    assert_eq!(vm1.ask(0..20), 20);
    let deleted = node.query("flows delete --port VM1 -p udp");
    assert_eq!(deleted.as_array().map(Vec::len), Some(20), "{deleted}");
    assert_eq!(vm1.tell(0..20), 0, "they are gone");

    assert_eq!(vm1.ask(0..3 * ROOM), 3 * ROOM);
    let slot = slot(&node, 1);
    wait_until(SOON, "what was displaced is counted", || {
        let there = unproven(&node)[&slot] as u64;
        count(&node, 1, "flow_displaced") + there == u64::from(3 * ROOM)
    });
}

#[test]
fn a_port_without_its_tables_remembers_nothing_and_says_so() {
    let (node, _taps) = node("no-table", 2);
    let vm1 = crowd(&node, 1);
    assert_eq!(vm1.ask(0..1) + vm1.tell(0..1), 2);

    let [a, b, c, d] = slot(&node, 1).to_le_bytes();
    let map = node.map(name::EMBRYOS4);
    let delete = format!("map delete pinned {} key {a} {b} {c} {d}", map.display());
    let mut command = Command::new("bpftool");
    command.args(delete.split_whitespace());
    node.output(command).expect(0);

    assert_eq!(vm1.tell(0..1), 0, "its connection is forgotten");
    assert_eq!(vm1.ask(1..2), 1, "it may ask");
    assert_eq!(vm1.tell(1..2), 0, "and gets no answer");
    assert_eq!(count(&node, 1, "flow_not_stored"), 1);
    let other = crowd(&node, 2);
    assert_eq!(other.be_served(0..10), 30);
    assert_eq!(assured(&node), 10);
}
