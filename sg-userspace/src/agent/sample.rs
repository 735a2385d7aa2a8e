//! The node as metrics tell it.

use std::collections::BTreeMap;

use super::{Agent, PortCounts, TableFill, lookup, views::counters};
use crate::{
    error::Result,
    events::EventTotals,
    metrics::{PortSample, Sample},
    view::{PortCounters, PortState},
};

impl Agent {
    /// A sample of the node; `flows` says how full the flow tables are, `events` what was told
    /// one by one. Ports of other nodes are left out.
    ///
    /// # Errors
    ///
    /// The tables cannot be read.
    pub fn sample(&mut self, flows: Vec<TableFill>, events: EventTotals) -> Result<Sample> {
        let status = self.status(flows)?;
        let tables = self.flow_tables();
        let most = self.datapath.settings()?.assured_per_port;
        let held = self.holding()?.ports.values();
        let slots: BTreeMap<_, _> = held.map(|port| (port.uuid, port.slot)).collect();
        let inventory = self.desired.inventory.clone();
        let mut ports = Vec::new();
        for port in lookup::all(&inventory) {
            let view = self.view(port);
            if view.state == PortState::Elsewhere {
                continue;
            }
            let id = port.read().map(|port| *port.id.0.as_bytes());
            let slot = id.and_then(|id| slots.get(&id).copied());
            let counts = slot.map(|slot| self.datapath.counters(slot)).transpose()?;
            let connections = slot.map(|slot| tables.assured_of(slot)).transpose()?;
            ports.push(PortSample {
                counted: PortCounters {
                    port: view.id,
                    name: view.name,
                    interface: view.interface,
                    vlan: view.vlan,
                    counters: counters(&counts.unwrap_or(PortCounts::NONE)),
                },
                state: view.state,
                connections: connections.map(|used| (used, most)),
            });
        }
        Ok(Sample {
            status,
            ports,
            events,
            logs: self
                .logs
                .as_ref()
                .map(|logs| logs.totals())
                .unwrap_or_default(),
            applies: self.applies.clone(),
            programs: self.datapath.program_times(),
        })
    }
}
