//! From the model to the contents of the maps. Pure.
//!
//! All ports with the same set of security groups share one policy for each direction and family. A
//! policy asks at most one group index, the interned set of the remote groups and address groups that
//! its rules name, and one index of the CIDRs of its rules; see `sg_common::layout::policy` for the rows.

mod ids;
mod image;
mod index;
mod limits;
mod nested;
mod policy;
mod port;
mod ranges;
mod services;

use std::collections::{BTreeMap, BTreeSet};

use sg_common::hook::Direction;
use sg_common::layout::port::{PortKey, policy_index};
use sg_common::wire::addr::{self, Family};

pub use ids::Source;
pub(crate) use ids::{Collision, Ids};
pub use image::{Image, Own, PortImage, Rows};
use index::{Index, Sources};
pub use limits::{Limits, Table};
use policy::Permitted;
pub use ranges::RangeSet;
pub(crate) use services::PortSets;
pub use services::Services;

use crate::model::{Effect, Fault, GroupId, Inventory, Port, PortId, Problem, Security};

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
    compile_with(Ids::default(), inventory, local, limits)
}

fn compile_with(
    ids: Ids,
    inventory: &Inventory,
    local: &dyn Fn(&Port) -> Option<PortKey>,
    limits: &Limits,
) -> Compiled {
    let mut compiler = Compiler {
        inventory,
        sources: Sources::of(inventory),
        indexes: BTreeMap::new(),
        asked: BTreeSet::new(),
        ids,
        compiled: Compiled::default(),
    };
    let ports = inventory.ports.values();
    let mut ports: Vec<_> = ports
        .filter_map(|port| Some((local(port)?, port)))
        .collect();
    ports.sort_by_key(|(key, _)| if key.is_parked() { key.ifindex } else { 0 });
    for (key, port) in ports {
        if let Err(problem) = compiler.add(port, key, limits)
            && !key.is_parked()
        {
            compiler.compiled.closed.push(port.id);
            compiler
                .compiled
                .faults
                .push(problem.of(&port.object(), Effect::PortClosed));
        }
    }
    compiler.compiled
}

struct Compiler<'a> {
    inventory: &'a Inventory,
    sources: Sources<'a>,
    indexes: BTreeMap<u64, Index>,
    /// The indexes whose rows are in the image.
    asked: BTreeSet<u64>,
    ids: Ids,
    compiled: Compiled,
}

/// What one port adds to the image.
#[derive(Default)]
struct Addition {
    rows: Rows,
    policies: BTreeMap<u64, PolicyOf>,
}

impl Compiler<'_> {
    fn add(&mut self, port: &Port, key: PortKey, limits: &Limits) -> Result<(), Problem> {
        let (image, addition) = self.port(port).map_err(|Collision(id)| collision(id))?;
        if let Some((table, need)) = limits.exceeded(|table| self.need(table, &image, &addition)) {
            return Err(too_much(table, need, limits.of(table)));
        }
        self.asked
            .extend(addition.rows.policies.values().map(|policy| policy.sources));
        self.compiled.image.rows.extend(addition.rows);
        self.compiled.policies.extend(addition.policies);
        self.compiled.image.ports.insert(key, image);
        Ok(())
    }

    /// Rows of a table with a port added.
    fn need(&self, table: Table, port: &PortImage, addition: &Addition) -> usize {
        let port = match table {
            Table::Ports => 1,
            Table::Addresses => port.addresses.len(),
            _ => 0,
        };
        self.compiled.image.count(table) + addition.rows.count(table) + port
    }

    fn port(&mut self, port: &Port) -> Result<(PortImage, Addition), Collision> {
        let addresses = port::addresses(port);
        let (own, only) = port::own(port.mac, &addresses);
        let mut image = PortImage {
            id: port.id,
            mac: addr::Mac::new(port.mac.0),
            flags: port::port_flags(self.inventory, port) | only,
            policies: [0; 4],
            own,
            addresses,
        };
        let mut addition = Addition::default();
        if port.security == Security::Filtered {
            let mut groups = port.groups.clone();
            groups.sort_unstable();
            for (direction, family) in every_way() {
                let of = PolicyOf {
                    groups: groups.clone(),
                    direction,
                    family,
                };
                let id = self.policy(of, &mut addition)?;
                image.policies[policy_index(direction, family)] = id;
            }
        }
        // Only what is not in the image yet counts against the limits.
        addition
            .rows
            .port_sets
            .retain(|id, _| !self.compiled.image.rows.port_sets.contains_key(id));
        Ok((image, addition))
    }

    /// The id of a policy, whose rows are added unless they are in the image; 0 if it has no rules.
    fn policy(&mut self, of: PolicyOf, addition: &mut Addition) -> Result<u64, Collision> {
        let id = self.ids.policy(&of.groups, of.direction, of.family)?;
        if self.compiled.policies.contains_key(&id) {
            return Ok(id);
        }
        let rules = self.inventory.rules(&of.groups, of.direction, of.family);
        let permitted = Permitted::by(rules);
        if permitted.is_empty() {
            return Ok(0);
        }
        let index = match &*permitted.sources() {
            [] => None,
            sources => Some(self.index(sources, of.family)?),
        };
        let index = index.and_then(|id| Some((id, self.indexes.get(&id)?)));
        if let Some((_, index)) = index.filter(|(id, _)| !self.asked.contains(id)) {
            addition.rows.extend(index.rows.clone());
        }
        addition
            .rows
            .extend(permitted.rows(id, index, &mut self.ids)?);
        addition.policies.insert(id, of);
        Ok(id)
    }

    fn index(&mut self, sources: &[Source], family: Family) -> Result<u64, Collision> {
        let id = self.ids.index(sources, family)?;
        if !self.indexes.contains_key(&id) {
            let index = self.sources.index(id, sources, family, &mut self.ids)?;
            self.indexes.insert(id, index);
        }
        Ok(id)
    }
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
