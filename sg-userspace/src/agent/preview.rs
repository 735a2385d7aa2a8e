//! What an inventory would change, found out beside the agent, with the code that would do it.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::ControlFlow,
    sync::Arc,
};

use sg_common::{
    layout::flow::{Flow, FlowKey},
    layout::port::{Port as Entry, PortKey, flags},
    layout::settings::Settings,
    wire::addr::to_ip,
};

use super::{Agent, FlowTables, flows::view, phrase};
use crate::{
    compile::{Compilation, Limits},
    error::Result,
    flows::{Gate, Judge},
    model::{self, Inventory, Port, PortId, Remote, Touched},
    plan::{State, plan},
    settings::Audit,
    view::{CutBy, DiffView, PortChange, PortDiff},
};

/// Connections that are shown one by one.
const SHOWN: usize = 100;

/// Other sides that are shown.
const REMOTES: usize = 10;

/// What an inventory is compared with: a copy of what is in force.
pub struct Preview {
    inventory: Arc<Inventory>,
    state: State,
    settings: Settings,
    limits: Limits,
    audit: Audit,
    tables: Arc<dyn FlowTables>,
    /// The interfaces that are here.
    here: BTreeSet<String>,
}

impl Agent {
    /// What an inventory can be compared with, beside the agent.
    ///
    /// # Errors
    ///
    /// The tables cannot be read.
    pub fn preview(&mut self) -> Result<Preview> {
        Ok(Preview {
            inventory: self.desired.inventory.clone(),
            settings: self.datapath.settings()?,
            limits: self.limits,
            audit: self.operator.audit.clone(),
            tables: self.datapath.flow_tables(),
            here: self.links.all().map(|link| link.name.clone()).collect(),
            state: self.held_state()?.into_owned(),
        })
    }
}

impl Preview {
    /// Compares with a document. Every connection is judged as the filter would at its next packet.
    ///
    /// # Errors
    ///
    /// [`crate::error::Error::Malformed`] as of an apply; the tables cannot be read.
    pub fn run(self, document: &[u8]) -> Result<DiffView> {
        let parsed = model::parse(document)?;
        let new = &parsed.inventory;
        let touched = Touched::between(&self.inventory, new);
        let places = self.places(new);
        let mut compilation = Compilation::new(new, &places, &self.limits);
        compilation.mark(new, flags::AUDIT, |port| self.audit.holds(port));
        let planned = plan(&State::default(), compilation.image(), &self.limits, 1);
        let mut cuts = self.cuts(&planned.state)?;

        let ids: BTreeSet<PortId> = self
            .inventory
            .ports
            .keys()
            .chain(new.ports.keys())
            .copied()
            .collect();
        let mut view = DiffView {
            faults: parsed.faults,
            ..DiffView::default()
        };
        for id in ids {
            let (before, after) = (self.inventory.ports.get(&id), new.ports.get(&id));
            let cut = cuts.by_port.get(&id).copied().unwrap_or_default();
            let diff = self.port(new, before, after, &touched, cut);
            view.ports
                .extend(diff.filter(|diff| cut > 0 || self.here.contains(&diff.interface)));
        }
        view.cut = cuts.by_port.values().sum();
        let groups = cuts.by_port.iter().flat_map(|(id, cut)| {
            let port = self.inventory.ports.get(id);
            let groups = port.into_iter().flat_map(|port| &port.groups);
            groups.map(|group| (phrase::group(&self.inventory, *group), *cut))
        });
        view.by_group = counted(groups);
        view.by_remote = counted(std::mem::take(&mut cuts.by_remote));
        view.by_remote.truncate(REMOTES);
        view.connections = cuts.shown;
        Ok(view)
    }

    /// The places of the ports of an inventory: where they are, or somewhere if they are to come. It does not matter
    /// to what they permit.
    fn places(&self, new: &Inventory) -> BTreeMap<PortId, PortKey> {
        let known = self
            .state
            .ports
            .iter()
            .map(|(key, entry)| (owner(entry), *key));
        let known = known.filter(|(id, _)| new.ports.contains_key(id));
        known.collect()
    }

