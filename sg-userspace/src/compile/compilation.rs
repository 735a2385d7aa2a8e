//! An image, what it was made of, and how it follows a change.

use std::collections::{BTreeMap, BTreeSet};

use sg_common::layout::port::{PortKey, policy_index};
use sg_common::wire::addr::{self, Family};

use super::index::{Index, Sources};
use super::policy::Permitted;
use super::{
    Collision, Compiled, Ids, Image, Limits, PolicyOf, PortImage, Reach, Rows, Source, Table, Who,
    behind, collision, every_way, no_room, port, too_much,
};
use crate::model::{
    Effect, Fault, GroupId, Inventory, Port, PortId, Problem, Rule, Security, Touched,
};

/// The keys of the ports that are on this host.
pub type Places = BTreeMap<PortId, PortKey>;

/// What an inventory comes to on this host, kept to be brought up to date.
pub struct Compilation {
    compiled: Compiled,
    /// The ports in the image.
    places: Places,
    /// The group indexes whose rows are in the image.
    indexes: BTreeMap<u64, Index>,
    /// How many rows refer to each port set, and to each set of pairs of ports.
    references: BTreeMap<u64, usize>,
    ids: Ids,
    /// A port was left out: then each depends on all others.
    is_crowded: bool,
}

/// What one port adds to the image.
#[derive(Default)]
struct Addition {
    rows: Rows,
    policies: BTreeMap<u64, PolicyOf>,
    surplus: BTreeMap<u64, Vec<Fault>>,
    indexes: BTreeMap<u64, Index>,
}

impl Compilation {
    /// Compiles the ports that have a place.
    pub fn new(inventory: &Inventory, places: &Places, limits: &Limits) -> Self {
        Self::with(Ids::default(), inventory, places, limits)
    }

    pub(super) fn with(ids: Ids, inventory: &Inventory, places: &Places, limits: &Limits) -> Self {
        let mut compilation = Self {
            compiled: Compiled::default(),
            places: Places::new(),
            indexes: BTreeMap::new(),
            references: BTreeMap::new(),
            ids,
            is_crowded: false,
        };
        let sources = Sources::of(inventory);
        let ports = places.iter();
        let ports = ports.filter_map(|(id, key)| Some((*key, inventory.ports.get(id)?)));
        let mut ports: Vec<_> = ports.collect();
        ports.sort_by_key(|(key, _)| if key.is_parked() { key.ifindex } else { 0 });
        for (key, port) in ports {
            let added = compilation.add(&sources, port, key, limits, &mut Reach::default());
            if let Err(problem) = added {
                compilation.is_crowded = true;
                if !key.is_parked() {
                    let compiled = &mut compilation.compiled;
                    compiled.closed.push(port.id);
                    compiled
                        .faults
                        .push(problem.of(&port.object(), Effect::PortClosed));
                }
            }
        }
        compilation
    }

    /// What it comes to.
    pub fn compiled(&self) -> &Compiled {
        &self.compiled
    }

    /// What it comes to, alone.
    pub fn into_compiled(self) -> Compiled {
        self.compiled
    }

    /// What the maps are to hold.
    pub fn image(&self) -> &Image {
        &self.compiled.image
    }

    /// Whom a peer stands for, if it was ever made.
    pub fn who(&self, peer: u64) -> Option<Who> {
        behind::decode(self.ids.content(peer)?)
    }

    /// Gives a flag to the filtered ports that are to have it, and takes it from the others; returns those of
    /// which it was not so.
    pub fn mark(
        &mut self,
        inventory: &Inventory,
        flag: u16,
        has: impl Fn(&Port) -> bool,
    ) -> Vec<PortKey> {
        let mut changed = Vec::new();
        for (id, key) in &self.places {
            let port = inventory.ports.get(id);
            let image = self.compiled.image.ports.get_mut(key);
            let (Some(port), Some(image)) = (port, image) else {
                continue;
            };
            let wanted = port.security == Security::Filtered && has(port);
            if (image.flags & flag != 0) != wanted {
                image.flags ^= flag;
                changed.push(*key);
            }
        }
        changed
    }

