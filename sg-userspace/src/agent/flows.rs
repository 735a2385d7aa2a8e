//! The tracked connections, read from the flow tables and written to them.
//!
//! The agent only says which ports there are, and hands out what does the work: walks through the
//! tables take their time, and nobody waits for them.

mod adopt;
mod import;
mod reader;

use std::{collections::BTreeMap, time::SystemTime};

use sg_common::{
    conntrack::{sctp, tcp},
    layout::flow::{Flow, FlowKey},
    packet::Opening,
    wire::protocol,
};

use super::{Agent, lookup};
use crate::{
    error::{Error, Result},
    evaluate::evaluate,
    flows::{FlowDocument, FlowFilter, Gate},
    model::{Port, PortId, RuleId},
};

pub(super) use adopt::Adopting;
pub use adopt::Adoption;
pub use import::FlowImport;
pub use reader::FlowReader;
pub(super) use reader::view;

impl Agent {
    /// What reads the connections that meet a filter.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchPort`] and [`Error::AmbiguousPort`] for the filter's port.
    pub fn flows(&mut self, filter: FlowFilter) -> Result<FlowReader> {
        let wanted = match &filter.port {
            Some(reference) => Some(lookup::find(&self.desired.inventory, reference)?),
            None => None,
        };
        let wanted = wanted.map(|port| port.read().map(|port| port.id));
        let tables = self.datapath.flow_tables();
        let ports = self.holding()?.ports.values();
        let slots: BTreeMap<u32, PortId> = ports
            .map(|port| (port.slot, PortId(uuid::Uuid::from_bytes(port.uuid))))
            .filter(|(_, id)| wanted.is_none_or(|wanted| wanted == Some(*id)))
            .collect();
        Ok(FlowReader::new(tables, slots, filter))
    }

    /// Says that connections of a port are to be taken over, which has to be the one that `reference` names,
    /// if it names one. The port need not have its interface yet: its policy is known without, and a slot for
    /// it is due.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchPort`] and [`Error::AmbiguousPort`]; [`Error::MalformedFlows`] if it is another port.
    pub fn expect_flows(&mut self, id: PortId, reference: Option<&str>) -> Result<()> {
        let name = id.to_string();
        let reference = reference.unwrap_or(&name);
        let found = lookup::find(&self.desired.inventory, reference)?;
        let found = found.read().map(|port| port.id);
        if found.is_some_and(|port| port != id) {
            return Err(Error::MalformedFlows(format!(
                "port = {id}: these are not the flows of {reference}"
            )));
        }
        match found {
            Some(port) => self.give_slot(port),
            None => Ok(()),
        }
    }

    /// What takes over the connections of a document, whose port was expected.
    ///
    /// # Errors
    ///
    /// [`Error::NoSlot`] for a port that is closed, of which nothing can say what is permitted.
    pub fn import(
        &mut self,
        document: FlowDocument,
        reference: Option<&str>,
    ) -> Result<FlowImport> {
        let id = document.port;
        let name = id.to_string();
        let gate = self.gate(id, reference.unwrap_or(&name))?;
        let tables = self.datapath.flow_tables();
        Ok(FlowImport::new(tables, gate, document))
    }

    /// A port has a slot, or one is due.
    fn give_slot(&mut self, port: PortId) -> Result<()> {
        if self.entry(port)?.is_some() {
            return Ok(());
        }
        self.due.expected = Some(port);
        self.reconcile()
    }

    /// What says what a port of the inventory permits, whether it has its interface yet or not; `reference` is
    /// what it was called.
    fn gate(&mut self, port: PortId, reference: &str) -> Result<Gate> {
        let settings = self.datapath.settings()?;
        let is_read = self.desired.inventory.ports.contains_key(&port);
        let entry = self.entry(port)?.filter(|_| is_read);
        let entry = entry.ok_or_else(|| Error::NoSlot(reference.into()))?;
        Ok(Gate::new(&*self.held_state()?, &entry, &settings))
    }

    /// What the tables say of a port.
    fn entry(&self, port: PortId) -> Result<Option<sg_common::layout::port::Port>> {
        let uuid = port.0.into_bytes();
        let mut entries = self.holding()?.ports.values();
        Ok(entries.find(|entry| entry.uuid == uuid).copied())
    }

    /// How many of these connections each rule of a port holds: those whose first packet it is the
    /// first to permit.
    pub(super) fn held(&self, port: &Port, flows: &[(FlowKey, Flow)]) -> BTreeMap<RuleId, u64> {
        let mut held = BTreeMap::new();
        for rule in flows
            .iter()
            .filter_map(|(key, flow)| self.holder(port, key, flow))
        {
            *held.entry(rule).or_default() += 1;
        }
        held
    }

    fn holder(&self, port: &Port, key: &FlowKey, flow: &Flow) -> Option<RuleId> {
        let word = flow.word();
        let opening = Opening::of_flow(key, word.from_vm());
        let rule = evaluate(&self.desired.inventory, port, &opening);
        rule.filter(|_| !word.revoked()).map(|rule| rule.id)
    }
}

/// The system's clock: milliseconds since 1970 (UTC), which nodes have in common.
fn wall_clock() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| since.as_millis().try_into().unwrap_or(u64::MAX))
}

/// The state as `conntrack -L` says it.
pub fn state(transport: u8, flow: &Flow) -> &'static str {
    match transport {
        protocol::TCP => tcp::State::from_number(flow.word().state()).as_str(),
        protocol::SCTP => sctp::State::from_number(flow.word().state()).as_str(),
        _ if flow.word().seen_reply() => "",
        _ => "UNREPLIED",
    }
}