    /// The connections that the rules permit now, and would not.
    fn cuts(&self, planned: &State) -> Result<Cuts> {
        let gate = |state: &State, entry: &Entry| Gate::new(state, entry, &self.settings).judge();
        let after: BTreeMap<PortId, (&Entry, Judge)> = planned
            .ports
            .values()
            .map(|entry| (owner(entry), (entry, gate(planned, entry))))
            .collect();
        let before: BTreeMap<u32, (&Entry, Judge)> = self
            .state
            .ports
            .values()
            .map(|entry| (entry.slot, (entry, gate(&self.state, entry))))
            .collect();
        let now = self.tables.now();
        let mut cuts = Cuts::default();
        self.tables.walk(&mut |page| {
            for (key, flow) in page.iter().filter(|(_, flow)| flow.lives(now)) {
                let Some((entry, judge)) = before.get(&key.slot()) else {
                    continue;
                };
                let from_vm = flow.word().from_vm();
                let id = owner(entry);
                let stays = match after.get(&id) {
                    // What tracks nothing cuts nothing: each packet meets the rules by itself.
                    Some((entry, _))
                        if entry.has(flags::UNFILTERED) || entry.has(flags::STATELESS) =>
                    {
                        true
                    }
                    Some((_, judge)) => judge.permits(key, from_vm).is_ok(),
                    None => false,
                };
                let is_in_force = !flow.word().revoked() && judge.permits(key, from_vm).is_ok();
                if !stays && is_in_force {
                    cuts.add(id, key, flow, now);
                }
            }
            ControlFlow::Continue(())
        })?;
        Ok(cuts)
    }

    /// What would change at a port, if anything would.
    fn port(
        &self,
        new: &Inventory,
        before: Option<&Port>,
        after: Option<&Port>,
        touched: &Touched,
        cut: u64,
    ) -> Option<PortDiff> {
        let change = match (before, after) {
            (None, Some(_)) => PortChange::Added,
            (Some(_), None) => PortChange::Removed,
            _ => PortChange::Changed,
        };
        let port = after.or(before)?;
        let says = |inventory: &Inventory, port: Option<&Port>| -> BTreeSet<String> {
            let said = port.map(|port| says(inventory, port, touched));
            said.unwrap_or_default()
        };
        let (old, new) = (says(&self.inventory, before), says(new, after));
        let diff = PortDiff {
            id: port.id.to_string(),
            name: port.name.clone(),
            interface: port.interface.as_str().into(),
            change,
            added: new.difference(&old).cloned().collect(),
            removed: old.difference(&new).cloned().collect(),
            cut,
        };
        let is_as_it_was = diff.added.is_empty() && diff.removed.is_empty() && cut == 0;
        (change != PortChange::Changed || !is_as_it_was).then_some(diff)
    }
}

/// All that decides what a port permits, in words; of members only those that come or go.
fn says(inventory: &Inventory, port: &Port, touched: &Touched) -> BTreeSet<String> {
    let mut says = BTreeSet::new();
    says.insert(format!("security {:?}", port.security).to_lowercase());
    if !inventory.is_stateful(port) {
        says.insert("stateless".into());
    }
    says.extend(
        phrase::addresses(port)
            .into_iter()
            .map(|address| format!("address {address}")),
    );
    let groups = port
        .groups
        .iter()
        .filter_map(|group| inventory.groups.get(group));
    for rule in groups.flat_map(|group| &group.rules) {
        let direction = match rule.direction {
            model::Direction::Ingress => "ingress",
            model::Direction::Egress => "egress",
        };
        says.insert(format!(
            "rule {direction} {}",
            phrase::rule(inventory, rule)
        ));
        let id = match rule.remote {
            Remote::Group(group) => group.0,
            Remote::AddressGroup(group) => group.0,
            Remote::Anyone | Remote::Prefix(_) => continue,
        };
        let Some(moving) = touched.members.get(&id) else {
            continue;
        };
        let members = inventory.peers(rule).into_iter();
        let moving = members.filter(|net| moving.contains(net));
        let name = match rule.remote {
            Remote::Group(group) => phrase::group(inventory, group),
            _ => id.to_string(),
        };
        says.extend(moving.map(|net| format!("member {net} of {name}")));
    }
    says
}

/// What would be cut.
#[derive(Default)]
struct Cuts {
    by_port: BTreeMap<PortId, u64>,
    by_remote: BTreeMap<String, u64>,
    shown: Vec<crate::view::FlowView>,
}

impl Cuts {
    fn add(&mut self, id: PortId, key: &FlowKey, flow: &Flow, now: u32) {
        *self.by_port.entry(id).or_default() += 1;
        let remote = to_ip(&key.remote, key.family()).to_string();
        *self.by_remote.entry(remote).or_default() += 1;
        if self.shown.len() < SHOWN {
            self.shown.push(view(id, key, flow, now));
        }
    }
}

/// The most first.
fn counted(all: impl IntoIterator<Item = (String, u64)>) -> Vec<CutBy> {
    let mut sums = BTreeMap::<String, u64>::new();
    for (name, connections) in all {
        *sums.entry(name).or_default() += connections;
    }
    let sums = sums.into_iter();
    let mut counted: Vec<_> = sums
        .map(|(name, connections)| CutBy { name, connections })
        .collect();
    counted.sort_by_key(|one| std::cmp::Reverse(one.connections));
    counted
}

fn owner(entry: &Entry) -> PortId {
    PortId(uuid::Uuid::from_bytes(entry.uuid))
}
