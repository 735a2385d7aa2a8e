//! What the agent shows.

use std::{collections::BTreeMap, sync::Arc};

use sg_common::layout::flow::{Flow, FlowKey};

use sg_common::layout::settings::seconds;

use super::{
    Agent, FlowTables, PortCounts, SweptBy, TableFill, Trouble,
    lookup::{self, AnyPort},
    phrase, stages,
    tell::unpinned,
};
use crate::{
    api::{
        Counters, GroupView, InventoryView, PortCounters, PortDetail, PortState, PortTally,
        PortView, RuleView, StageView, StatusView, SweepView, TableView, TroubleView,
    },
    compile::Table,
    error::Result,
    model::{ClosedPort, Direction, Effect, Family, Fault, Port, PortId, RuleId, Security, Vlan},
};

impl Agent {
    /// The flow tables, to be asked beside the agent.
    pub fn flow_tables(&self) -> Arc<dyn FlowTables> {
        self.datapath.flow_tables()
    }

    /// How the daemon is doing; `flows` says how full the flow tables are.
    pub fn status(&mut self, flows: Vec<TableFill>) -> Result<StatusView> {
        let limits = self.datapath.limits();
        let state = self.tables.state(&*self.datapath)?;
        let policy = Table::ALL.map(|table| TableFill {
            name: table.name(),
            used: state.count(table) as u64,
            capacity: limits.of(table) as u64,
        });
        let tables = policy.into_iter().chain(flows).map(|table| TableView {
            name: table.name.into(),
            used: table.used,
            capacity: table.capacity,
            bytes: self.datapath.memory(table.name),
        });
        let (by, sweep) = self.datapath.sweep()?;
        let sweep = SweepView {
            in_kernel: by == SweptBy::Kernel,
            removed: sweep.removed,
            seconds_ago: seconds(self.datapath.now().wrapping_sub(sweep.last)),
        };
        Ok(StatusView {
            version: env!("CARGO_PKG_VERSION").into(),
            bpffs: self.about.bpffs.clone(),
            attach: self.datapath.attach_mode().into(),
            inventory: InventoryView {
                path: self.about.inventory.clone(),
                revision: self.desired.revision,
                last_error: self.failures.document.clone(),
                apply_error: self.failures.enforce.clone(),
            },
            restored: self.put_back.filters,
            retaken: self.put_back.places,
            pinned_again: self.put_back.pins,
            troubles: self.node_troubles(),
            interfaces: self.troubled(),
            ports: self.tally(),
            tables: tables.collect(),
            sweep,
            settings: self.changed_settings()?,
            faults: self.faults(),
        })
    }

    /// What is wrong with the node.
    fn node_troubles(&self) -> Vec<String> {
        let pins = self.failures.pins.as_deref().map(unpinned);
        let look = self.failures.look.as_ref();
        let look = look.map(|error| format!("the filters are not looked after: {error}"));
        self.failures
            .links
            .iter()
            .cloned()
            .chain(look)
            .chain(pins)
            .collect()
    }

    /// What is wrong at interfaces.
    fn troubled(&self) -> Vec<TroubleView> {
        let all = self.troubles.all();
        all.map(|(ifindex, trouble)| self.trouble_view(ifindex, trouble))
            .collect()
    }

    fn troubles_at(&self, ifindex: Option<u32>) -> Vec<TroubleView> {
        let views = ifindex.into_iter().flat_map(|ifindex| {
            let troubles = self.troubles.of(ifindex);
            troubles.map(move |trouble| self.trouble_view(ifindex, trouble))
        });
        views.collect()
    }

    fn trouble_view(&self, ifindex: u32, trouble: &Trouble) -> TroubleView {
        let interface = self.interface_of(ifindex, trouble);
        TroubleView {
            interface: interface.into(),
            kind: trouble.as_str().into(),
            opens: trouble.opens(),
            problem: trouble.problem(),
            remedy: trouble.remedy(interface),
        }
    }

    /// Every port.
    pub fn ports(&self) -> Vec<PortView> {
        lookup::all(&self.desired.inventory)
            .map(|port| self.view(port))
            .collect()
    }

