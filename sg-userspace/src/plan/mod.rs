//! From what the maps hold to what they are to hold, one write after the other. Pure.
//!
//! At every instant the verdict on a packet of a port that stays lies between old-and-new and
//! old-or-new: what both permit is never refused, what both refuse is never permitted. (This holds for
//! the policy and for the allowed sources, each by itself.) Connections are judged again after the last
//! write, wherever anything could refuse one that was accepted.

mod assign;
mod either;
mod part;
mod revoke;
mod settled;
mod staging;
mod state;
mod steps;
mod widen;

use std::collections::{BTreeMap, BTreeSet};

use assign::{addresses, assign, free_slots};
pub use part::plan_part;
use sg_common::layout::port::Port;
pub use state::{Change, State};
use steps::steps;

use crate::compile::{Image, Limits};

/// What is to be written, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The writes.
    pub changes: Vec<Change>,
    /// What the maps hold after them.
    pub state: State,
    /// The next generation that was never used. Store it before the first write: a generation that is
    /// given out twice makes old connections valid again.
    pub next_generation: u32,
    /// The slots that have a new owner: its counters begin at zero, and nothing of the former's is in its
    /// tables.
    pub newcomers: BTreeSet<u32>,
    /// What the sizes of the maps cost.
    pub way: Way,
    /// Whether a port passes through a policy of its own.
    is_staged: bool,
}

/// What there is room for.
struct Room<'a> {
    /// The sizes of the maps.
    limits: Limits,
    /// The last slot.
    slots: u32,
    /// The slots that nothing in the maps names.
    free: &'a dyn Fn() -> Box<dyn Iterator<Item = u32>>,
}

/// How the ports come to their new state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Without an interruption.
    InPlace,
    /// Old and new rows do not fit together: ports that change are closed on the way.
    ChangedPortsClosed,
    /// All ports are closed on the way.
    AllPortsClosed,
}

/// Plans the writes that bring the maps from `old` to `new`; none if they are there already.
///
/// `next_generation` is the first generation that was never used on this node.
pub fn plan(old: &State, new: &Image, limits: &Limits, next_generation: u32) -> Plan {
    // Generation 0 means none.
    let next_generation = next_generation.max(1);
    let by = |way, middle: State| {
        let slots = middle.clone();
        let room = Room {
            limits: *limits,
            slots: limits.ports,
            free: &|| Box::new(free_slots(&slots, limits)),
        };
        try_plan(way, old, middle, new, &room, next_generation)
    };
    by(Way::InPlace, old.clone())
        .or_else(|| by(Way::ChangedPortsClosed, unchanged(old, new)))
        .or_else(|| by(Way::AllPortsClosed, State::default()))
        // Not reached with an image that was compiled for these limits: close rather than guess.
        .unwrap_or_else(|| Plan {
            changes: removals(old, &State::default(), limits).unwrap_or_default(),
            state: State::default(),
            next_generation,
            newcomers: BTreeSet::new(),
            way: Way::AllPortsClosed,
            is_staged: false,
        })
}

/// Plans by way of `middle`, a part of `old`. None if the maps or the slots are too few.
fn try_plan(
    way: Way,
    old: &State,
    middle: State,
    new: &Image,
    room: &Room<'_>,
    next_generation: u32,
) -> Option<Plan> {
    let mut changes = match way {
        Way::InPlace => Vec::new(),
        _ => removals(old, &middle, &room.limits)?,
    };
    let target = assign(&middle, new, room, next_generation)?;
    let steps = steps(&middle, &target.state, &room.limits, next_generation.into()).ok()?;
    // A staging policy is named after the generation, which then counts as used.
    let used = next_generation + u32::from(steps.staged);
    changes.extend(steps.changes);
    (!steps.overflowed).then_some(Plan {
        changes,
        newcomers: newcomers(old, &target.state),
        state: target.state,
        next_generation: target.next_generation.max(used),
        way,
        is_staged: steps.staged,
    })
}

fn newcomers(old: &State, new: &State) -> BTreeSet<u32> {
    let owners = |state: &State| -> BTreeSet<(u32, [u8; 16])> {
        let ports = state.ports.values();
        ports.map(|port| (port.slot, port.uuid)).collect()
    };
    let (old, new) = (owners(old), owners(new));
    new.difference(&old).map(|(slot, _)| *slot).collect()
}

fn removals(old: &State, part: &State, limits: &Limits) -> Option<Vec<Change>> {
    steps(old, part, limits, 0).ok().map(|steps| steps.changes)
}

/// The part of `old` that belongs to ports that do not change.
fn unchanged(old: &State, new: &Image) -> State {
    let stays = |port: &Port| {
        new.ports.get(&port.key).is_some_and(|after| {
            let own = old
                .addresses
                .iter()
                .filter(|((_, key), _)| key.slot == port.slot);
            let own: BTreeMap<_, _> = own.map(|(key, kind)| (*key, *kind)).collect();
            (port.uuid, port.mac, port.flags, port.policies)
                == (
                    *after.id.0.as_bytes(),
                    after.mac,
                    after.flags,
                    after.policies,
                )
                && own == addresses(after, port.slot).collect()
        })
    };
    let ports: BTreeMap<_, _> = old
        .ports
        .iter()
        .filter(|(_, port)| stays(port))
        .map(|(key, port)| (*key, *port))
        .collect();
    let slots: BTreeSet<u32> = ports.values().map(|port| port.slot).collect();
    let addresses = old
        .addresses
        .iter()
        .filter(|((_, key), _)| slots.contains(&key.slot));
    State {
        addresses: addresses.map(|(key, kind)| (*key, *kind)).collect(),
        rows: old
            .rows
            .reached_from(ports.values().flat_map(|port| port.policies)),
        ports,
    }
}

#[cfg(test)]
pub(crate) mod tests;
