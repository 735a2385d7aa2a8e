//! The node at one moment, for whoever makes rates or metrics of it.

use std::{collections::BTreeMap, sync::Arc, time::SystemTime};

use super::{
    Agent, Counted, FlowTables, TableFill,
    lookup::{self, AnyPort},
    views::counters_that,
};
use crate::{
    error::Result,
    events::{EventTotals, time},
    host::clock::boottime,
    metrics::Sample,
    model::Inventory,
    view::{AssuredView, Counters, GroupName, PortCounters, PortSample, PortState, SampleView},
};

/// Reads what the kernel counts of the ports, beside the agent.
pub struct Sampler {
    /// The ports that are here, without what is to be read.
    ports: Vec<PortSample>,
    counted: Arc<dyn Counted>,
    tables: Arc<dyn FlowTables>,
    /// How many assured connections a port may have.
    quota: Option<u32>,
}

impl Agent {
    /// What reads a sample of the ports, whose states are those of the last look. Ports of other nodes are left out.
    ///
    /// # Errors
    ///
    /// It is not known what the tables hold.
    pub fn sampler(&self) -> Result<Sampler> {
        let held = self.holding()?.ports.values();
        let zones: BTreeMap<_, _> = held.map(|port| (port.uuid, port.slot)).collect();
        let inventory = &self.desired.inventory;
        let ports = lookup::all(inventory).filter_map(|port| {
            let state = self.state(self.spot_of(port));
            let id = port.read().map(|port| *port.id.0.as_bytes());
            let zone = id.and_then(|id| zones.get(&id).copied());
            (state != PortState::Elsewhere).then(|| unread(inventory, port, state, zone))
        });
        let quota = self.datapath.settings()?.assured_per_port;
        Ok(Sampler {
            ports: ports.collect(),
            counted: self.datapath.counted(),
            tables: self.flow_tables(),
            quota: (quota != u32::MAX).then_some(quota),
        })
    }

    /// What reads a sample of the node; `flows` says how full the flow tables are, `events` what was told
    /// one by one.
    ///
    /// # Errors
    ///
    /// The tables cannot be read.
    pub fn sample(
        &mut self,
        flows: Vec<TableFill>,
        events: EventTotals,
    ) -> Result<impl FnOnce() -> Result<Sample> + Send + use<>> {
        let status = self.status(flows)?;
        let sampler = self.sampler()?;
        let applies = self.applies.clone();
        let programs = self.datapath.program_times();
        let logs = self.logs.as_ref();
        let logs = logs.map(|logs| logs.totals()).unwrap_or_default();
        Ok(move || {
            Ok(Sample {
                status,
                ports: sampler.read()?.ports,
                events,
                logs,
                applies,
                programs,
            })
        })
    }
}

impl Sampler {
    /// Reads it.
    ///
    /// # Errors
    ///
    /// The kernel does not tell.
    pub fn read(self) -> Result<SampleView> {
        let (now, uptime) = (SystemTime::now(), boottime());
        let mut ports = self.ports;
        for port in &mut ports {
            let Some(zone) = port.zone else {
                continue;
            };
            // Of some fifty reasons a port meets a few.
            port.counted.counters =
                counters_that(&self.counted.of(zone)?, |counter| counter.packets > 0);
            port.connections = Some(AssuredView {
                assured: self.tables.assured_of(zone)?,
                quota: self.quota,
            });
        }
        Ok(SampleView {
            time: time(now),
            uptime_us: uptime / 1000,
            ports,
        })
    }
}

fn unread(
    inventory: &Inventory,
    port: AnyPort<'_>,
    state: PortState,
    zone: Option<u32>,
) -> PortSample {
    let groups = port.read().into_iter().flat_map(|port| &port.groups);
    let name = |id| inventory.groups.get(id).map(|group| group.name.clone());
    PortSample {
        counted: PortCounters {
            port: port.id(),
            name: port.name().into(),
            interface: port
                .interface()
                .map(|name| name.as_str().to_owned())
                .unwrap_or_default(),
            vlan: port.vlan().map(|vlan| vlan.id()),
            counters: Counters::default(),
        },
        state,
        security_groups: groups
            .map(|id| GroupName {
                id: id.to_string(),
                name: name(id).unwrap_or_default(),
            })
            .collect(),
        zone,
        connections: None,
    }
}
