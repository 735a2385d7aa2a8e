//! What a tracked connection takes, all maps counted: what two nodes differ by that differ in the room for
//! connections.

use std::path::Path;

use serde_json::Value;

use super::report::Row;
use super::rules::{self, Size};
use super::side::Who;
use super::statistics::{Cell, Spread};
use crate::node::Node;

/// Connections of IPv4 that one node has room for, and the other twice as many; of IPv6 half as many.
const ROOM: u32 = 131_072;

/// Bytes of a connection of IPv4 and of IPv6, of the base and of this build.
///
/// # Panics
/// If a daemon does not say what its maps take.
#[must_use]
pub fn measure(base: Option<&Path>) -> [Row; 2] {
    let builds = [(Who::Base, base), (Who::Ours, None)];
    let bytes = builds.map(|(who, programs)| (who, of(programs)));
    let row = |name: &str, family: usize| Row {
        name: name.to_owned(),
        cells: bytes
            .iter()
            .map(|(who, bytes)| {
                let spread = Spread::of(vec![bytes[family]]);
                Cell {
                    who: who.to_string(),
                    ratio: spread,
                    cost: spread,
                    discarded: 0,
                }
            })
            .collect(),
    };
    [row("IPv4", 0), row("IPv6", 1)]
}

fn of(programs: Option<&Path>) -> [f64; 2] {
    let [less, more] = [ROOM, 2 * ROOM].map(|room| {
        let node = Node::new("memory");
        let mut node = match programs {
            Some(directory) => node.with_programs(directory),
            None => node,
        };
        node.write(&rules::inventory(Size { rules: 2, ports: 1 }));
        node.start_with(&["--max-flows", &room.to_string()]);
        Taken::of(&node.query("status"))
    });
    each(&less, &more, f64::from(ROOM))
}

/// Bytes of maps: of both tables of connections, and of all.
#[derive(Debug)]
struct Taken {
    flows: [f64; 2],
    all: f64,
}

impl Taken {
    fn of(status: &Value) -> Self {
        let tables = status["tables"].as_array().into_iter().flatten();
        let bytes = |name: &str| {
            let mut named = tables.clone().filter(|table| table["name"] == name);
            let bytes = named.next().and_then(|table| table["bytes"].as_f64());
            bytes.unwrap_or_else(|| panic!("no bytes of {name}: {status}"))
        };
        let sum = || {
            tables
                .clone()
                .filter_map(|table| table["bytes"].as_f64())
                .sum()
        };
        Self {
            flows: [bytes("flows4"), bytes("flows6")],
            // Older builds do not say it.
            all: status["memory"].as_f64().unwrap_or_else(sum),
        }
    }
}

/// Bytes of a connection of each family, when there is room for so many more of IPv4 and half as many of IPv6. What
/// other maps grow by is shared by all.
fn each(less: &Taken, more: &Taken, room: f64) -> [f64; 2] {
    let grown = [0, 1].map(|family: usize| more.flows[family] - less.flows[family]);
    let others = (more.all - less.all - grown[0] - grown[1]) / (room * 1.5);
    [grown[0] / room + others, grown[1] / (room / 2.0) + others]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_other_maps_grow_by_is_shared_by_all_connections() {
        let taken = |flows4, flows6, all| Taken {
            flows: [flows4, flows6],
            all,
        };
        let (less, more) = (taken(100.0, 80.0, 1000.0), taken(300.0, 180.0, 1330.0));
        // 2 more of IPv4 for 200, 1 more of IPv6 for 100, and 30 elsewhere for the three of them.
        assert_eq!(each(&less, &more, 2.0), [110.0, 110.0]);
    }
}
