//! Which objects hang on which, as they were told: also on what is not there.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::super::id::{GroupId, PortId};
use super::super::interface::Interface;

/// Who hangs on what.
#[derive(Clone, Debug, Default)]
pub(super) struct Relations {
    /// The ports that say that an interface is theirs.
    pub interfaces: Index<Interface, PortId>,
    /// The ports that name a security group.
    pub holders: Index<GroupId, PortId>,
    /// The security groups with rules for a group.
    pub namers: Index<Uuid, GroupId>,
    /// The ports that have trunks.
    pub parents: BTreeSet<PortId>,
}

/// From things to those that name them, and back.
#[derive(Clone, Debug)]
pub(super) struct Index<T, N> {
    namers: BTreeMap<T, BTreeSet<N>>,
    named: BTreeMap<N, BTreeSet<T>>,
}

impl<T, N> Default for Index<T, N> {
    fn default() -> Self {
        Self {
            namers: BTreeMap::new(),
            named: BTreeMap::new(),
        }
    }
}

impl<T: Ord + Clone, N: Ord + Copy> Index<T, N> {
    /// Says what one names from now on; returns what it named before.
    pub fn set(&mut self, namer: N, things: BTreeSet<T>) -> BTreeSet<T> {
        let before = self.named.remove(&namer).unwrap_or_default();
        for thing in before.difference(&things) {
            if let Some(namers) = self.namers.get_mut(thing) {
                namers.remove(&namer);
                if namers.is_empty() {
                    self.namers.remove(thing);
                }
            }
        }
        for thing in things.difference(&before) {
            let namers = self.namers.entry(thing.clone()).or_default();
            namers.insert(namer);
        }
        if !things.is_empty() {
            self.named.insert(namer, things);
        }
        before
    }

    /// Who names a thing.
    pub fn namers(&self, thing: &T) -> impl Iterator<Item = N> + '_ {
        self.namers.get(thing).into_iter().flatten().copied()
    }
}
