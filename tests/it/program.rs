//! Single packets through the programs of the real object.

use std::path::PathBuf;
use std::{env, fs};

use sg_tests::node::Node;
use sg_tests::packet::tcp;
use sg_tests::testrun::{Program, Verdict};
use sg_tests::vm::RawVm;

#[test]
fn a_packet_at_an_interface_without_a_port_is_dropped() {
    let node = Node::new("closed");
    let _tap = RawVm::on(&node, "tap-one");
    let ifindex = node.netns().ifindex("tap-one");
    let packet = tcp("10.0.0.1:31245", "10.0.0.2:80").syn();

    for name in ["from_vm", "to_vm", "from_vm_xdp", "guard"] {
        let program = Program::load(&object(), name);
        let verdict = program.run(node.netns(), ifindex, &packet.bytes());
        assert_eq!(verdict, Verdict::Drop, "{name}: {packet}");
    }
}

/// Linux releases, each of which begins a column of [`BUDGETS`].
const SINCE: [(u32, u32); 2] = [(0, 0), (6, 12)];

/// How many instructions the verifier may walk through before it accepts a program. It gives up at a million,
/// and older ones walk more of them: they do not see as often that a path is like one they know. The second
/// programs of tc have the most on those: each header that they read may first have to be pulled.
const BUDGETS: [(&str, [u32; SINCE.len()]); 11] = [
    ("from_vm", [100_000, 60_000]),
    ("to_vm", [100_000, 60_000]),
    ("from_vm_xdp", [100_000, 60_000]),
    ("guard", [100_000, 60_000]),
    ("whole_from_vm", [700_000, 700_000]),
    ("whole_from_vm_xdp", [700_000, 500_000]),
    ("whole_to_vm", [700_000, 500_000]),
    ("sweep_start", [60_000, 60_000]),
    ("sweep_step", [60_000, 60_000]),
    ("adopt", [10_000, 10_000]),
    ("dismiss", [10_000, 10_000]),
];

#[test]
fn the_verifier_accepts_the_programs_with_room_to_spare() {
    let release = kernel_release();
    let column = SINCE.iter().rposition(|since| *since <= release).unwrap();
    let mut over = Vec::new();
    for (name, budgets) in BUDGETS {
        let budget = budgets[column];
        let walked = Program::load(&object(), name).verified_instructions();
        println!("{name}: {walked} of {budget} instructions walked");
        if walked > budget {
            over.push(name);
        }
    }
    assert!(over.is_empty(), "over their budgets: {over:?}");
}

/// The major and the minor number of the running kernel.
fn kernel_release() -> (u32, u32) {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let mut numbers = release.split('.').map(|number| number.parse().unwrap());
    (numbers.next().unwrap(), numbers.next().unwrap())
}

/// The object file that `cargo xtask` built.
fn object() -> PathBuf {
    let path = env::var_os("SG_EBPF_OBJECT");
    path.expect("SG_EBPF_OBJECT does not say where the object is: run `cargo xtask test`")
        .into()
}