    /// Follows a change of the inventory and of the places of its ports, and says how far it reaches. `None`
    /// if all was compiled anew: ports do not fit, before or after.
    pub fn update(
        &mut self,
        inventory: &Inventory,
        places: &Places,
        touched: &Touched,
        limits: &Limits,
    ) -> Option<Reach> {
        let reach = match self.is_crowded {
            true => None,
            false => self.follow(inventory, places, touched, limits).ok(),
        };
        let fits = reach.is_some() && limits.exceeded(|table| self.image().count(table)).is_none();
        if !fits {
            *self = Self::new(inventory, places, limits);
        }
        reach.filter(|_| fits)
    }

    /// After an error the image is of no use.
    fn follow(
        &mut self,
        inventory: &Inventory,
        places: &Places,
        touched: &Touched,
        limits: &Limits,
    ) -> Result<Reach, Problem> {
        let mut reach = Reach::default();
        let sources = Sources::of(inventory);
        let stale = self.stale_ports(inventory, places, touched);
        for id in &stale {
            if let Some(key) = self.places.remove(id) {
                reach.ports.insert(key);
                self.compiled.image.ports.remove(&key);
            }
        }
        let is_touched = |of: &PolicyOf| of.groups.iter().any(|id| touched.groups.contains(id));
        let mut policies: BTreeSet<u64> = self.policies_that(is_touched).collect();
        policies.extend(
            self.follow_members(touched, &sources, &mut reach)
                .map_err(told)?,
        );
        let policies = policies.into_iter();
        let removed: Vec<_> = policies
            .filter_map(|id| self.remove_policy(id, &mut reach))
            .collect();
        for id in &stale {
            if let (Some(key), Some(port)) = (places.get(id), inventory.ports.get(id)) {
                self.add(&sources, port, *key, limits, &mut reach)?;
            }
        }
        // Policies of ports that are what they were, whose groups have other members.
        let used = self.used_policies();
        for of in removed {
            let id = self.ids.policy(&of.groups, of.direction, of.family);
            if used.contains(&id.map_err(told)?) {
                let mut addition = Addition::default();
                let made = self.policy(&sources, of, &mut addition);
                made.map_err(told)?;
                self.merge(addition, &mut reach);
            }
        }
        self.remove_unused(&used, &mut reach);
        Ok(reach)
    }

    /// Ports that came, went or moved, and those whose groups have changed.
    fn stale_ports(
        &self,
        inventory: &Inventory,
        places: &Places,
        touched: &Touched,
    ) -> BTreeSet<PortId> {
        let is_touched = |id: &PortId| {
            let groups = inventory.ports.get(id).map(|port| &port.groups);
            let mut groups = groups.into_iter().flatten();
            touched.ports.contains(id) || groups.any(|id| touched.groups.contains(id))
        };
        let gone = self.places.iter();
        let gone = gone.filter(|(id, key)| places.get(id) != Some(key));
        let stale = places.iter();
        let stale = stale.filter(|(id, key)| self.places.get(id) != Some(key) || is_touched(id));
        gone.chain(stale).map(|(id, _)| *id).collect()
    }

    fn policies_that(&self, is_so: impl Fn(&PolicyOf) -> bool) -> impl Iterator<Item = u64> {
        let policies = self.compiled.policies.iter();
        policies.filter(move |(_, of)| is_so(of)).map(|(id, _)| *id)
    }

