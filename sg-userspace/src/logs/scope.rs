//! Which ports a log is of, and what it wants to be told of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{PoisonError, RwLock};

use crate::{
    events::Wanted,
    model::{GroupId, Inventory, PortId},
    settings::{Form, Log, What},
    view::{EventAction, EventsRequest},
};

/// What a log wants to be told, as the inventory is now.
///
/// # Errors
///
/// None of a log that was read from a settings file.
pub fn wanted(log: &Log, inventory: &Inventory) -> crate::error::Result<Wanted> {
    let is_flow_log = log.form == Form::FlowLog;
    let actions = match log.what {
        // What passes is counted, not told.
        What::All if is_flow_log => vec![EventAction::Drop],
        What::Accept if is_flow_log => Vec::new(),
        What::All => vec![EventAction::Accept, EventAction::Drop, EventAction::Audit],
        What::Accept => vec![EventAction::Accept],
        What::Drop => vec![EventAction::Drop],
    };
    let mut request = EventsRequest {
        rate: Some(log.rate),
        burst: Some(log.burst),
        counts: counts(log),
        ..EventsRequest::default()
    };
    match ports(log, inventory) {
        None => request.all = actions,
        // They may come later.
        Some(none) if none.is_empty() => return Ok(Wanted::default()),
        Some(ports) => {
            let ports = ports.into_iter();
            let ports = ports.map(|id| (id.to_string(), actions.clone()));
            request.ports = ports.collect::<BTreeMap<_, _>>();
        }
    }
    Wanted::parse(&request)
}

/// Whether packets and bytes of connections are to be counted for a log.
pub fn counts(log: &Log) -> bool {
    log.form == Form::FlowLog && log.what != What::Drop
}

/// The ports that a log names, also those that are not here yet; `None` if it is of every port.
pub fn ports(log: &Log, inventory: &Inventory) -> Option<BTreeSet<PortId>> {
    if log.is_of_all() {
        return None;
    }
    let ids = log.ports.iter().filter_map(|name| name.parse().ok());
    let mut ports: BTreeSet<PortId> = ids.collect();
    let groups = groups(log, inventory);
    let all = inventory.ports.values().filter(|port| {
        let has_group = || port.groups.iter().any(|group| groups.contains(group));
        (!port.name.is_empty() && log.ports.contains(&port.name)) || has_group()
    });
    ports.extend(all.map(|port| port.id));
    Some(ports)
}

/// The groups that a log names, by id or else by name.
fn groups(log: &Log, inventory: &Inventory) -> BTreeSet<GroupId> {
    let named = |name: &String| match name.parse::<GroupId>() {
        Ok(id) => vec![id],
        Err(_) => {
            let groups = inventory.groups.values();
            let groups = groups.filter(|group| group.name == *name);
            groups.map(|group| group.id).collect()
        }
    };
    log.groups.iter().flat_map(named).collect()
}

/// The ports that a log is of now, for its thread; none if it is of every port.
#[derive(Debug, Default)]
pub struct Scope(RwLock<Option<BTreeSet<PortId>>>);

impl Scope {
    /// By the inventory.
    pub fn of(log: &Log, inventory: &Inventory) -> Self {
        Self(RwLock::new(ports(log, inventory)))
    }

    /// By another inventory.
    pub fn change(&self, log: &Log, inventory: &Inventory) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = ports(log, inventory);
    }

    /// The ports.
    pub fn ports(&self) -> Option<BTreeSet<PortId>> {
        self.0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}
