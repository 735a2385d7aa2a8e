//! What the agent shows.

use std::{collections::BTreeMap, sync::Arc};

use sg_common::layout::flow::{Flow, FlowKey};

use sg_common::layout::{counter::Counter, settings::seconds};

use super::{
    Agent, FlowTables, Hanging, Hooked, PortCounts, SweptBy, TableFill, Trouble,
    lookup::{self, AnyPort},
    phrase, stages,
    tell::unpinned,
    trouble::EVERY_INTERFACE,
};
use crate::{
    compile::Table,
    error::Result,
    model::{Direction, Family, Port, PortId, RuleId, Security},
    view::{
        Counters, GroupView, HookView, InventoryView, LinkView, PortCounters, PortDetail,
        PortState, PortView, ProgramView, RuleView, SourceView, StageView, StatusView, SweepView,
        TableView, TroubleView,
    },
};

impl Agent {
    /// The flow tables, to be asked beside the agent.
    pub fn flow_tables(&self) -> Arc<dyn FlowTables> {
        self.datapath.flow_tables()
    }

    /// How the daemon is doing; `flows` says how full the flow tables are.
    pub fn status(&mut self, flows: Vec<TableFill>) -> Result<StatusView> {
        self.look();
        let rows = self.holding()?.rows.iter();
        let policy = Table::ALL.into_iter().zip(rows);
        let policy = policy.map(|(table, rows)| TableFill {
            name: table.name(),
            used: *rows as u64,
            capacity: self.limits.of(table) as u64,
        });
        let tables = policy.chain(flows).map(|table| {
            let bytes = self.datapath.memory(table.name);
            table_view(table, bytes)
        });
        let (by, sweep) = self.datapath.sweep()?;
        let sweep = SweepView {
            in_kernel: by == SweptBy::Kernel,
            by,
            refused: self.datapath.sweep_refusal().map(str::to_owned),
            removed: sweep.removed,
            seconds_ago: seconds(self.datapath.now().wrapping_sub(sweep.last)),
        };
        Ok(StatusView {
            version: env!("CARGO_PKG_VERSION").into(),
            bpffs: self.about.bpffs.clone(),
            attach: self.datapath.attach_mode().into(),
            source: self.source(),
            inventory: InventoryView {
                path: self.about.inventory.clone(),
                revision: self.desired.revision,
                last_error: self.failures.document.clone(),
                apply_error: self.failures.enforce.clone(),
            },
            restored: self.put_back.filters,
            retaken: self.put_back.places,
            pinned_again: self.put_back.pins,
            adopted: self.adopted,
            troubles: self.failed(),
            interfaces: self.troubled(),
            ports: self.tally(),
            tables: tables.collect(),
            memory: self.datapath.memory_of_all(),
            sweep,
            settings: self.changed_settings()?,
            faults: self.faults(),
        })
    }

    /// Where what is to be enforced comes from.
    fn source(&self) -> SourceView {
        match &self.store {
            Some(state) => state(),
            None => SourceView {
                kind: self.about.source,
                at: self.about.inventory.display().to_string(),
                connected: true,
                revision: self.desired.revision,
                ..SourceView::default()
            },
        }
    }

    /// What has failed besides the inventory.
    fn failed(&self) -> Vec<String> {
        let failed = self.failures.links.iter().chain(&self.seen.errors);
        let pins = self.failures.pins.as_deref().map(unpinned);
        let logs = self.logs.iter().flat_map(|logs| logs.troubles());
        failed.cloned().chain(pins).chain(logs).collect()
    }

    /// What is wrong at interfaces.
    fn troubled(&self) -> Vec<TroubleView> {
        let all = self.troubles.all().chain(self.seen.troubles.all());
        all.map(|(ifindex, trouble)| self.trouble_view(ifindex, trouble))
            .collect()
    }

    pub(super) fn troubles_at(&self, ifindex: Option<u32>) -> Vec<TroubleView> {
        let views = ifindex.into_iter().flat_map(|ifindex| {
            let troubles = self
                .troubles
                .of(ifindex)
                .chain(self.seen.troubles.of(ifindex));
            let of_all = self.seen.troubles.of(EVERY_INTERFACE);
            let troubles = troubles.map(move |trouble| (ifindex, trouble));
            troubles.chain(of_all.map(|trouble| (EVERY_INTERFACE, trouble)))
        });
        views
            .map(|(ifindex, trouble)| self.trouble_view(ifindex, trouble))
            .collect()
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

    /// One port and its filter; `flows` are its live connections.
    pub fn port(&mut self, reference: &str, flows: &[(FlowKey, Flow)]) -> Result<PortDetail> {
        self.look();
        let id = lookup::find(&self.desired.inventory, reference)?
            .read()
            .map(|port| port.id);
        let (slot, counts) = (self.slot(id)?, self.counts(id)?);
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
        let hooks = port.ifindex.map(|ifindex| self.datapath.hooks(ifindex));
        let tables = slot.map(|slot| self.datapath.flow_tables().fill_of_port(slot));
        let tables = tables.transpose()?.unwrap_or_default();
        Ok(PortDetail {
            port,
            hooks: hooks.into_iter().flatten().map(hook_view).collect(),
            egress,
            ingress,
            tables: tables.into_iter().map(|fill| table_view(fill, 0)).collect(),
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
                last_hit: None,
            })
        })
    }

    /// What was counted at a port. A port that is not in the tables has no slot to count it by.
    fn counts(&self, port: Option<PortId>) -> Result<PortCounts> {
        let slot = self.slot(port)?;
        slot.map_or(Ok(PortCounts::NONE), |slot| self.datapath.counters(slot))
    }

    fn slot(&self, port: Option<PortId>) -> Result<Option<u32>> {
        let uuid = port.map(|port| *port.0.as_bytes());
        let mut ports = self.holding()?.ports.values();
        let port = ports.find(|port| Some(port.uuid) == uuid);
        Ok(port.map(|port| port.slot))
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
            let is_audited = self.is_audited(port);
            stages::filtered(port, is_audited, direction, counts, rules.collect())
        })
    }
}

/// Live connections by the rule that permitted them.
type Held = BTreeMap<RuleId, u64>;

fn hook_view(hooked: Hooked) -> HookView {
    HookView {
        hook: hooked.hook.as_str().into(),
        program: ProgramView {
            id: hooked.program,
            name: hooked.name,
            tag: format!("{:016x}", hooked.tag),
        },
        link: match hooked.by {
            Hanging::Tcx { link: id, pin } => LinkView::Tcx { id, pin },
            Hanging::Xdp {
                link: id,
                pin,
                native,
            } => LinkView::Xdp { id, pin, native },
            Hanging::Clsact { priority, handle } => LinkView::Clsact { priority, handle },
        },
    }
}

fn table_view(fill: TableFill, bytes: u64) -> TableView {
    TableView {
        name: fill.name.into(),
        used: fill.used,
        capacity: fill.capacity,
        bytes,
    }
}

/// Every counter, counted or not.
fn counters(counts: &PortCounts) -> Counters {
    counters_that(counts, |_| true)
}

/// The counters that are so.
pub(super) fn counters_that(counts: &PortCounts, are: fn(&Counter) -> bool) -> Counters {
    let named = |direction| {
        counts
            .named(direction)
            .filter(|(_, counter)| are(counter))
            .map(|(name, counter)| (name.to_owned(), counter.into()))
            .collect()
    };
    Counters {
        egress: named(Direction::Egress),
        ingress: named(Direction::Ingress),
    }
}
