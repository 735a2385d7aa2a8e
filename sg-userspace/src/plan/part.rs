//! Planning no more than an update reaches.
//!
//! The same plan is made of a part of the maps: of all rows that may differ, and of what decides in which
//! order they are written. A row that neither differs nor decides is in neither half, as if it were not there.

use std::collections::{BTreeMap, BTreeSet};

use super::assign::free_slots;
use super::state::{Change, State};
use super::{Plan, Room, Way, try_plan};
use crate::compile::{Image, Limits, Reach, Rows, Table};

/// Plans the writes from `old` to `new`, which differ in no other rows than those of `reach`. [`Plan::state`]
/// is a part of the state afterwards. `None` if the maps have no room for the rows of both at once, or an
/// earlier update was cut off: then [`super::plan`] the whole.
pub fn plan_part(
    old: &State,
    new: &Image,
    reach: &Reach,
    limits: &Limits,
    next_generation: u32,
) -> Option<Plan> {
    let next_generation = next_generation.max(1);
    let mut part = Part::around(old, new, reach);
    let mut plan = part.plan(old, new, limits, next_generation)?;
    if plan.is_staged {
        // A policy of its own is made of all the rows of others.
        part = part.whole(old, new);
        plan = part.plan(old, new, limits, next_generation)?;
    }
    if part.share_with(&plan, old) {
        plan = part.plan(old, new, limits, next_generation)?;
    }
    Some(plan)
}

/// The keys of a part.
struct Part {
    keys: Reach,
    uuids: BTreeSet<[u8; 16]>,
}

impl Part {
    /// What `reach` names, and what it hangs on.
    fn around(old: &State, new: &Image, reach: &Reach) -> Self {
        let mut keys = reach.clone();
        let halves = [&old.rows, &new.rows];
        let of_members = keys.members.iter().map(|key| key.index);
        let of_prefixes = keys.prefixes.iter().map(|(_, key)| key.index);
        let indexes: BTreeSet<u64> = of_members.chain(of_prefixes).collect();
        keys.policies
            .extend(reach.grants.iter().map(|key| key.policy));
        for rows in halves {
            let asking = rows.policies.values().filter(|policy| {
                indexes.contains(&policy.sources) || indexes.contains(&policy.cidrs)
            });
            keys.policies.extend(asking.map(|policy| policy.id));
        }
        // Whether an index lasts shows in any of its rows that does.
        for index in indexes {
            let members = old.rows.members_of(index).map(|(key, _)| *key);
            let lasting = |key: &_| new.rows.members.contains_key(key);
            match members.into_iter().find(lasting) {
                Some(key) => drop(keys.members.insert(key)),
                None => {
                    let prefixes = old.rows.prefixes_of(index).map(|(key, _)| *key);
                    let lasting = |key: &_| new.rows.prefixes.contains_key(key);
                    keys.prefixes.extend(prefixes.into_iter().find(lasting));
                }
            }
        }
        let asks = |policies: &[u64; 4]| policies.iter().any(|id| keys.policies.contains(id));
        let before = old.ports.iter().filter(|(_, port)| asks(&port.policies));
        let after = new.ports.iter().filter(|(_, port)| asks(&port.policies));
        let ports: Vec<_> = before
            .map(|(key, _)| *key)
            .chain(after.map(|(key, _)| *key))
            .collect();
        keys.ports.extend(ports);
        // A port that has moved is known by its UUID.
        let uuids: BTreeSet<_> = keys
            .ports
            .iter()
            .flat_map(|key| {
                let before = old.ports.get(key).map(|port| port.uuid);
                let after = new.ports.get(key).map(|port| *port.id.0.as_bytes());
                before.into_iter().chain(after)
            })
            .collect();
        let same = old
            .ports
            .iter()
            .filter(|(_, port)| uuids.contains(&port.uuid));
        keys.ports.extend(same.map(|(key, _)| *key));
        let mut part = Self { keys, uuids };
        part.add_port_sets(old, new);
        part
    }

