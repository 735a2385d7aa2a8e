//! Many connections to one port, packet by packet through the programs of the kernel.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::{Duration, Instant};

use sg_common::hook::Hook;
use sg_common::layout::flow::{Flow, FlowKey4};
use sg_common::layout::maps::name;

use crate::node::Node;
use crate::packet::{tcp, udp};
use crate::testrun::{PinnedHash, Program};

/// Where a frame has the addresses and ports of IPv4 without options.
const SOURCE: [Range<usize>; 2] = [26..30, 34..36];
const DESTINATION: [Range<usize>; 2] = [30..34, 36..38];

/// Connections are opened so many at a time, that none is evicted before it is proven.
const BATCH: u32 = 1000;

/// Clients of a server behind a tap; each is a number.
#[derive(Debug)]
pub struct Crowd<'a> {
    node: &'a Node,
    interface: String,
    /// The server, `ADDRESS:PORT`.
    server: String,
    programs: [Program; 2],
}

impl<'a> Crowd<'a> {
    /// Of the server at an interface of a node.
    #[must_use]
    pub fn of(node: &'a Node, interface: &str, server: &str) -> Self {
        let programs = Hook::ALL;
        Self {
            node,
            interface: interface.to_owned(),
            server: server.to_owned(),
            programs: programs.map(|hook| Program::attached(node.netns(), interface, hook)),
        }
    }

    /// Each client opens a connection, which is established then. Returns how many packets passed.
    pub fn connect(&self, clients: Range<u32>) -> u32 {
        let mut passed = 0;
        for first in clients.clone().step_by(BATCH as usize) {
            let batch = first..clients.end.min(first + BATCH);
            passed += self.syn(batch.clone());
            passed += self.answer(batch.clone(), |server, client| {
                tcp(server, client).syn_ack().bytes()
            });
            passed += self.acknowledge(batch);
        }
        passed
    }

    /// The same the other way round: the VM opens a connection to each.
    pub fn be_served(&self, servers: Range<u32>) -> u32 {
        let mut passed = 0;
        for first in servers.clone().step_by(BATCH as usize) {
            let batch = first..servers.end.min(first + BATCH);
            passed += self.open(batch.clone());
            passed += self.accept(batch.clone());
            passed += self.answer(batch, |vm, peer| tcp(vm, peer).ack().bytes());
        }
        passed
    }

    /// The VM opens a connection to each.
    pub fn open(&self, servers: Range<u32>) -> u32 {
        self.answer(servers, |vm, peer| tcp(vm, peer).syn().bytes())
    }

    /// Each accepts the connection that the VM has opened to it.
    pub fn accept(&self, servers: Range<u32>) -> u32 {
        self.to_vm(servers, |peer, vm| tcp(peer, vm).syn_ack().bytes())
    }

    /// The VM asks each by UDP.
    pub fn ask(&self, servers: Range<u32>) -> u32 {
        self.answer(servers, |vm, peer| udp(vm, peer).bytes())
    }

    /// Each answers by UDP.
    pub fn tell(&self, servers: Range<u32>) -> u32 {
        self.to_vm(servers, |peer, vm| udp(peer, vm).bytes())
    }

    /// A SYN of each client.
    pub fn syn(&self, clients: Range<u32>) -> u32 {
        self.to_vm(clients, |client, server| tcp(client, server).syn().bytes())
    }

    /// An ACK of each client, which belongs to an established connection.
    pub fn acknowledge(&self, clients: Range<u32>) -> u32 {
        self.to_vm(clients, |client, server| tcp(client, server).ack().bytes())
    }

    fn to_vm(&self, clients: Range<u32>, frame: impl Fn(&str, &str) -> Vec<u8>) -> u32 {
        let frame = frame("198.18.0.0:1024", &self.server);
        self.run(Hook::ToVm, clients, frame, SOURCE)
    }

    fn answer(&self, clients: Range<u32>, frame: impl Fn(&str, &str) -> Vec<u8>) -> u32 {
        let frame = frame(&self.server, "198.18.0.0:1024");
        self.run(Hook::FromVm, clients, frame, DESTINATION)
    }

    fn run(
        &self,
        hook: Hook,
        clients: Range<u32>,
        frame: Vec<u8>,
        place: [Range<usize>; 2],
    ) -> u32 {
        let netns = self.node.netns();
        let program = &self.programs[hook as usize];
        program.run_varied(
            netns,
            netns.ifindex(&self.interface),
            frame,
            clients,
            |client, frame| {
                let [address, port] = place.clone();
                frame[address].copy_from_slice(&(0xc612_0000 + client / 60_000).to_be_bytes());
                frame[port].copy_from_slice(&(1024 + (client % 60_000) as u16).to_be_bytes());
            },
        )
    }
}

/// A table of IPv4 connections.
type Connections = PinnedHash<{ size_of::<FlowKey4>() }, { size_of::<Flow>() }>;

/// Assured IPv4 connections of a node.
#[must_use]
pub fn assured(node: &Node) -> usize {
    let flows = Connections::open(&node.map(name::FLOWS4));
    flows.keys::<FlowKey4>().len()
}

/// IPv4 connections of a node that are not assured, by the slot of their port.
#[must_use]
pub fn unproven(node: &Node) -> BTreeMap<u32, usize> {
    Unproven::of(node).count()
}

/// The tables that ports have of the IPv4 connections that are not assured. Before Linux 6.8 each look for one
/// waits: together they take longer than short-lived connections live, while counting what is in them does not.
#[derive(Debug)]
pub struct Unproven(BTreeMap<u32, Connections>);

impl Unproven {
    /// Those of a node's ports.
    #[must_use]
    pub fn of(node: &Node) -> Self {
        Self(Connections::within(&node.map(name::EMBRYOS4)))
    }

    /// How many connections each has, by slot.
    #[must_use]
    pub fn count(&self) -> BTreeMap<u32, usize> {
        let tables = self.0.iter();
        let counted = tables.map(|(slot, table)| (*slot, table.keys::<FlowKey4>().len()));
        counted.collect()
    }
}

/// Waits until something is so.
///
/// # Panics
/// If it is not so in time.
pub fn wait_until(limit: Duration, what: &str, mut so: impl FnMut() -> bool) {
    let deadline = Instant::now() + limit;
    while !so() {
        assert!(Instant::now() < deadline, "not within {limit:?}: {what}");
        std::thread::sleep(Duration::from_millis(200));
    }
}
