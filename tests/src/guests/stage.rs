//! One side of a scenario: the fabric with its server, the hosts, and what was seen.

use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::Side;
use super::compare::Fact;
use super::fabric::Fabric;
use super::host::Host;
use super::kind::kind;
use super::machine::{Hardware, Machine};
use super::passage::{Kinds, Recorders, Way};
use super::server::{Offer, Server};
use crate::inventory::{Inventory, Port};

/// How long to wait before a recording ends: the kernel hands frames to it a second late.
const SETTLING: Duration = Duration::from_millis(1500);

/// One side of a scenario.
#[derive(Debug)]
pub struct Stage {
    // In the order of dropping: nothing is left that uses what goes next.
    server: Option<Server>,
    hosts: Vec<Host>,
    fabric: Fabric,
    side: Side,
    directory: PathBuf,
    ports: Vec<Port>,
    inventory: Inventory,
    facts: Vec<Fact>,
    kinds: Kinds,
}

/// A guest and the recordings of it.
#[derive(Debug)]
pub struct Guest {
    /// The guest.
    pub machine: Machine,
    recorders: Recorders,
    since: Duration,
}

/// What a side has come to.
#[derive(Debug)]
pub struct Seen {
    /// What the guest achieved.
    pub facts: Vec<Fact>,
    /// What it sent and was sent.
    pub kinds: Kinds,
    /// What was enforced.
    pub inventory: Inventory,
}

impl Stage {
    /// An empty one; what is recorded goes into `directory`.
    #[must_use]
    pub fn new(side: Side, directory: &Path) -> Self {
        Self {
            server: None,
            hosts: Vec::new(),
            fabric: Fabric::new(),
            side,
            directory: directory.to_owned(),
            ports: Vec::new(),
            inventory: Inventory::new(),
            facts: Vec::new(),
            kinds: Kinds::new(),
        }
    }

    /// Which side it is.
    #[must_use]
    pub fn side(&self) -> Side {
        self.side
    }

    /// Where its files are.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The fabric.
    #[must_use]
    pub fn fabric(&self) -> &Fabric {
        &self.fabric
    }

    /// A host, by its order.
    #[must_use]
    pub fn host(&self, number: usize) -> &Host {
        &self.hosts[number]
    }

    /// The port whose interface the guest is at.
    #[must_use]
    pub fn port(&self) -> &Port {
        &self.ports[0]
    }

    /// Adds a host with a wire and a tap for the first of these ports, whose subports the others are, and
    /// enforces the inventory on it.
    pub fn plug(&mut self, inventory: &Inventory, ports: &[Port]) {
        const NAMES: [&str; 2] = ["node1", "node2"];
        let mut host = Host::new(self.side, NAMES[self.hosts.len()]);
        self.ports = ports.to_vec();
        self.inventory = inventory.clone();
        host.plug(&self.fabric, &ports[0]);
        let local: Vec<_> = ports.iter().collect();
        host.enforce(inventory, &local);
        self.hosts.push(host);
    }

    /// Starts the servers.
    pub fn serve(&mut self, offer: &Offer) {
        self.server = Some(offer.serve(&self.fabric, &self.directory));
    }

    /// Whether somebody has asked the server for a path by HTTP.
    #[must_use]
    pub fn was_asked_for(&self, path: &str) -> bool {
        self.server
            .as_ref()
            .is_some_and(|server| server.was_asked_for(path))
    }

    /// Starts a guest on the first host, and records it.
    #[must_use]
    pub fn boot(&self, hardware: &Hardware) -> Guest {
        self.boot_at(0, hardware, "vm")
    }

    /// Starts a guest on a host, and records it; its files have this name.
    #[must_use]
    pub fn boot_at(&self, host: usize, hardware: &Hardware, name: &str) -> Guest {
        let (host, directory) = (&self.hosts[host], &self.directory);
        let recorders = Recorders::start(host, &self.fabric, self.port(), directory, name);
        let machine = Machine::start(host, self.port(), hardware, directory, name);
        host.wait_for_forwarding(self.port());
        Guest {
            machine,
            recorders,
            since: now(),
        }
    }

    /// Ends a guest, and counts what it sent and was sent.
    pub fn retire(&mut self, guest: Guest) {
        let there = guest.since..now();
        guest.machine.quit();
        sleep(SETTLING);
        let passages = guest.recorders.stop(there);
        let ports: Vec<_> = self.ports.iter().collect();
        for passage in passages {
            let way = passage.way();
            passage.count(&mut self.kinds, |frame| kind(frame, way, &ports));
        }
    }

    /// How many frames of a kind came through.
    #[must_use]
    pub fn came_through(&self, way: Way, kind: &str) -> usize {
        let frames = self.kinds.get(&(way, kind.to_owned()));
        frames.map_or(0, |frames| frames.went - frames.fell.len())
    }

    /// The longest frame of a kind, in bytes.
    #[must_use]
    pub fn longest(&self, way: Way, kind: &str) -> usize {
        let frames = self.kinds.get(&(way, kind.to_owned()));
        frames.map_or(0, |frames| frames.longest)
    }

    /// Notes something that the guest is to achieve.
    pub fn achieved(&mut self, what: &'static str, seen: bool) {
        self.fact(what, seen, true);
    }

    /// Notes whether the guest achieved something, and whether it was to.
    pub fn fact(&mut self, what: &'static str, seen: bool, expected: bool) {
        self.facts.push(Fact {
            what,
            seen,
            expected,
        });
    }

    /// What it has come to; everything is taken down.
    #[must_use]
    pub fn seen(self) -> Seen {
        Seen {
            facts: self.facts,
            kinds: self.kinds,
            inventory: self.inventory,
        }
    }
}

/// Since the epoch, as recordings have it.
fn now() -> Duration {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.unwrap_or_default()
}