    /// The same, with all the rows of the policies of its ports.
    fn whole(mut self, old: &State, new: &Image) -> Self {
        let ports = self.keys.ports.iter();
        let policies = ports.flat_map(|key| {
            let before = old.ports.get(key).map(|port| port.policies);
            let after = new.ports.get(key).map(|port| port.policies);
            before.into_iter().chain(after).flatten()
        });
        self.keys.policies.extend(policies);
        for rows in [&old.rows, &new.rows] {
            for id in self.keys.policies.clone() {
                let grants = rows.grants_of(id).map(|(key, _)| *key);
                self.keys.grants.extend(grants);
                let indexes = rows.policies.get(&id);
                for index in indexes.into_iter().flat_map(|row| [row.sources, row.cidrs]) {
                    let members = rows.members_of(index).map(|(key, _)| *key);
                    self.keys.members.extend(members);
                    let prefixes = rows.prefixes_of(index).map(|(key, _)| *key);
                    self.keys.prefixes.extend(prefixes);
                }
            }
        }
        self.add_port_sets(old, new);
        self
    }

    fn add_port_sets(&mut self, old: &State, new: &Image) {
        let Reach {
            policies, grants, ..
        } = &self.keys;
        let mut ports = BTreeSet::new();
        for rows in [&old.rows, &new.rows] {
            let policies = policies.iter().filter_map(|id| rows.policies.get(id));
            let grants = grants.iter().filter_map(|key| rows.grants.get(key));
            ports.extend(Rows::ports_of(policies, grants));
        }
        self.keys.port_sets.extend(&ports);
        self.keys.port_pairs.extend(ports);
    }

    /// Takes in the sets of ports that a plan writes for the way alone and that policies outside have: such
    /// sets are named after what is in them, and one that is not seen here would be removed at the end.
    /// Says whether there are any.
    fn share_with(&mut self, plan: &Plan, old: &State) -> bool {
        let mut shared = false;
        for change in &plan.changes {
            shared |= match change {
                Change::PortSet(id, _) => {
                    old.rows.port_sets.contains_key(id) && self.keys.port_sets.insert(*id)
                }
                Change::PortPairs(id, _) => {
                    old.rows.port_pairs.contains_key(id) && self.keys.port_pairs.insert(*id)
                }
                _ => false,
            };
        }
        shared
    }

    fn plan(
        &self,
        old: &State,
        new: &Image,
        limits: &Limits,
        next_generation: u32,
    ) -> Option<Plan> {
        let (before, after) = (self.of_state(old), self.of_image(new));
        let rest = |table| old.count(table) - before.count(table);
        let room = Room {
            limits: limits.less(rest),
            slots: limits.ports,
            free: &|| Box::new(free_slots(old, limits)),
        };
        // One that was cut off may have left rows that nobody knows of.
        let of_image = |table| new.count(table) - after.count(table);
        let differs = |table: &Table| rest(*table) != of_image(*table);
        if Table::ALL.iter().any(differs) {
            return None;
        }
        let middle = before.clone();
        try_plan(
            Way::InPlace,
            &before,
            middle,
            &after,
            &room,
            next_generation,
        )
    }

    fn of_state(&self, old: &State) -> State {
        let ports: BTreeMap<_, _> = pick(&self.keys.ports, &old.ports);
        let slots: BTreeSet<u32> = ports.values().map(|port| port.slot).collect();
        let addresses = old.addresses.iter();
        let addresses = addresses.filter(|((_, key), _)| slots.contains(&key.slot));
        debug_assert!(ports.values().all(|port| self.uuids.contains(&port.uuid)));
        State {
            addresses: addresses.map(|(key, kind)| (*key, *kind)).collect(),
            rows: self.of_rows(&old.rows),
            ports,
        }
    }

    fn of_image(&self, new: &Image) -> Image {
        Image {
            ports: pick(&self.keys.ports, &new.ports),
            rows: self.of_rows(&new.rows),
        }
    }

    fn of_rows(&self, rows: &Rows) -> Rows {
        Rows {
            policies: pick(&self.keys.policies, &rows.policies),
            members: pick(&self.keys.members, &rows.members),
            prefixes: pick(&self.keys.prefixes, &rows.prefixes),
            grants: pick(&self.keys.grants, &rows.grants),
            port_sets: pick(&self.keys.port_sets, &rows.port_sets),
            port_pairs: pick(&self.keys.port_pairs, &rows.port_pairs),
        }
    }
}

fn pick<K: Ord + Copy, V: Clone>(keys: &BTreeSet<K>, rows: &BTreeMap<K, V>) -> BTreeMap<K, V> {
    let rows = keys
        .iter()
        .filter_map(|key| Some((*key, rows.get(key)?.clone())));
    rows.collect()
}