    /// Brings the rows of members up to date; returns the policies whose grants hang on what has changed.
    fn follow_members(
        &mut self,
        touched: &Touched,
        sources: &Sources<'_>,
        reach: &mut Reach,
    ) -> Result<Vec<u64>, Collision> {
        let mut reshaped = BTreeSet::new();
        if touched.members.is_empty() {
            return Ok(Vec::new());
        }
        for (id, index) in &mut self.indexes {
            let before = index.shape();
            let rows = &mut self.compiled.image.rows;
            let (old, new) = index.update(*id, &touched.members, sources, rows, &mut self.ids)?;
            if index.shape() != before {
                reshaped.insert(*id);
            }
            for key in old.members.keys() {
                rows.members.remove(key);
            }
            for key in old.prefixes.keys() {
                rows.prefixes.remove(key);
            }
            reach.note(&old);
            reach.note(&new);
            rows.extend(new);
        }
        let policies = self.compiled.image.rows.policies.values();
        let policies = policies.filter(|policy| reshaped.contains(&policy.sources));
        Ok(policies.map(|policy| policy.id).collect())
    }

    /// Removes the rows of a policy, but for those of its group index.
    fn remove_policy(&mut self, id: u64, reach: &mut Reach) -> Option<PolicyOf> {
        let of = self.compiled.policies.remove(&id)?;
        self.compiled.surplus.remove(&id);
        let rows = &mut self.compiled.image.rows;
        let own = Rows {
            policies: rows
                .policies
                .remove(&id)
                .map(|policy| (id, policy))
                .into_iter()
                .collect(),
            grants: rows
                .grants_of(id)
                .map(|(key, grant)| (*key, *grant))
                .collect(),
            prefixes: rows
                .prefixes_of(id)
                .map(|(key, peer)| (*key, *peer))
                .collect(),
            ..Rows::default()
        };
        for key in own.grants.keys() {
            rows.grants.remove(key);
        }
        for key in own.prefixes.keys() {
            rows.prefixes.remove(key);
        }
        reach.note(&own);
        for id in Rows::ports_of(own.policies.values(), own.grants.values()) {
            if let Some(references) = self.references.get_mut(&id) {
                *references -= 1;
                if *references == 0 {
                    self.references.remove(&id);
                    let rows = &mut self.compiled.image.rows;
                    let sets = rows.port_sets.remove_entry(&id);
                    let pairs = rows.port_pairs.remove_entry(&id);
                    reach.port_sets.extend(sets.map(|(id, _)| id));
                    reach.port_pairs.extend(pairs.map(|(id, _)| id));
                }
            }
        }
        Some(of)
    }

    fn used_policies(&self) -> BTreeSet<u64> {
        let ports = self.compiled.image.ports.values();
        ports
            .flat_map(|port| port.policies)
            .filter(|id| *id != 0)
            .collect()
    }

    fn remove_unused(&mut self, used: &BTreeSet<u64>, reach: &mut Reach) {
        let policies = self.compiled.policies.keys();
        let unused: Vec<_> = policies.filter(|id| !used.contains(id)).copied().collect();
        for id in unused {
            self.remove_policy(id, reach);
        }
        let policies = self.compiled.image.rows.policies.values();
        let asked: BTreeSet<_> = policies.map(|policy| policy.sources).collect();
        let indexes = self.indexes.keys();
        let unasked: Vec<_> = indexes.filter(|id| !asked.contains(id)).copied().collect();
        for id in unasked {
            self.indexes.remove(&id);
            let rows = &mut self.compiled.image.rows;
            let members: Vec<_> = rows.members_of(id).map(|(key, _)| *key).collect();
            let prefixes: Vec<_> = rows.prefixes_of(id).map(|(key, _)| *key).collect();
            for key in &members {
                rows.members.remove(key);
            }
            for key in &prefixes {
                rows.prefixes.remove(key);
            }
            reach.members.extend(members);
            reach.prefixes.extend(prefixes);
        }
    }

    fn add(
        &mut self,
        sources: &Sources<'_>,
        port: &Port,
        key: PortKey,
        limits: &Limits,
        reach: &mut Reach,
    ) -> Result<(), Problem> {
        let (image, addition) = self.port(sources, port).map_err(told)?;
        if let Some((table, need)) = limits.exceeded(|table| self.need(table, &image, &addition)) {
            return Err(too_much(table, need, limits.of(table)));
        }
        self.merge(addition, reach);
        self.compiled.image.ports.insert(key, image);
        self.places.insert(port.id, key);
        reach.ports.insert(key);
        Ok(())
    }

