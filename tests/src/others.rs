//! Programs of others on the interfaces of a node, which has to get along with them.

use std::fs;

use aya::programs::links::LinkOrder;
use aya::programs::tc::{SchedClassifierLink, TcAttachOptions};
use aya::programs::{SchedClassifier, TcAttachType};

use crate::bench::empty;
use crate::node::Node;

/// `TC_ACT_OK`: the packet passes, and no further program is asked.
pub const PASS: i32 = 0;

/// `TC_ACT_UNSPEC`: the next program is asked.
pub const NEXT: i32 = -1;

/// The hook where the interface receives: what its VM sends.
pub const FROM_VM: TcAttachType = TcAttachType::Ingress;

/// The hook where the interface transmits: what its VM receives.
pub const TO_VM: TcAttachType = TcAttachType::Egress;

/// A program on an interface, taken off on drop.
pub struct Other {
    _link: SchedClassifierLink,
    _program: SchedClassifier,
}

impl Other {
    /// Attaches a program that says the same of every packet, by tcx and behind those that are there.
    ///
    /// # Panics
    /// If the kernel refuses.
    #[must_use]
    pub fn new(node: &Node, interface: &str, hook: TcAttachType, code: i32) -> Self {
        Self::at(node, interface, hook, code, LinkOrder::last())
    }

    /// As [`Other::new`], before those that are there.
    #[must_use]
    pub fn first(node: &Node, interface: &str, hook: TcAttachType, code: i32) -> Self {
        Self::at(node, interface, hook, code, LinkOrder::first())
    }

    fn at(node: &Node, interface: &str, hook: TcAttachType, code: i32, order: LinkOrder) -> Self {
        let pin = node.bpffs().join("other");
        empty::pin_saying(&pin, code);
        let program = SchedClassifier::from_pin(&pin);
        let mut program = program.unwrap_or_else(|e| panic!("cannot open {pin:?}: {e}"));
        fs::remove_file(&pin).unwrap_or_else(|e| panic!("cannot remove {pin:?}: {e}"));
        let options = TcAttachOptions::TcxOrder(order);
        let attach = || {
            let id = program.attach_with_options(interface, hook, options)?;
            program.take_link(id)
        };
        let link = node.netns().run(attach);
        let link = link.unwrap_or_else(|e| panic!("cannot attach to {interface}: {e}"));
        Self {
            _link: link,
            _program: program,
        }
    }
}
