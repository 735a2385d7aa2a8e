//! Walks through the flow tables.

use std::{collections::BTreeMap, ops::ControlFlow, sync::Arc};

use sg_common::{
    layout::flow::{Flow, FlowKey},
    layout::settings::{Ticks, seconds},
    packet::Opening,
    wire::addr::to_ip,
};

use super::{state, wall_clock};
use crate::{
    agent::{FlowTables, phrase},
    error::{Error, Result},
    flows::{FlowDocument, FlowFilter},
    model::PortId,
    view::FlowView,
};

/// Reads and removes the live connections that meet a filter.
pub struct FlowReader {
    tables: Arc<dyn FlowTables>,
    /// The ports whose connections count, by slot.
    ports: BTreeMap<u32, PortId>,
    filter: FlowFilter,
}

/// What is found: live connections, never more than a page of them.
type Page<'a> = &'a [&'a (FlowKey, Flow)];

impl FlowReader {
    pub(super) fn new(
        tables: Arc<dyn FlowTables>,
        ports: BTreeMap<u32, PortId>,
        filter: FlowFilter,
    ) -> Self {
        Self {
            tables,
            ports,
            filter,
        }
    }

    /// Shows them, a page of bounded size at a time, until told to stop.
    pub fn views(&self, mut show: impl FnMut(Vec<FlowView>) -> ControlFlow<()>) -> Result<()> {
        let now = self.tables.now();
        self.pages(now, |page| show(self.page(page.iter().copied(), now)))
    }

    /// All of them at once, which takes the memory of all.
    pub fn all(&self) -> Result<Vec<(FlowKey, Flow)>> {
        let mut all = Vec::new();
        self.pages(self.tables.now(), |page| {
            all.extend(page.iter().map(|entry| **entry));
            ControlFlow::Continue(())
        })?;
        Ok(all)
    }

    /// Removes them, and shows each as it was then, a page at a time, until told to stop.
    pub fn delete(&self, mut show: impl FnMut(Vec<FlowView>) -> ControlFlow<()>) -> Result<()> {
        let now = self.tables.now();
        let mut done = Ok(());
        self.pages(now, |page| {
            let mut removed = Vec::new();
            done = page.iter().try_for_each(|(key, _)| {
                let flow = self.tables.remove(key)?;
                removed.extend(flow.map(|flow| (*key, flow)));
                Ok(())
            });
            let shown = show(self.page(removed.iter(), now));
            match done {
                Ok(()) => shown,
                Err(_) => ControlFlow::Break(()),
            }
        })?;
        done
    }

    /// Writes those of the only port of the filter into a document.
    ///
    /// # Errors
    ///
    /// [`Error::NoSlot`] if the port cannot have connections here, because it never had an interface.
    pub fn export(&self) -> Result<FlowDocument> {
        let absent = || Error::NoSlot(self.filter.port.clone().unwrap_or_default());
        let port = self.ports.values().next().ok_or_else(absent)?;
        let now = self.tables.now();
        let mut document = FlowDocument::new(*port, wall_clock());
        self.pages(now, |page| {
            for (key, flow) in page {
                document.push(key, flow, now);
            }
            ControlFlow::Continue(())
        })?;
        Ok(document)
    }

    fn page<'a>(
        &self,
        flows: impl Iterator<Item = &'a (FlowKey, Flow)>,
        now: Ticks,
    ) -> Vec<FlowView> {
        let views = flows.filter_map(|(key, flow)| {
            let port = self.ports.get(&key.slot())?;
            Some(view(*port, key, flow, now))
        });
        views.collect()
    }

    fn pages(&self, now: Ticks, mut visit: impl FnMut(Page<'_>) -> ControlFlow<()>) -> Result<()> {
        let wanted = |(key, flow): &&(FlowKey, Flow)| {
            flow.lives(now)
                && self.ports.contains_key(&key.slot())
                && self.filter.matches(key, flow, state(key.protocol(), flow))
        };
        self.tables.walk(&mut |page| {
            let found: Vec<_> = page.iter().filter(wanted).collect();
            match found.is_empty() {
                true => ControlFlow::Continue(()),
                false => visit(&found),
            }
        })
    }
}

/// A connection, for people and programs.
pub fn view(port: PortId, key: &FlowKey, flow: &Flow, now: Ticks) -> FlowView {
    let word = flow.word();
    let opening = Opening::of_flow(key, word.from_vm());
    let query = key.icmp_query();
    FlowView {
        port: port.to_string(),
        zone: key.slot(),
        protocol: phrase::protocol_name(key.protocol()),
        protocol_number: key.protocol(),
        local: to_ip(&key.local, key.family()),
        local_port: key.local_port,
        remote: to_ip(&key.remote, key.family()),
        // An ICMP query has other numbers here, which nobody takes for a port.
        remote_port: if query.is_some() { 0 } else { key.remote_port },
        icmp_type: query.map(|[kind, _]| kind),
        icmp_code: query.map(|[_, code]| code),
        direction: opening.hook.direction().into(),
        state: state(key.protocol(), flow).into(),
        replied: word.seen_reply(),
        assured: word.assured(),
        revoked: word.revoked(),
        expires: seconds(flow.expires.wrapping_sub(now)),
    }
}