    fn merge(&mut self, addition: Addition, reach: &mut Reach) {
        let rows = addition.rows;
        for id in Rows::ports_of(rows.policies.values(), rows.grants.values()) {
            *self.references.entry(id).or_default() += 1;
        }
        reach.note(&rows);
        self.compiled.image.rows.extend(rows);
        self.compiled.policies.extend(addition.policies);
        self.compiled.surplus.extend(addition.surplus);
        self.indexes.extend(addition.indexes);
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

    fn port(
        &mut self,
        sources: &Sources<'_>,
        port: &Port,
    ) -> Result<(PortImage, Addition), Collision> {
        let addresses = port::addresses(port);
        let (own, only) = port::own(port.mac, &addresses);
        let mut image = PortImage {
            id: port.id,
            mac: addr::Mac::new(port.mac.0),
            flags: port::port_flags(sources.inventory, port) | only,
            policies: [0; 4],
            own,
            addresses,
        };
        let mut addition = Addition::default();
        if port.security == Security::Filtered {
            let mut groups: Vec<GroupId> = port.groups.clone();
            groups.sort_unstable();
            for (direction, family) in every_way() {
                let of = PolicyOf {
                    groups: groups.clone(),
                    direction,
                    family,
                };
                let id = self.policy(sources, of, &mut addition)?;
                image.policies[policy_index(direction, family)] = id;
            }
        }
        // Only what is not in the image yet counts against the limits.
        let (rows, added) = (&self.compiled.image.rows, &mut addition.rows);
        added
            .port_sets
            .retain(|id, _| !rows.port_sets.contains_key(id));
        added
            .port_pairs
            .retain(|id, _| !rows.port_pairs.contains_key(id));
        Ok((image, addition))
    }

    /// The id of a policy, whose rows are added unless they are in the image; 0 if it has no rules.
    fn policy(
        &mut self,
        sources: &Sources<'_>,
        of: PolicyOf,
        addition: &mut Addition,
    ) -> Result<u64, Collision> {
        let id = self.ids.policy(&of.groups, of.direction, of.family)?;
        if self.compiled.policies.contains_key(&id) {
            return Ok(id);
        }
        let permitted = Permitted::by(sources.inventory.rules(&of.groups, of.direction, of.family));
        if permitted.is_empty() {
            return Ok(0);
        }
        let index = match &*permitted.sources() {
            [] => None,
            named => Some(self.index(sources, named, of.family, addition)?),
        };
        let index = index.and_then(|id| {
            let index = self.indexes.get(&id).or(addition.indexes.get(&id))?;
            Some((id, index))
        });
        let fitted = permitted.rows(id, index, &mut self.ids)?;
        addition.rows.extend(fitted.rows);
        if !fitted.surplus.is_empty() {
            let groups = of.groups.iter();
            let groups = groups.filter_map(|group| sources.inventory.groups.get(group));
            let is_left_out = |rule: &Rule| fitted.surplus.contains(&rule.id);
            let faults = groups.flat_map(|group| group.faults(is_left_out, no_room));
            addition.surplus.insert(id, faults.collect());
        }
        addition.policies.insert(id, of);
        Ok(id)
    }

    fn index(
        &mut self,
        sources: &Sources<'_>,
        named: &[Source],
        family: Family,
        addition: &mut Addition,
    ) -> Result<u64, Collision> {
        let id = self.ids.index(named, family)?;
        if !self.indexes.contains_key(&id) && !addition.indexes.contains_key(&id) {
            let (index, rows) = sources.index(id, named, family, &mut self.ids)?;
            addition.rows.extend(rows);
            addition.indexes.insert(id, index);
        }
        Ok(id)
    }
}

fn told(Collision(id): Collision) -> Problem {
    collision(id)
}
