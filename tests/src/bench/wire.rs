//! The way of a packet on a node with `iptables_hybrid`'s wiring, and what puts packets on it and counts them at
//! the ends. Nothing reads the tap and nothing has a network stack, so all the work is in the thread that lets
//! frames in.
//!
//! ```text
//!  counter ─ tap ─ qbr ─ qvb ══ qvo ─ counter
//!        the node's namespace │ a namespace of its own
//! ```

use std::os::fd::AsFd;
use std::thread;
use std::time::Duration;

use sg_common::hook::Hook;

use super::clock::{self, Taken};
use super::code::{self, Peer};
use super::kernel::{Counter, Kind, Link, Program, filter_queue};
use super::rules;
use super::side::Wiring;
use crate::netns::Netns;
use crate::tap::Tap;

/// `TC_ACT_SHOT`.
const DROP: i32 = 2;
/// `XDP_PASS`.
const PASS: i32 = 2;

/// The bridge of the measured port.
pub const BRIDGE: &str = "qbr0";
/// The other end of the veth pair behind it.
pub const FAR: &str = "qvo0";

/// A wired port.
#[derive(Debug)]
pub struct Wire {
    /// The port's tap.
    pub tap: Tap,
    /// Where frames come in, by the hook that they meet.
    entries: [u32; 2],
    /// How many came out, by the hook that they met.
    out: [Counter; 2],
    _links: [Link; 2],
    _far: Netns,
}

/// Frames of many peers, to be let in one after the other.
#[derive(Debug)]
pub struct Frames {
    hook: Hook,
    frame: Vec<u8>,
    program: Program,
    next: Counter,
}

/// What one sample shows.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// Nanoseconds of CPU time a frame.
    pub ns: f64,
    /// Frames that were let in.
    pub sent: u32,
    /// Those that came out.
    pub out: u32,
    /// What it took in all.
    pub taken: Taken,
}

impl Wiring for Wire {
    fn new(node: &Netns) -> Self {
        let far = Netns::new("far");
        for netns in [node, &far] {
            netns.set("ipv6/conf/all/disable_ipv6", "1");
            netns.set("ipv6/conf/default/disable_ipv6", "1");
        }
        let name = rules::server().interface();
        let qvb = rules::beyond(&name);
        bridge(node, &name, &far);
        let tap = Tap::new(node, &name, None);
        node.ip(&format!("link set {name} master {BRIDGE} up"));
        let out = [Counter::new(), Counter::new()];
        let [from_vm, to_vm] = &out;
        let count = Program::load(Kind::SchedCls, &code::counting(from_vm.fd(), DROP));
        let far_end = far.ifindex(FAR);
        let link = far.run(|| Link::tcx(&count, far_end, Hook::FromVm));
        let count = Program::load(Kind::SocketFilter, &code::counting(to_vm.fd(), 0));
        filter_queue(tap.as_fd(), &count);
        // A veth without XDP has no queue that frames could come from.
        let pass = Program::load(Kind::Xdp, &code::verdict(PASS));
        let near_end = node.ifindex(&qvb);
        let xdp = node.run(|| Link::xdp(&pass, near_end));
        Self {
            entries: [node.ifindex(&name), near_end],
            tap,
            out,
            _links: [link, xdp],
            _far: far,
        }
    }

    fn ifindex(&self) -> u32 {
        self.entries[Hook::FromVm as usize]
    }
}

impl Wire {
    /// How many frames have come out that met this hook.
    #[must_use]
    pub fn out(&self, hook: Hook) -> u64 {
        self.out[hook as usize].get()
    }

    /// Lets in frames of so many peers from the next on, at the node.
    #[must_use]
    pub fn sample(&self, node: &Netns, frames: &Frames, count: u32) -> Sample {
        let before = self.out(frames.hook);
        let ((), taken) = node.run(|| clock::time(|| self.let_in(frames, count)));
        let mut out = self.out(frames.hook) - before;
        if out < u64::from(count) {
            // What ksoftirqd has taken over comes later, if it is to come at all.
            thread::sleep(Duration::from_millis(1));
            out = self.out(frames.hook) - before;
        }
        Sample {
            ns: taken.cpu.as_nanos() as f64 / f64::from(count),
            sent: count,
            out: u32::try_from(out).unwrap_or(u32::MAX),
            taken,
        }
    }

    /// Lets in frames from a thread that is in the node's namespace.
    pub fn let_in(&self, frames: &Frames, count: u32) {
        let entry = self.entries[frames.hook as usize];
        frames.program.let_in(entry, &frames.frame, count);
    }
}

impl Frames {
    /// Frames like this one, that meet this hook, of so many peers, all over the tables.
    #[must_use]
    pub fn mixed(hook: Hook, frame: Vec<u8>, peers: u32) -> Self {
        Self::new(hook, frame, peers, code::STRIDE)
    }

    /// The same, one peer after the other.
    #[must_use]
    pub fn in_order(hook: Hook, frame: Vec<u8>) -> Self {
        Self::new(hook, frame, rules::PEER_COUNT, 1)
    }

    fn new(hook: Hook, frame: Vec<u8>, peers: u32, stride: i32) -> Self {
        let next = Counter::new();
        let peer = match hook {
            Hook::FromVm => Peer::Receives,
            Hook::ToVm => Peer::Sends,
        };
        let code = code::varying(next.fd(), &frame, peer, (peers, stride));
        Self {
            hook,
            program: Program::load(Kind::Xdp, &code),
            frame,
            next,
        }
    }

    /// Which peer is the next.
    #[must_use]
    pub fn next(&self) -> u64 {
        self.next.get()
    }

    /// Makes this one the next peer.
    pub fn rewind(&self, next: u64) {
        self.next.set(next);
    }
}

/// Makes the bridge for a tap of this name, and the way from it to the namespace beyond.
pub fn bridge(node: &Netns, tap: &str, far: &Netns) {
    let qvb = rules::beyond(tap);
    node.ip(&format!(
        "link add {BRIDGE} type bridge mcast_snooping 0 stp_state 0 forward_delay 0"
    ));
    node.ip(&format!("link set {BRIDGE} up"));
    node.ip(&format!(
        "link add {qvb} type veth peer name {FAR} netns {}",
        far.name()
    ));
    node.ip(&format!("link set {qvb} master {BRIDGE} up"));
    far.ip(&format!("link set {FAR} up"));
}
