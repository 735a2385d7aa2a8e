//! Gathers what rules have permitted: takes it out of the kernel now and then, and keeps it in a file.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::ControlFlow,
    path::PathBuf,
    sync::Arc,
    time::{Duration, SystemTime},
};

use serde::Deserialize;
use sg_common::packet::Opening;
use tokio::sync::{Mutex, OwnedMutexGuard};

use super::{Tally, Usage, Used, rules, wider};
use crate::{
    agent::{Agent, FlowTables, Hit, HitTable, Shared, beside, lookup, phrase},
    error::{Error, Result},
    evaluate::evaluate,
    events::{Clock, time},
    model::{GroupId, Inventory, PortId, Rule, RuleId, Security},
    named,
    store::Kept,
    view::{PortDetail, PortUsage, RuleUsage, UsageView},
};

/// How often the kernel is asked without anybody asking.
pub const EVERY: Duration = Duration::from_secs(30);

/// What is kept at most while it cannot be told which rules it was.
const PENDING: usize = 1 << 16;

/// Which rules are asked for.
#[derive(Debug, Clone, Default, Deserialize, schemars::JsonSchema)]
pub struct Scope {
    /// At this port, by id, interface, MAC, IP address or name.
    pub port: Option<String>,
    /// Of this security group, by id or name.
    pub group: Option<String>,
}

/// A handle; each clone is one on the same.
#[derive(Clone)]
pub struct Gatherer {
    shared: Shared,
    table: Arc<dyn HitTable>,
    state: Arc<Mutex<State>>,
}

struct State {
    usage: Usage,
    /// What the rules were of when they were followed last: the inventory's revision, and the ports.
    followed: (u64, BTreeSet<PortId>),
    pending: Vec<Hit>,
    file: Kept<Usage>,
}

impl Gatherer {
    /// Of this agent and its table, with what a file has. A file that cannot be read is told and begun anew.
    pub fn open(shared: Shared, table: Arc<dyn HitTable>, path: PathBuf) -> Self {
        let file = Kept::new(path);
        let usage = file.read().unwrap_or_else(|error| {
            tracing::warn!("what rules have permitted is counted anew: {error}");
            None
        });
        let state = State {
            usage: usage.unwrap_or_else(|| Usage::new(now())),
            followed: (0, BTreeSet::new()),
            pending: Vec::new(),
            file,
        };
        Self {
            shared,
            table,
            state: Arc::new(Mutex::new(state)),
        }
    }

    /// Takes what was counted out of the kernel, and keeps it. What cannot be written is told in the log, once.
    pub async fn gather(&self) {
        match self.take().await {
            Ok(mut state) => {
                let State { usage, file, .. } = &mut *state;
                file.keep(usage);
            }
            Err(error) => tracing::warn!("it is not known what rules have permitted: {error}"),
        }
    }

    /// What the rules have permitted until now.
    ///
    /// # Errors
    ///
    /// There is no such port or group; the tables cannot be read.
    pub async fn view(&self, scope: Scope) -> Result<UsageView> {
        let usage = self.take().await?.usage.clone();
        let report = self.shared.agent().await.report(usage, &scope)?;
        beside(move || report.view()).await
    }

    /// Says of the rules of a port when each was hit last.
    ///
    /// # Errors
    ///
    /// The tables cannot be read.
    pub async fn mark(&self, detail: &mut PortDetail) -> Result<()> {
        let state = self.take().await?;
        let Ok(port) = detail.port.id.parse::<PortId>() else {
            return Ok(());
        };
        let stages = detail.egress.iter_mut().chain(&mut detail.ingress);
        for rule in stages.flat_map(|stage| &mut stage.rules) {
            let used = rule.id.parse().ok();
            let used = used.and_then(|rule| state.usage.of(port, rule));
            let last = used.map_or(0, |used| used.own.last.max(used.shared.last));
            rule.last_hit = (last != 0).then(|| moment(last));
        }
        Ok(())
    }

    /// Takes what was counted since the last time. What a full node has takes its time, and is done beside.
    async fn take(&self) -> Result<OwnedMutexGuard<State>> {
        let mut state = self.state.clone().lock_owned().await;
        let table = self.table.clone();
        let hits = beside(move || table.take()).await?;
        state.note(hits);
        let agent = self.shared.agent().await;
        let granted = agent.attribute(&state.pending);
        let (inventory, followed) = (
            agent.desired.inventory.clone(),
            (agent.desired.revision, agent.counted()),
        );
        drop(agent);
        beside(move || {
            if state.followed != followed {
                let here = followed.1.iter();
                let here = here.filter_map(|id| inventory.ports.get(id));
                state.usage.follow(&inventory, here, now());
                state.followed = followed;
            }
            if let Some(granted) = granted {
                state.usage.add(&granted, Clock::after(None));
                state.pending.clear();
            }
            Ok(state)
        })
        .await
    }
}

impl State {
    /// Keeps hits until it can be told whose they are; what finds no room is told in the log.
    fn note(&mut self, hits: Vec<Hit>) {
        self.pending.extend(hits);
        let surplus = self.pending.len().saturating_sub(PENDING);
        if surplus > 0 {
            tracing::warn!(
                "{surplus} counts of what rules have permitted are lost: tables are being written for long"
            );
            self.pending.truncate(PENDING);
        }
    }
}