    /// The ports by state.
    pub fn tally(&self) -> PortTally {
        let mut tally = PortTally::default();
        for port in lookup::all(&self.desired.inventory) {
            let state = match port {
                AnyPort::Closed(_) => PortState::Closed,
                // Without the reason, which is looked for among all faults.
                AnyPort::Read(port) if self.enforced.closed.contains(&port.id) => PortState::Closed,
                AnyPort::Read(port) => self.state_of(port).0,
            };
            *match state {
                PortState::Enforcing => &mut tally.enforcing,
                PortState::Open => &mut tally.open,
                PortState::Closed => &mut tally.closed,
                PortState::Pending => &mut tally.pending,
                PortState::Unfiltered => &mut tally.unfiltered,
            } += 1;
        }
        tally
    }

    /// One port and its filter; `flows` are its live connections.
    pub fn port(&mut self, reference: &str, flows: &[(FlowKey, Flow)]) -> Result<PortDetail> {
        let id = lookup::find(&self.desired.inventory, reference)?
            .read()
            .map(|port| port.id);
        let counts = self.counts(id)?;
        let found = lookup::find(&self.desired.inventory, reference)?;
        let port = self.view(found);
        let [egress, ingress] = match (found, port.state) {
            (_, PortState::Closed) | (AnyPort::Closed(_), _) => {
                [Direction::Egress, Direction::Ingress].map(|way| stages::closed(way, &counts))
            }
            (AnyPort::Read(read), _) if read.security != Security::Filtered => {
                [Direction::Egress, Direction::Ingress].map(|way| stages::unfiltered(way, &counts))
            }
            (AnyPort::Read(read), _) => self.stages(read, &counts, &self.held(read, flows)),
        };
        Ok(PortDetail {
            port,
            egress,
            ingress,
            counters: counters(&counts),
        })
    }

    /// Every security group.
    pub fn groups(&self) -> Vec<GroupView> {
        let inventory = &self.desired.inventory;
        let groups = inventory.groups.values().map(|group| {
            let members = inventory
                .ports
                .values()
                .filter(|port| port.groups.contains(&group.id));
            GroupView {
                id: group.id.to_string(),
                name: group.name.clone(),
                stateful: group.stateful,
                rules: group
                    .rules
                    .iter()
                    .map(|rule| phrase::rule(inventory, rule))
                    .collect(),
                ports: members.map(|port| port.id.to_string()).collect(),
            }
        });
        groups.collect()
    }

    /// The counters of one port, or of all.
    pub fn counters(&mut self, reference: Option<&str>) -> Result<Vec<PortCounters>> {
        let inventory = &self.desired.inventory;
        let ports = match reference {
            Some(reference) => vec![lookup::find(inventory, reference)?],
            None => lookup::all(inventory).collect(),
        };
        let ports: Vec<_> = ports
            .into_iter()
            .map(|port| (port.read().map(|port| port.id), self.view(port)))
            .collect();
        let counted = ports.into_iter().map(
            |(
                id,
                PortView {
                    id: port,
                    name,
                    interface,
                    vlan,
                    ..
                },
            )| {
                let counters = counters(&self.counts(id)?);
                Ok(PortCounters {
                    port,
                    name,
                    interface,
                    vlan,
                    counters,
                })
            },
        );
        counted.collect()
    }

    pub(super) fn view(&self, port: AnyPort<'_>) -> PortView {
        match port {
            AnyPort::Read(port) => self.view_read(port),
            AnyPort::Closed(port) => self.view_closed(port),
        }
    }

    pub(super) fn rule_view(&self, port: &Port, id: RuleId, flows: u64) -> Option<RuleView> {
        let inventory = &self.desired.inventory;
        port.groups.iter().find_map(|group| {
            let rule = inventory
                .groups
                .get(group)?
                .rules
                .iter()
                .find(|rule| rule.id == id)?;
            Some(RuleView {
                id: id.to_string(),
                security_group: phrase::group(inventory, *group),
                text: phrase::rule(inventory, rule),
                flows,
            })
        })
    }

