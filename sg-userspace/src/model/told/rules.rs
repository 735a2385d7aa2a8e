//! Security groups as they were told.

use std::collections::BTreeSet;

use serde_json::value::RawValue;
use sg_store::Key;
use uuid::Uuid;

use super::super::fault::{Effect, Fault, Kind, Object, Problem};
use super::super::fields::Fields;
use super::super::group::{self, Group};
use super::super::id::{AddressGroupId, GroupId};
use super::super::inventory::Inventory;
use super::super::references;
use super::super::rule::Remote;
use super::{Objects, Piece, Told, Touched, ports};

impl Told {
    /// Takes groups, and reads those again that name one of `came_or_went`; returns the security groups that
    /// came or went.
    pub(super) fn take_groups(
        &mut self,
        inventory: &mut Inventory,
        told: Objects<GroupId>,
        mut came_or_went: BTreeSet<Uuid>,
        touched: &mut Touched,
    ) -> BTreeSet<GroupId> {
        let (mut stirred, mut groups) = (BTreeSet::new(), BTreeSet::new());
        for (id, text) in told.0 {
            stirred.insert(id);
            let before = match text {
                Some(text) => self.groups.insert(id, Piece::new(text)),
                None => self.groups.remove(&id),
            };
            if before.is_some() != self.groups.contains_key(&id) {
                groups.insert(id);
                came_or_went.insert(id.0);
            }
        }
        let namers = came_or_went.iter();
        let namers: Vec<_> = namers
            .flat_map(|id| self.relations.namers.namers(id))
            .collect();
        stirred.extend(namers);
        for id in stirred {
            let group = self.read_group(id);
            let before = match group {
                Some(ref group) if inventory.groups.get(&id) == Some(group) => continue,
                Some(group) => inventory.groups.insert(id, group),
                None => inventory.groups.remove(&id),
            };
            if before.is_some() || inventory.groups.contains_key(&id) {
                touched.groups.insert(id);
            }
        }
        groups
    }

    fn read_group(&mut self, id: GroupId) -> Option<Group> {
        let Some(piece) = self.groups.get(&id) else {
            self.relations.namers.set(id, BTreeSet::new());
            return None;
        };
        let mut faults = Vec::new();
        let mut group = read(id, &piece.text, &mut faults);
        let remotes = group.rules.iter().filter_map(|rule| match rule.remote {
            Remote::Group(GroupId(id)) | Remote::AddressGroup(AddressGroupId(id)) => Some(id),
            Remote::Anyone | Remote::Prefix(_) => None,
        });
        self.relations.namers.set(id, remotes.collect());
        let twice = references::twice(group.rules.iter());
        group.leave_out(&mut faults, |rule| references::duplicate_rule(rule, &twice));
        group.leave_out(&mut faults, |rule| {
            references::missing_remote(
                rule,
                |id| self.groups.contains_key(&id) || self.members.contains_key(&id.0),
                |id| self.members.contains_key(&id.0),
            )
        });
        let is_of_store = self.host.is_some();
        let keyed = faults.into_iter().map(|fault| {
            let key = is_of_store.then(|| key(id, &fault));
            fault.at(key)
        });
        if let Some(piece) = self.groups.get_mut(&id) {
            piece.faults = keyed.collect();
        }
        Some(group)
    }
}

/// Where a store has what a fault of a group is about.
fn key(GroupId(group): GroupId, fault: &Fault) -> String {
    let rule = match fault.object.kind {
        Kind::SecurityGroupRule => fault.object.id.parse().ok(),
        _ => None,
    };
    let key = rule.map_or(Key::SecurityGroup(group), |id| Key::Rule { group, id });
    key.to_string()
}

/// Reads a group, which is there whatever is wrong with it.
fn read(id: GroupId, text: &RawValue, faults: &mut Vec<Fault>) -> Group {
    let mut object = Object {
        kind: Kind::SecurityGroup,
        id: id.to_string(),
        name: String::new(),
    };
    let read = ports::fields_with_id(text, &object.id).and_then(|fields| {
        let name = fields.get("name").and_then(|name| name.as_str());
        object.name = name.unwrap_or_default().to_owned();
        group::parse(Fields(&fields), &object, faults)
    });
    read.unwrap_or_else(|problem: Problem| {
        faults.push(problem.of(&object, Effect::RulesLeftOut));
        Group {
            id,
            name: object.name,
            // Not tracking connections is less access.
            stateful: false,
            rules: Vec::new(),
        }
    })
}
