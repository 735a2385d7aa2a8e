//! Memory that is given to another connection while a program works on the one before.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use bytemuck::pod_read_unaligned;
use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;
use sg_common::conntrack::tcp::State;
use sg_common::layout::flow::{Flow, FlowKey4};
use sg_common::layout::maps::name;
use sg_common::wire::protocol;
use sg_tests::crowd::Crowd;
use sg_tests::inventory::{Inventory, group, port};
use sg_tests::node::Node;
use sg_tests::testrun::PinnedHash;

type Connections = PinnedHash<{ size_of::<FlowKey4>() }, { size_of::<Flow>() }>;

/// Rounds of the work. `SG_RACES` sets another number.
const ROUNDS: u32 = 400;

/// Connections in a round: more than the table holds.
const AT_ONCE: u32 = 200;

#[test]
fn a_table_in_which_each_takes_the_place_of_the_other_mixes_no_two_connections() {
    let rounds = std::env::var("SG_RACES").map_or(ROUNDS, |number| number.parse().unwrap());
    let mut node = Node::new("races");
    let vm = port("VM").ip("10.0.0.1").groups(&["ANY"]);
    let interface = vm.interface();
    let _tap = node.tap(&interface);
    let inventory = Inventory::new()
        .port(vm)
        .group(group("ANY").default_egress());
    std::fs::write(node.inventory_path(), inventory.json().to_string()).unwrap();
    node.start_with(&["--max-unproven", "128"]);

    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let work = |cpu: usize, server: &'static str| {
            let (node, over, interface) = (&node, &over, &interface);
            scope.spawn(move || {
                let mut cpus = CpuSet::new();
                cpus.set(cpu).unwrap();
                sched_setaffinity(Pid::from_raw(0), &cpus).unwrap();
                let crowd = Crowd::of(node, interface, server);
                for round in 0..rounds {
                    if over.load(Ordering::Relaxed) {
                        break;
                    }
                    // Other connections in every round, each met some times.
                    let first = round * AT_ONCE % 50_000;
                    for _ in 0..3 {
                        match cpu {
                            0 => {
                                crowd.ask(first..first + AT_ONCE)
                                    + crowd.tell(first..first + AT_ONCE)
                            }
                            _ => {
                                crowd.open(first..first + AT_ONCE)
                                    + crowd.accept(first..first + AT_ONCE)
                            }
                        };
                    }
                }
            })
        };
        let done = [work(0, "10.0.0.1:5000"), work(1, "10.0.0.1:5001")];
        while !done.iter().all(thread::ScopedJoinHandle::is_finished) {
            let mixed = mixed(&node);
            over.store(!mixed.is_empty(), Ordering::Relaxed);
            assert!(mixed.is_empty(), "{mixed:#?}");
        }
    });
    assert_eq!(mixed(&node), [""; 0]);
}

/// The entries that have something of another kind of connection.
fn mixed(node: &Node) -> Vec<String> {
    let tables = Connections::within(&node.map(name::EMBRYOS4));
    let mut mixed = Vec::new();
    for table in tables.values() {
        for raw in table.raw_keys() {
            let Some(value) = table.get(raw) else {
                continue;
            };
            let (key, flow): (FlowKey4, Flow) =
                (pod_read_unaligned(&raw), pod_read_unaligned(&value));
            let word = flow.word();
            // An entry that has ended, or is being replaced, is nobody's.
            if word.nonce() == 0 {
                continue;
            }
            let state = State::from_number(word.state());
            let sound = match key.whose.protocol() {
                protocol::UDP => {
                    word.state() == 0 && flow.max_end == [0; 2] && key.local_port == 5000
                }
                protocol::TCP => {
                    matches!(state, State::SynSent | State::SynRecv) && key.local_port == 5001
                }
                _ => false,
            };
            if !sound {
                mixed.push(format!("{key:?} has {flow:?}, {state:?}"));
            }
        }
    }
    mixed
}
