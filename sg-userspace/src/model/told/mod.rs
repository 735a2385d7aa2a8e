//! What a writer has told, one transaction after the other, and the inventory that it comes to.
//!
//! Every object is kept as its text, and read by the same parsers as an object of a document. A transaction
//! is first made into a [`Step`], which says only what is new; the step is kept on disk, then taken. A step
//! that is taken touches no more than what hangs on its objects: ports that share an interface or a trunk,
//! ports and rules that name a group which comes or goes.

mod members;
mod ports;
mod relations;
mod rules;
mod step;
#[cfg(test)]
pub(crate) mod tests;
mod transaction;

use std::collections::BTreeMap;

use serde_json::value::RawValue;
use uuid::Uuid;

use super::fault::Fault;
use super::id::{GroupId, PortId};
use super::inventory::Inventory;
use super::touched::Touched;
use relations::Relations;
pub use step::{Named, Step};
pub use transaction::{Conflict, Objects, Transaction};

/// All that was told.
#[derive(Clone, Debug, Default)]
pub struct Told {
    revision: u64,
    session: Option<Uuid>,
    /// The host whose ports a store tells, if it is one that tells.
    host: Option<String>,
    ports: BTreeMap<PortId, Piece>,
    trusted: BTreeMap<PortId, Piece>,
    groups: BTreeMap<GroupId, Piece>,
    members: BTreeMap<Uuid, MembersPiece>,
    relations: Relations,
}

/// One object as it was told.
#[derive(Clone, Debug)]
struct Piece {
    text: Box<RawValue>,
    /// By the present session.
    named: bool,
    faults: Vec<Fault>,
}

/// One list of members; those that could be read are in the inventory.
#[derive(Clone, Debug)]
struct MembersPiece {
    /// The entries that could not be read.
    left_out: Vec<String>,
    named: bool,
    faults: Vec<Fault>,
}

/// How many objects of each kind were told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of a transaction")]
pub struct Count {
    pub ports: usize,
    pub trusted: usize,
    pub security_groups: usize,
    pub members: usize,
}

impl Told {
    /// What a store tells of a host, or a writer if there is none: faults name the keys of a store.
    pub fn of(host: Option<String>) -> Self {
        Self {
            host,
            ..Self::default()
        }
    }

    /// The number of the last step; 0 before the first.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// Who wrote it.
    pub fn session(&self) -> Option<Uuid> {
        self.session
    }

    /// How many objects there are.
    pub fn count(&self) -> Count {
        Count {
            ports: self.ports.len(),
            trusted: self.trusted.len(),
            security_groups: self.groups.len(),
            members: self.members.len(),
        }
    }

    /// What is wrong with all objects.
    pub fn faults(&self) -> impl Iterator<Item = &Fault> {
        let ports = self.ports.values().chain(self.trusted.values());
        let pieces = ports.chain(self.groups.values());
        let members = self.members.values().flat_map(|piece| &piece.faults);
        pieces.flat_map(|piece| &piece.faults).chain(members)
    }

    /// What is wrong with the objects that a step names.
    pub fn faults_of(&self, named: &Named) -> Vec<Fault> {
        let ports = named.ports.iter().filter_map(|id| self.ports.get(id));
        let trusted = named.trusted.iter().filter_map(|id| self.trusted.get(id));
        let groups = named.security_groups.iter();
        let groups = groups.filter_map(|id| self.groups.get(id));
        let pieces = ports.chain(trusted).chain(groups);
        let members = named.members.iter().filter_map(|id| self.members.get(id));
        let members = members.flat_map(|piece| &piece.faults);
        let faults = pieces.flat_map(|piece| &piece.faults).chain(members);
        faults.cloned().collect()
    }

    /// Takes a step for what is told from now on.
    pub fn take(&mut self, inventory: &mut Inventory, step: Step) -> Touched {
        let mut touched = Touched::default();
        if self.session != Some(step.session) {
            self.forget_names();
        }
        self.revision = step.revision;
        self.session = Some(step.session);
        self.name(&step.named);
        let came_or_went = self.take_members(inventory, step.members, &mut touched);
        let groups = self.take_groups(inventory, step.security_groups, came_or_went, &mut touched);
        self.take_ports(inventory, step.ports, step.trusted, &groups, &mut touched);
        touched
    }

    /// The least steps that come to all that was told: what former sessions left, and what the present one
    /// has named.
    pub fn snapshot(&self, inventory: &Inventory) -> Vec<Step> {
        let of = |named: bool, session: Uuid| Step {
            revision: self.revision,
            session,
            ports: texts(&self.ports, named),
            trusted: texts(&self.trusted, named),
            security_groups: texts(&self.groups, named),
            members: self.member_steps(inventory, named),
            named: Named::default(),
        };
        let Some(session) = self.session else {
            return Vec::new();
        };
        let former = of(false, Uuid::nil());
        let mut steps = vec![of(true, session)];
        if !former.is_empty() {
            steps.insert(0, former);
        }
        steps
    }

    fn forget_names(&mut self) {
        let ports = self.ports.values_mut().chain(self.trusted.values_mut());
        for piece in ports.chain(self.groups.values_mut()) {
            piece.named = false;
        }
        for piece in self.members.values_mut() {
            piece.named = false;
        }
    }

    fn name(&mut self, named: &Named) {
        let mark = |piece: Option<&mut Piece>| {
            if let Some(piece) = piece {
                piece.named = true;
            }
        };
        named
            .ports
            .iter()
            .for_each(|id| mark(self.ports.get_mut(id)));
        named
            .trusted
            .iter()
            .for_each(|id| mark(self.trusted.get_mut(id)));
        let groups = named.security_groups.iter();
        groups.for_each(|id| mark(self.groups.get_mut(id)));
        for id in &named.members {
            if let Some(piece) = self.members.get_mut(id) {
                piece.named = true;
            }
        }
    }
}

impl Piece {
    fn new(text: Box<RawValue>) -> Self {
        Self {
            text,
            named: true,
            faults: Vec::new(),
        }
    }
}

fn texts<K: Ord + Copy>(pieces: &BTreeMap<K, Piece>, named: bool) -> Objects<K> {
    let pieces = pieces.iter().filter(|(_, piece)| piece.named == named);
    Objects(
        pieces
            .map(|(id, piece)| (*id, Some(piece.text.clone())))
            .collect(),
    )
}