    fn view_read(&self, port: &Port) -> PortView {
        let (state, note) = self.state_of(port);
        let groups = port.groups.iter();
        let ifindex = self.ifindex(port.interface.as_str());
        PortView {
            id: port.id.to_string(),
            name: port.name.clone(),
            interface: port.interface.to_string(),
            vlan: port.vlan().map(Vlan::id),
            ifindex,
            mac_address: Some(port.mac),
            addresses: phrase::addresses(port),
            security_groups: groups
                .map(|id| phrase::group(&self.desired.inventory, *id))
                .collect(),
            state,
            note,
            troubles: self.troubles_at(ifindex),
        }
    }

    /// What a port's filter does, and why it is not what it should be.
    fn state_of(&self, port: &Port) -> (PortState, Option<String>) {
        let pending = |why: &str| (PortState::Pending, Some(why.to_owned()));
        if self.enforced.closed.contains(&port.id) {
            return (PortState::Closed, self.why_closed(&port.id.to_string()));
        }
        let Some(ifindex) = self.ifindex(port.interface.as_str()) else {
            return pending("its interface is not here (yet)");
        };
        if let Some(trouble) = self.troubles.of(ifindex).find(|trouble| trouble.opens()) {
            let note = format!("{} {}", port.interface, trouble.problem());
            return (PortState::Open, Some(note));
        }
        if self.enforced.places.get(&port.id) != Some(&ifindex) {
            return pending(
                self.failures
                    .enforce
                    .as_deref()
                    .unwrap_or("about to be written"),
            );
        }
        match port.security {
            Security::Filtered => (PortState::Enforcing, None),
            Security::PortSecurityOff => {
                (PortState::Unfiltered, Some("port security is off".into()))
            }
            Security::Trusted => (
                PortState::Unfiltered,
                Some(format!("trusted: {}", port.device_owner)),
            ),
        }
    }

    fn view_closed(&self, port: &ClosedPort) -> PortView {
        let interface = port
            .interface
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default();
        PortView {
            id: port.id.clone(),
            name: port.name.clone(),
            troubles: self.troubles_at(self.ifindex(&interface)),
            ifindex: self.ifindex(&interface),
            interface,
            vlan: port.vlan.map(Vlan::id),
            mac_address: None,
            addresses: Vec::new(),
            security_groups: Vec::new(),
            state: PortState::Closed,
            note: self.why_closed(&port.id),
        }
    }

    fn why_closed(&self, id: &str) -> Option<String> {
        let closing = |fault: &&Fault| fault.effect == Effect::PortClosed && fault.object.id == id;
        let mut faults = self.desired.faults.iter().chain(&self.enforced.faults);
        let fault = faults.find(closing)?;
        Some(format!("{} {}", fault.field, fault.problem))
    }

    /// What was counted at a port. A port that is not in the tables has no slot to count it by.
    fn counts(&mut self, port: Option<PortId>) -> Result<PortCounts> {
        let state = self.tables.state(&*self.datapath)?;
        let uuid = port.map(|port| *port.0.as_bytes());
        let slot = state
            .ports
            .values()
            .find(|port| Some(port.uuid) == uuid)
            .map(|port| port.slot);
        slot.map_or(Ok(PortCounts::NONE), |slot| self.datapath.counters(slot))
    }

    fn stages(&self, port: &Port, counts: &PortCounts, held: &Held) -> [Vec<StageView>; 2] {
        let inventory = &self.desired.inventory;
        [Direction::Egress, Direction::Ingress].map(|direction| {
            let rules = Family::ALL
                .into_iter()
                .flat_map(|family| inventory.rules(&port.groups, direction, family));
            let rules = rules.filter_map(|rule| {
                self.rule_view(
                    port,
                    rule.id,
                    held.get(&rule.id).copied().unwrap_or_default(),
                )
            });
            stages::filtered(port, direction, counts, rules.collect())
        })
    }
}

/// Live connections by the rule that permitted them.
type Held = BTreeMap<RuleId, u64>;

fn counters(counts: &PortCounts) -> Counters {
    let named = |direction| {
        counts
            .named(direction)
            .map(|(name, counter)| (name.to_owned(), counter.into()))
            .collect()
    };
    Counters {
        egress: named(Direction::Egress),
        ingress: named(Direction::Ingress),
    }
}
