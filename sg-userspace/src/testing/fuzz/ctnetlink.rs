//! What nf_conntrack tells over netlink.

use sg_common::layout::flow::Side;

use crate::ctnetlink::{Dump, read};
use crate::flows::kernel::KernelFlows;

fn check(answer: &[u8]) {
    let mut dump = Dump::default();
    let read = read(answer, &mut dump);
    let told = dump.flows.len() as u64 + dump.unreadable;
    // A message has a header of 16 bytes.
    assert!(told <= answer.len() as u64 / 16, "{told} {read:?}");
    for flow in &dump.flows {
        for end in [Side::Original, Side::Reply] {
            let _ = flow.record(end);
        }
    }
    let flows = KernelFlows::new(dump.flows);
    let _ = (
        flows.zones(),
        flows.of(&["10.0.0.0/8".parse().unwrap()]).len(),
    );
}

super::target!("ctnetlink", check);
