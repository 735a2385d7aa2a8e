//! What a change takes from the order to its being enforced: through the daemon's socket, and through Neutron's own
//! agent.

use std::net::Ipv4Addr;
use std::ops::Range;
use std::time::Instant;

use serde_json::Value;
use sg_common::hook::Hook;

use super::report::Row;
use super::rules;
use super::side::{Side, Who};
use super::statistics::{Cell, Spread};
use super::talk::{self, Protocol, Talk};
use super::wire::{Frames, Wire};
use crate::interrupt;
use crate::inventory::{Group, Inventory, Port, group, port};

/// A change, there and back again.
struct Change {
    name: &'static str,
    /// Whether Neutron's agent is asked for it as well: what is large takes it minutes.
    is_small: bool,
    /// Before it and after it. A datagram to the closed port passes with the latter alone.
    inventories: [Inventory; 2],
}

/// How often each change is made.
const ROUNDS: usize = 9;

/// Ports that are plugged in on the measured nodes.
pub const PORTS: u32 = 500;

/// Milliseconds of every change, on nodes with [`PORTS`] ports.
///
/// # Errors
/// Names the change after which the packet that it is about does not pass, or still does.
pub fn measure(sides: &mut [Side<Wire>]) -> Result<Vec<Row>, String> {
    let mut rows = Vec::new();
    for change in changes() {
        interrupt::check().map_err(|_| "interrupted".to_owned())?;
        let mut cells = Vec::new();
        for side in &mut *sides {
            if side.who == Who::Neutron && !change.is_small {
                continue;
            }
            cells.push(cell(side, &change)?);
        }
        rows.push(Row {
            name: change.name.to_owned(),
            cells,
        });
    }
    Ok(rows)
}

fn cell(side: &mut Side<Wire>, change: &Change) -> Result<Cell, String> {
    let documents = change.inventories.each_ref().map(Inventory::json);
    let frame = talk::frame(Protocol::Udp, Talk::Refused, Hook::ToVm);
    let frames = Frames::in_order(Hook::ToVm, frame);
    let rounds = if side.who == Who::Neutron { 3 } else { ROUNDS };
    let mut samples = Vec::new();
    enforce(side, &documents[0]);
    for _ in 0..rounds {
        for after in [1, 0] {
            let taken = enforce(side, &documents[after]);
            frames.rewind(0);
            let out = side.wire.sample(side.netns(), &frames, 1).out;
            // Neutron leaves a port that it was told to forget without a filter.
            let forgotten = side.who == Who::Neutron && after == 0;
            if out != after as u32 && !forgotten {
                return Err(format!("{}: {}: {out} packets pass", side.who, change.name));
            }
            if after == 1 {
                samples.push(taken);
            }
        }
    }
    let spread = Spread::of(samples);
    Ok(Cell {
        who: side.who.to_string(),
        ratio: spread,
        cost: spread,
        discarded: 0,
    })
}

/// Milliseconds until it is enforced.
fn enforce(side: &mut Side<Wire>, document: &Value) -> f64 {
    let text = document.to_string();
    let start = Instant::now();
    side.apply(document, &text);
    start.elapsed().as_secs_f64() * 1e3
}

fn changes() -> Vec<Change> {
    let opening = format!("ingress IPv4 udp {} from {}", rules::CLOSED, rules::PEERS);
    let with = |port: Port, group: Group| Inventory::new().port(port).group(group);
    let server = rules::server;
    let ten = rules::group_of(10);
    // Members are ports of other nodes; the first of the peers comes and goes.
    let members = |numbers: Range<u32>| {
        let guarded = group("OPEN").rule(&format!(
            "ingress IPv4 udp {} from group PEERS",
            rules::CLOSED
        ));
        let inventory = Inventory::new().group(guarded).group(group("PEERS"));
        let first = u32::from(rules::PEER);
        numbers.fold(inventory.port(server()), |inventory, number| {
            let address = Ipv4Addr::from(first + number).to_string();
            let peer = port(&format!("PEER{number}")).ip(&address);
            inventory.port(peer.groups(&["PEERS"]))
        })
    };
    let many = rules::group_of(9_999).rule(&opening);
    let crowd = rules::inventory_of(PORTS, rules::group_of(99).rule(&opening));
    vec![
        Change {
            name: "one rule of ten",
            is_small: true,
            inventories: [
                with(server(), ten.clone()),
                with(server(), ten.rule(&opening)),
            ],
        },
        Change {
            name: "one member of 10,000",
            is_small: true,
            inventories: [members(1..10_000), members(0..10_000)],
        },
        Change {
            name: "a port of 10,000 rules",
            is_small: false,
            inventories: [Inventory::new().group(many.clone()), with(server(), many)],
        },
        Change {
            name: "500 ports of 100 rules",
            is_small: false,
            inventories: [Inventory::new().group(rules::group_of(2)), crowd],
        },
    ]
}
