//! The written table: one line a case, each naming the row of Neutron's semantics it stands for.
//!
//! The numbers are those of `docs/semantics.md`: `1.2 v4 2` is the second rule of the chain of an IPv4
//! packet from the VM. Every number there has a case here.

mod change;
mod egress;
mod ingress;
mod link;
mod rules;
mod settings;
mod state;
mod world;

use serde_json::Value;

use crate::inventory::Inventory;
use crate::packet::Packet;
use crate::parity::scenario::{End, Scenario, Step};

/// One line of the table.
#[derive(Clone, Debug)]
pub struct Row {
    /// The numbers of `docs/semantics.md` that it stands for, with commas between them.
    pub stands_for: &'static str,
    /// Inventory and steps, with the case in words.
    pub scenario: Scenario,
    /// The settings of this filter that are not at their default, as a settings file.
    pub settings: &'static str,
    /// Where the verdict of each step is read.
    pub at: Vec<End>,
    /// The verdicts under iptables: `+` comes through, `-` is dropped, `.` is a change.
    pub iptables: &'static str,
    /// Where it is meant to differ: the row of `docs/parity.md`, and the verdicts here.
    pub deviation: Option<(u32, &'static str)>,
}

/// Something that happens in a row.
#[derive(Clone, Debug)]
enum Shot {
    /// Frames from one end, looked for at another.
    Send {
        from: End,
        at: End,
        frames: Vec<Vec<u8>>,
    },
    /// Another inventory.
    Change(Value),
}

/// The whole table.
#[must_use]
pub fn rows() -> Vec<Row> {
    let mut table = Table {
        inventory: Value::Null,
        rows: Vec::new(),
    };
    egress::rows(&mut table);
    ingress::rows(&mut table);
    link::rows(&mut table);
    rules::rows(&mut table);
    settings::rows(&mut table);
    world::rows(&mut table);
    state::rows(&mut table);
    change::rows(&mut table);
    table.rows
}

impl Row {
    /// The verdicts that are wanted of this filter.
    #[must_use]
    pub fn filter(&self) -> &'static str {
        self.deviation
            .map_or(self.iptables, |(_, verdicts)| verdicts)
    }

    /// Verdicts in the notation of the table.
    #[must_use]
    pub fn notation(&self, verdicts: &[[usize; End::ALL.len()]]) -> String {
        let steps = self.scenario.steps.iter().zip(&self.at).zip(verdicts);
        steps
            .map(|((step, at), counts)| match step {
                Step::Apply { .. } => '.',
                Step::Send { frames, .. } if counts[*at as usize] == frames.len() => '+',
                Step::Send { .. } if counts[*at as usize] == 0 => '-',
                Step::Send { .. } => '?',
            })
            .collect()
    }
}

struct Table {
    inventory: Value,
    rows: Vec<Row>,
}

impl Table {
    /// The inventory of the rows that follow.
    fn under(&mut self, inventory: Inventory) {
        self.inventory = inventory.json();
    }

    fn row(
        &mut self,
        stands_for: &'static str,
        name: &str,
        iptables: &'static str,
        shots: &[Shot],
    ) {
        let mut steps = Vec::new();
        let mut ends = Vec::new();
        for shot in shots {
            let (step, end) = match shot {
                Shot::Send { from, at, frames } => (Step::frames(*from, frames.clone()), *at),
                Shot::Change(inventory) => (
                    Step::Apply {
                        inventory: inventory.clone(),
                    },
                    End::Fabric,
                ),
            };
            steps.push(step);
            ends.push(end);
        }
        let scenario = Scenario {
            name: name.to_owned(),
            inventory: self.inventory.clone(),
            steps,
        };
        self.rows.push(Row {
            stands_for,
            scenario,
            settings: "",
            at: ends,
            iptables,
            deviation: None,
        });
    }

    /// As [`Table::row`], under a setting that makes this filter do as iptables does.
    fn setting(
        &mut self,
        settings: &'static str,
        stands_for: &'static str,
        name: &str,
        iptables: &'static str,
        shots: &[Shot],
    ) {
        self.row(
            stands_for,
            &format!("{name}, with {settings}"),
            iptables,
            shots,
        );
        if let Some(last) = self.rows.last_mut() {
            last.settings = settings;
        }
    }

    /// As [`Table::row`], for a row of `docs/parity.md`.
    fn deviation(
        &mut self,
        stands_for: &'static str,
        name: &str,
        iptables: &'static str,
        (row, filter): (u32, &'static str),
        shots: &[Shot],
    ) {
        self.row(stands_for, name, iptables, shots);
        if let Some(last) = self.rows.last_mut() {
            last.deviation = Some((row, filter));
        }
    }
}

/// VM1 sends to the network.
fn out(packet: Packet) -> Shot {
    Shot::Send {
        from: End::VM1,
        at: End::Fabric,
        frames: vec![packet.bytes()],
    }
}

/// The network sends to VM1.
fn into(packet: Packet) -> Shot {
    Shot::Send {
        from: End::Fabric,
        at: End::VM1,
        frames: vec![packet.bytes()],
    }
}

/// VM1 sends to VM2.
fn across(packet: Packet) -> Shot {
    Shot::Send {
        from: End::VM1,
        at: End::VM2,
        frames: vec![packet.bytes()],
    }
}

/// VM2 sends to VM1.
fn back(packet: Packet) -> Shot {
    Shot::Send {
        from: End::VM2,
        at: End::VM1,
        frames: vec![packet.bytes()],
    }
}

/// The frames of a shot, edited by hand, and others behind it.
fn frames(shot: Shot, edit: impl Fn(&mut Vec<u8>)) -> Shot {
    match shot {
        Shot::Send {
            from,
            at,
            mut frames,
        } => {
            frames.iter_mut().for_each(edit);
            Shot::Send { from, at, frames }
        }
        change => change,
    }
}

/// Several packets in one step.
fn together(shots: Vec<Shot>) -> Shot {
    let mut shots = shots.into_iter();
    let first = shots
        .next()
        .unwrap_or_else(|| panic!("nothing to put together"));
    shots.fold(first, |all, shot| match (all, shot) {
        (
            Shot::Send {
                from,
                at,
                mut frames,
            },
            Shot::Send { frames: more, .. },
        ) => {
            frames.extend(more);
            Shot::Send { from, at, frames }
        }
        _ => panic!("only packets go together"),
    })
}

/// The inventory becomes another.
fn change(inventory: Inventory) -> Shot {
    Shot::Change(inventory.json())
}

#[cfg(test)]
mod tests;
