//! What logs have to know of the ports.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use crate::{
    model::{Inventory, PortId},
    plain::plain,
};

/// Whose the ports are, and which of them are on this node: for the threads that write.
#[derive(Debug, Default)]
pub struct Ports(RwLock<Known>);

#[derive(Debug, Default)]
struct Known {
    projects: BTreeMap<PortId, Arc<str>>,
    here: BTreeSet<PortId>,
}

impl Ports {
    /// Whose they are by the inventory.
    pub fn are(&self, inventory: &Inventory) {
        let mut known: BTreeSet<Arc<str>> = BTreeSet::new();
        let ports = inventory.ports.values();
        let ports = ports.filter(|port| !port.project.is_empty());
        let projects = ports.map(|port| {
            let word = word(&port.project);
            let project = known.get(word.as_str()).cloned();
            let project = project.unwrap_or_else(|| Arc::from(word));
            known.insert(project.clone());
            (port.id, project)
        });
        let projects = projects.collect();
        self.change(|known| known.projects = projects);
    }

    /// These are on this node.
    pub fn are_here(&self, here: BTreeSet<PortId>) {
        self.change(|known| known.here = here);
    }

    /// The project of a port, as one word; empty if it is not known.
    pub fn project(&self, port: &str) -> Arc<str> {
        let port: Option<PortId> = port.parse().ok();
        let project = port.and_then(|id| self.known().projects.get(&id).cloned());
        project.unwrap_or_default()
    }

    /// The ports on this node that are among these; all of them if it is not said which.
    pub fn here(&self, among: Option<&BTreeSet<PortId>>) -> BTreeSet<PortId> {
        let known = self.known();
        match among {
            None => known.here.clone(),
            Some(among) => known.here.intersection(among).copied().collect(),
        }
    }

    fn known(&self) -> RwLockReadGuard<'_, Known> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut Known)) {
        change(&mut self.0.write().unwrap_or_else(PoisonError::into_inner));
    }
}

fn word(project: &str) -> String {
    plain(project).replace(' ', "\\u{20}")
}
