//! From the model to the contents of the maps. Pure.
//!
//! All ports with the same set of security groups share one policy for each direction and family. A
//! policy asks at most one group index, the interned set of the remote groups and address groups that
//! its rules name, and one index of the CIDRs of its rules; see `sg_common::layout::policy` for the rows.

mod compilation;
mod ids;
mod image;
mod index;
mod limits;
mod nested;
mod policy;
mod port;
mod ranges;
mod reach;
mod services;

use std::collections::BTreeMap;

use sg_common::hook::Direction;
use sg_common::layout::port::PortKey;
use sg_common::wire::addr::Family;

pub use compilation::{Compilation, Places};
pub use ids::Source;
pub(crate) use ids::{Collision, Ids};
pub use image::{Image, Own, PortImage, Rows};
pub use limits::{Limits, Table};
pub use ranges::RangeSet;
pub use reach::Reach;
pub(crate) use services::PortSets;
pub use services::Services;

use crate::model::{Fault, GroupId, Inventory, Port, PortId, Problem};

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
