//! From the model to the contents of the maps. Pure.
//!
//! All ports with the same set of security groups share one policy for each direction and family. A
//! policy asks at most one group index, the interned set of the remote groups and address groups that
//! its rules name, and one index of the CIDRs of its rules; see `sg_common::layout::policy` for the rows.

mod behind;
mod compilation;
mod ids;
mod image;
mod index;
mod limits;
mod nested;
mod pairs;
mod policy;
mod port;
mod ranges;
mod reach;
mod services;

use std::collections::{BTreeMap, HashSet};

use ipnet::IpNet;
use sg_common::hook::Direction;
use sg_common::layout::policy::PAIRS;
use sg_common::layout::port::PortKey;
use sg_common::wire::addr::Family;

pub use behind::covers;
pub use compilation::{Compilation, Places};
pub use ids::Source;
pub(crate) use ids::{Collision, Ids};
pub use image::{Image, Own, PortImage, Rows};
pub use limits::{Limits, Table};
pub use ranges::RangeSet;
pub use reach::Reach;
pub use services::Services;

use crate::model::{Fault, GroupId, Inventory, Matches, Port, PortId, Problem, Rule};

/// What an inventory comes to on this host.
#[derive(Clone, Debug, Default)]
pub struct Compiled {
    /// What the maps are to hold.
    pub image: Image,
    /// What each policy id stands for.
    pub policies: BTreeMap<u64, PolicyOf>,
    /// The ports of this host that do not fit and pass nothing.
    pub closed: Vec<PortId>,
    /// Why they do not fit.
    pub faults: Vec<Fault>,
    /// The rules for which a policy has no room, at least for some of their peers.
    pub surplus: BTreeMap<u64, Vec<Fault>>,
}

impl Compiled {
    /// All that was left out, each once.
    pub fn left_out(&self) -> Vec<Fault> {
        let mut seen = HashSet::new();
        let faults = self.faults.iter().chain(self.surplus.values().flatten());
        faults
            .filter(|fault| seen.insert(*fault))
            .cloned()
            .collect()
    }
}

/// What a policy stands for. Its rules are [`Inventory::rules`] of these.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyOf {
    /// The security groups, in the order of their ids.
    pub groups: Vec<GroupId>,
    /// The direction.
    pub direction: Direction,
    /// The family.
    pub family: Family,
}

/// Compiles the ports that `local` finds on this host, and what their policies need of the rest.
///
/// A port that does not fit within the limits is closed and reported; the others are not disturbed. Ports
/// without an interface ([`PortKey::parked`]) have what room the others leave, the last parked first.
pub fn compile(
    inventory: &Inventory,
    local: &dyn Fn(&Port) -> Option<PortKey>,
    limits: &Limits,
) -> Compiled {
    let ports = inventory.ports.values();
    let places = ports.filter_map(|port| Some((port.id, local(port)?)));
    Compilation::new(inventory, &places.collect(), limits).into_compiled()
}

/// Whom a row is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Who {
    /// Anyone.
    Anyone,
    /// The addresses of a CIDR that are in no longer one.
    Net(IpNet),
    /// Those that all of these hold, and no other of the index.
    Sources(Vec<Source>),
}

/// Every direction with every family.
pub fn every_way() -> impl Iterator<Item = (Direction, Family)> {
    Direction::ALL
        .into_iter()
        .flat_map(|way| Family::ALL.into_iter().map(move |f| (way, f)))
}

fn too_much(table: Table, need: usize, size: usize) -> Problem {
    Problem::new(
        table.name(),
        size,
        format!("entries are too few for the port: {need} are needed"),
        format!("start sgd with {} {} or more", table.setting(), need),
    )
}

fn no_room(rule: &Rule) -> Problem {
    let from = match rule.matches {
        Matches::Pairs(_, pair) => pair.source.low().to_string(),
        _ => String::new(),
    };
    Problem::new(
        "source_port_range_min",
        from,
        format!(
            "is of one range of source ports too many: a peer has room for {PAIRS} of them with \
             their destination ports, of all the rules of its port's groups"
        ),
        "join ranges of source ports, or name destination ports alone",
    )
}

fn collision(id: u64) -> Problem {
    Problem::new(
        "policy",
        format_args!("{id:016x}"),
        "is the id of two different sets of rules",
        "change any of the port's groups or rules; this is one chance in many billions",
    )
}

#[cfg(test)]
mod tests;
