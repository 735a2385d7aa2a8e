//! The node as metrics tell it.

use super::{Agent, TableFill, lookup};
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
        let inventory = self.desired.inventory.clone();
        let mut ports = Vec::new();
        for port in lookup::all(&inventory) {
            let view = self.view(port);
            if view.state == PortState::Elsewhere {
                continue;
            }
            let id = port.read().map(|port| port.id);
            let slot = self.slot(id)?;
            let connections = slot.map(|slot| tables.assured_of(slot)).transpose()?;
            ports.push(PortSample {
                counted: PortCounters {
                    port: view.id,
                    name: view.name,
                    interface: view.interface,
                    vlan: view.vlan,
                    counters: self.counters_of(id)?,
                },
                state: view.state,
                connections: connections.map(|used| (used, most)),
            });
        }
        Ok(Sample {
            status,
            ports,
            events,
            applies: self.applies.clone(),
            programs: self.datapath.program_times(),
        })
    }
}