impl Agent {
    /// What rows have permitted, to be asked beside the agent.
    pub fn hit_table(&self) -> Arc<dyn HitTable> {
        self.datapath.hit_table()
    }

    /// The filtered ports that the tables know.
    fn counted(&self) -> BTreeSet<PortId> {
        let inventory = &self.desired.inventory;
        let places = self.enforced.places.keys().copied();
        let is_filtered = |id: &PortId| {
            let port = inventory.ports.get(id);
            port.is_some_and(|port| port.security == Security::Filtered)
        };
        places.filter(is_filtered).collect()
    }

    fn report(&self, usage: Usage, scope: &Scope) -> Result<Report> {
        let inventory = self.desired.inventory.clone();
        let mut here = self.counted();
        if let Some(port) = &scope.port {
            let found = lookup::find(&inventory, port)?.read().map(|port| port.id);
            here.retain(|id| Some(*id) == found);
            if here.is_empty() {
                return Err(Error::PortPending(port.clone()));
            }
        }
        let group = scope.group.as_ref();
        let group = group.map(|reference| {
            let groups = inventory.groups.values();
            let found = named::group(groups, |group| (group.id.0, &group.name), reference);
            found.map(|group| group.id)
        });
        let slots = self.holding()?.ports.values();
        let slots = slots.map(|port| (port.slot, PortId(uuid::Uuid::from_bytes(port.uuid))));
        Ok(Report {
            group: group.transpose()?,
            slots: slots.filter(|(_, id)| here.contains(id)).collect(),
            flows: self.datapath.flow_tables(),
            inventory,
            here,
            usage,
        })
    }
}

/// What is told, to be made beside the agent.
struct Report {
    inventory: Arc<Inventory>,
    here: BTreeSet<PortId>,
    group: Option<GroupId>,
    slots: BTreeMap<u32, PortId>,
    flows: Arc<dyn FlowTables>,
    usage: Usage,
}

impl Report {
    fn view(&self) -> Result<UsageView> {
        let held = self.held()?;
        let mut by_rule: BTreeMap<(GroupId, RuleId), RuleUsage> = BTreeMap::new();
        for port in self
            .here
            .iter()
            .filter_map(|id| self.inventory.ports.get(id))
        {
            for rule in rules(&self.inventory, port) {
                let Some(group) = self.group_of(&port.groups, rule.id) else {
                    continue;
                };
                if self.group.is_some_and(|wanted| wanted != group) {
                    continue;
                }
                let new = || self.rule(group, rule);
                let usage = by_rule.entry((group, rule.id)).or_insert_with(new);
                let used = self.usage.of(port.id, rule.id).cloned();
                let used = used.unwrap_or_default();
                usage.ports.push(PortUsage {
                    covered_by: ids(wider(&self.inventory, port, rule)),
                    connections: held.get(&(port.id, rule.id)).copied().unwrap_or(0),
                    port: port.id.to_string(),
                    name: port.name.clone(),
                    ..told(used)
                });
            }
        }
        Ok(UsageView {
            since: moment(self.usage.since),
            rules: by_rule.into_values().collect(),
        })
    }

    fn rule(&self, group: GroupId, rule: &Rule) -> RuleUsage {
        RuleUsage {
            id: rule.id.to_string(),
            security_group_id: group.to_string(),
            security_group: phrase::group(&self.inventory, group),
            text: phrase::rule(&self.inventory, rule),
            ports: Vec::new(),
        }
    }

    fn group_of(&self, groups: &[GroupId], rule: RuleId) -> Option<GroupId> {
        let has = |group: &&GroupId| {
            let group = self.inventory.groups.get(group);
            group.is_some_and(|group| group.rules.iter().any(|one| one.id == rule))
        };
        groups.iter().find(has).copied()
    }

    /// Live connections by the first rule that permits them.
    fn held(&self) -> Result<BTreeMap<(PortId, RuleId), u64>> {
        let now = self.flows.now();
        let mut held = BTreeMap::new();
        self.flows.walk(&mut |page| {
            for (key, flow) in page.iter().filter(|(_, flow)| flow.lives(now)) {
                let port = self.slots.get(&key.slot());
                let port = port.and_then(|id| self.inventory.ports.get(id));
                let opening = Opening::of_flow(key, flow.word().from_vm());
                let rule = port.and_then(|port| {
                    Some((port.id, evaluate(&self.inventory, port, &opening)?.id))
                });
                if let Some(holder) = rule.filter(|_| !flow.word().revoked()) {
                    *held.entry(holder).or_default() += 1;
                }
            }
            ControlFlow::Continue(())
        })?;
        Ok(held)
    }
}

fn told(used: Used) -> PortUsage {
    let last = |tally: Tally| (tally.last != 0).then(|| moment(tally.last));
    PortUsage {
        port: String::new(),
        name: String::new(),
        since: moment(used.since),
        hits: used.own.hits,
        last_hit: last(used.own),
        shared_hits: used.shared.hits,
        last_shared_hit: last(used.shared),
        shared_with: ids(used.with),
        covered_by: Vec::new(),
        connections: 0,
    }
}

fn ids(rules: impl IntoIterator<Item = RuleId>) -> Vec<String> {
    rules.into_iter().map(|rule| rule.to_string()).collect()
}

fn moment(seconds: u64) -> String {
    time(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}
