//! Single packets through the programs of the real object.

use std::env;
use std::path::PathBuf;

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

/// The verifier gives up after a million instructions, and older kernels walk more of them.
const BUDGETS: [(&str, u32); 11] = [
    ("from_vm", 100_000),
    ("to_vm", 100_000),
    ("from_vm_xdp", 100_000),
    ("guard", 100_000),
    ("whole_from_vm", 700_000),
    ("whole_from_vm_xdp", 700_000),
    ("whole_to_vm", 700_000),
    ("sweep_start", 20_000),
    ("sweep_step", 20_000),
    ("adopt", 10_000),
    ("dismiss", 10_000),
];

#[test]
fn the_verifier_accepts_the_programs_with_room_to_spare() {
    for (name, budget) in BUDGETS {
        let walked = Program::load(&object(), name).verified_instructions();
        println!("{name}: {walked} instructions walked");
        assert!(walked < budget, "{name}: {walked} of {budget} instructions");
    }
}

/// The object file that `cargo xtask` built.
fn object() -> PathBuf {
    let path = env::var_os("SG_EBPF_OBJECT");
    path.expect("SG_EBPF_OBJECT does not say where the object is: run `cargo xtask test`")
        .into()
}
