//! A transaction, reduced to what is new.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

use super::super::id::{GroupId, PortId};
use super::super::inventory::Inventory;
use super::members::MembersStep;
use super::{Conflict, Objects, Piece, Told, Transaction};

/// What a transaction comes to: the objects whose texts are new, and those that are gone, in the form that
/// is kept on disk.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// The revision that it makes.
    pub revision: u64,
    /// Whose it is.
    pub session: Uuid,
    #[serde(default, skip_serializing_if = "is_none")]
    pub(super) ports: Objects<PortId>,
    #[serde(default, skip_serializing_if = "is_none")]
    pub(super) trusted: Objects<PortId>,
    #[serde(default, skip_serializing_if = "is_none")]
    pub(super) security_groups: Objects<GroupId>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) members: BTreeMap<Uuid, Option<MembersStep>>,
    /// What is named and as it was.
    #[serde(default, skip_serializing_if = "Named::is_empty")]
    pub named: Named,
}

/// Objects by their ids.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(missing_docs, reason = "the names are those of a transaction")]
pub struct Named {
    pub ports: BTreeSet<PortId>,
    pub trusted: BTreeSet<PortId>,
    pub security_groups: BTreeSet<GroupId>,
    pub members: BTreeSet<Uuid>,
}

impl Named {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

fn is_none<K>(objects: &Objects<K>) -> bool {
    objects.0.is_empty()
}

impl Step {
    /// The ports whose texts are new, and those that are gone, which have none.
    pub fn ports(&self) -> impl Iterator<Item = (PortId, Option<&RawValue>)> {
        let ports = self.ports.0.iter();
        ports.map(|(id, text)| (*id, text.as_deref()))
    }

    /// Whether it brings and takes nothing.
    pub fn is_empty(&self) -> bool {
        is_none(&self.ports)
            && is_none(&self.trusted)
            && is_none(&self.security_groups)
            && self.members.is_empty()
    }
}

impl Transaction {
    /// What it names, but for what it takes away.
    pub fn named(&self) -> Named {
        fn given<K: Ord + Copy>(objects: &Objects<K>) -> BTreeSet<K> {
            let given = objects.0.iter().filter(|(_, text)| text.is_some());
            given.map(|(id, _)| *id).collect()
        }
        Named {
            ports: given(&self.ports),
            trusted: given(&self.trusted),
            security_groups: given(&self.security_groups),
            members: given(&self.members),
        }
    }
}

impl Told {
    /// What a transaction comes to. Changes nothing.
    ///
    /// # Errors
    ///
    /// [`Conflict`] when it builds on something else than what is in force.
    pub fn step(&self, inventory: &Inventory, told: Transaction) -> Result<Step, Conflict> {
        self.check(&told)?;
        let which = Which {
            complete: told.complete,
            reap: told.reap,
            is_same: self.session == Some(told.session),
        };
        let mut named = Named::default();
        Ok(Step {
            revision: told.revision.unwrap_or(self.revision + 1),
            session: told.session,
            ports: which.objects(told.ports, &self.ports, &mut named.ports),
            trusted: which.objects(told.trusted, &self.trusted, &mut named.trusted),
            security_groups: which.objects(
                told.security_groups,
                &self.groups,
                &mut named.security_groups,
            ),
            members: self.members_step(inventory, told.members, &which, &mut named.members),
            named,
        })
    }

    fn check(&self, told: &Transaction) -> Result<(), Conflict> {
        let is_own = self.session == Some(told.session);
        let fits = match told.base {
            Some(base) => is_own && base == self.revision,
            // One that names all there is builds on nothing.
            None => !is_own || told.complete,
        };
        fits.then_some(()).ok_or(Conflict {
            base: told.base,
            told: told.session,
            revision: self.revision,
            session: self.session,
        })
    }
}

/// Which of the objects that a transaction does not name stay.
pub(super) struct Which {
    complete: bool,
    reap: bool,
    /// The session is that of the objects' marks.
    is_same: bool,
}

impl Which {
    /// Whether an object that is not named goes.
    pub fn goes(&self, named_before: bool) -> bool {
        self.complete || self.reap && !self.was_named(named_before)
    }

    /// Whether this session has named an object before.
    pub fn was_named(&self, mark: bool) -> bool {
        self.is_same && mark
    }

    fn objects<K: Ord + Copy>(
        &self,
        told: Objects<K>,
        before: &BTreeMap<K, Piece>,
        named: &mut BTreeSet<K>,
    ) -> Objects<K> {
        let mut objects = BTreeMap::<K, Option<Box<RawValue>>>::new();
        for (id, piece) in before {
            if !told.0.contains_key(id) && self.goes(piece.named) {
                objects.insert(*id, None);
            }
        }
        for (id, text) in told.0 {
            match (text, before.get(&id)) {
                (None, None) => {}
                (Some(text), Some(piece)) if text.get() == piece.text.get() => {
                    if !self.was_named(piece.named) {
                        named.insert(id);
                    }
                }
                (text, _) => drop(objects.insert(id, text)),
            }
        }
        Objects(objects)
    }
}
