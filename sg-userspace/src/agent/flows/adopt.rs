//! Taking over the connections of a port from the kernel's own tracker.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Instant,
};

use sg_common::layout::settings::Settings;

use super::{FlowImport, wall_clock};
use crate::{
    agent::{Agent, FlowTables, Tracker, lookup},
    error::{Error, Result},
    flows::{
        FlowDocument, Gate,
        kernel::{AtEnd, KernelFlows, Zone, zone_of, zones},
    },
    model::{Inventory, PortId, Security},
    plan::State,
    view::{AdoptedPort, ImportReport, StrangeFlow},
};

/// Stores the connections of nf_conntrack that a port's policy permits.
pub struct Adoption {
    tables: Arc<dyn FlowTables>,
    gate: Gate,
    port: PortId,
    name: String,
}

/// Takes over the connections of ports that have just been written, beside the agent.
pub struct Adopting {
    settings: Settings,
    tables: Arc<dyn FlowTables>,
    tracker: Arc<dyn Tracker>,
}

impl Agent {
    /// What takes over the connections of ports, if that is due.
    pub(in crate::agent) fn due_adoptions(&self) -> Option<Adopting> {
        if self.due.adopt.is_empty() {
            return None;
        }
        let settings = self.datapath.settings();
        let settings =
            settings.inspect_err(|error| tracing::warn!("no connections are taken over: {error}"));
        Some(Adopting {
            settings: settings.ok()?,
            tables: self.datapath.flow_tables(),
            tracker: self.datapath.tracker(),
        })
    }

    /// The ports whose connections another filter may have tracked here: those that are filtered and have an
    /// interface.
    pub fn adopters(&self) -> Vec<String> {
        let ports = self.desired.inventory.ports.values();
        let here = ports.filter(|port| {
            port.security == Security::Filtered
                && self.links.index(port.interface.as_str()).is_some()
        });
        here.map(|port| port.id.to_string()).collect()
    }

    /// Says that a port is to take connections over. It need not have its interface yet: a slot for it is due.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchPort`] and [`Error::AmbiguousPort`]; [`Error::NoSlot`] for one that is closed.
    pub fn expect_adoption(&mut self, reference: &str) -> Result<()> {
        let port = lookup::find(&self.desired.inventory, reference)?.read();
        let port = port.ok_or_else(|| Error::NoSlot(reference.into()))?.id;
        self.give_slot(port)
    }

    /// What takes over the connections of a port that was expected to.
    ///
    /// # Errors
    ///
    /// As of [`Agent::expect_adoption`].
    pub fn adoption(&mut self, reference: &str) -> Result<Adoption> {
        let found = lookup::find(&self.desired.inventory, reference)?;
        let (name, port) = (found.name().to_owned(), found.read().map(|port| port.id));
        let port = port.ok_or_else(|| Error::NoSlot(reference.into()))?;
        let gate = self.gate(port, reference)?;
        Ok(Adoption {
            tables: self.datapath.flow_tables(),
            gate,
            port,
            name,
        })
    }
}

impl Adopting {
    /// Takes over what the kernel has of these ports now, as the tables judge it.
    ///
    /// # Errors
    ///
    /// The kernel tells nothing, or the tables are not to be written.
    pub fn run(
        &self,
        state: &State,
        inventory: &Inventory,
        ports: &BTreeSet<PortId>,
    ) -> Result<Vec<AdoptedPort>> {
        let told = Instant::now();
        let kernel = KernelFlows::new(self.tracker.dump()?);
        let entries = state.ports.values().filter_map(|entry| {
            let id = PortId(uuid::Uuid::from_bytes(entry.uuid));
            Some((
                entry,
                inventory.ports.get(&id).filter(|_| ports.contains(&id))?,
            ))
        });
        let adopted = entries.map(|(entry, port)| {
            let adoption = Adoption {
                tables: self.tables.clone(),
                gate: Gate::new(state, entry, &self.settings),
                port: port.id,
                name: port.name.clone(),
            };
            adoption.run(&kernel, None, told)
        });
        adopted.collect()
    }
}

impl Adoption {
    /// Stores them, of a zone if one is named; `told` is when the kernel told them.
    ///
    /// # Errors
    ///
    /// As [`FlowImport::run`].
    pub fn run(
        self,
        kernel: &KernelFlows,
        zone: Option<u16>,
        told: Instant,
    ) -> Result<AdoptedPort> {
        let report = AdoptedPort {
            port: self.port.to_string(),
            name: self.name.clone(),
            ..AdoptedPort::default()
        };
        if !self.gate.tracks() {
            let note = "it tracks no connections: it is stateless, or not filtered";
            return Ok(report.noting(note.into()));
        }
        let mut addresses = self.gate.addresses();
        if zone.is_none() {
            // Whose everything is, only the zone can say.
            addresses.retain(|net| net.prefix_len() > 0);
        }
        let flows = kernel.of(&addresses);
        let report = AdoptedPort {
            zones: zones(flows.iter().map(|(flow, _)| *flow)),
            ..report
        };
        let found = zone.map_or_else(|| zone_of(&flows), Zone::One);
        let note = match found {
            Zone::One(zone) if report.zones.contains_key(&zone) => {
                let of_zone = flows.into_iter().filter(|(flow, _)| flow.zone == zone);
                let report = AdoptedPort {
                    zone: Some(zone),
                    ..report
                };
                return self.adopt(of_zone, told, report);
            }
            Zone::One(zone) if report.zones.is_empty() => {
                format!("nf_conntrack has no connection of its addresses, in zone {zone} or any other")
            }
            Zone::One(zone) => format!(
                "zone {zone} has no connection of its addresses; {}",
                listed(&report.zones)
            ),
            Zone::Nowhere if addresses.is_empty() => {
                "it may send from any address, so that only its zone tells which connections are its: name it \
                 with --zone"
                    .into()
            }
            Zone::Nowhere => "nf_conntrack has no connection of its addresses".into(),
            Zone::Several => format!(
                "{}, and none of them has all that the others have: name the port's with --zone",
                listed(&report.zones)
            ),
        };
        let incomplete = !report.zones.is_empty() || addresses.is_empty();
        Ok(AdoptedPort {
            incomplete,
            ..report.noting(note)
        })
    }

    fn adopt<'a>(
        self,
        flows: impl Iterator<Item = AtEnd<'a>>,
        told: Instant,
        mut report: AdoptedPort,
    ) -> Result<AdoptedPort> {
        let mut document = FlowDocument::new(self.port, wall_clock());
        for (flow, end) in flows {
            match flow.record(end) {
                _ if flow.dying => report.expired += 1,
                Ok(record) => document.flows.push(record),
                Err(reason) => report.not_understood.push(StrangeFlow {
                    flow: flow.to_string(),
                    reason: reason.into(),
                }),
            }
        }
        let import = FlowImport::new(self.tables, self.gate, document).tracked_here(told);
        let ImportReport {
            port: _,
            imported,
            evictable,
            existing,
            expired,
            no_room,
            refused,
        } = import.run()?;
        Ok(AdoptedPort {
            adopted: imported,
            evictable,
            existing,
            expired: report.expired + expired,
            no_room,
            incomplete: no_room > 0 || !refused.is_empty() || !report.not_understood.is_empty(),
            refused,
            ..report
        })
    }
}

/// Where connections are, in words.
fn listed(zones: &BTreeMap<u16, u64>) -> String {
    let each = zones
        .iter()
        .map(|(zone, count)| format!("{count} in zone {zone}"));
    format!("there are {}", each.collect::<Vec<_>>().join(", "))
}
