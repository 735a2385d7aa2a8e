//! What rules have permitted, out of what the kernel counts by row.
//!
//! A row is the union of the rules that name a peer. Where one rule alone can have permitted what was counted,
//! it is that rule's; where several can, it is shared by them, and said so.

mod gatherer;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use sg_common::layout::hit::{HitKey, Hits};

use super::{Agent, Hit, Shared};
use crate::{
    compile::{covers, every_way},
    events::{Clock, Rules},
    model::{Inventory, Port, PortId, Rule, RuleId},
};

pub use gatherer::{EVERY, Gatherer, Scope};

/// What was counted, and the rules that may have permitted it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Granted {
    port: PortId,
    rules: Vec<RuleId>,
    hits: Hits,
}

impl Agent {
    /// Finds the rules behind what was counted; `None` while that cannot be told, because the tables are being
    /// written.
    pub fn attribute(&self, hits: &[Hit]) -> Option<Vec<Granted>> {
        let compilation = self.tables.as_ref()?.compilation()?;
        let inventory = &self.desired.inventory;
        let granted = hits.iter().filter_map(|hit| {
            let port = inventory.ports.get(&hit.port)?;
            let rules = compilation.behind(inventory, port, &hit.row);
            Some(Granted {
                port: hit.port,
                rules: rules.into_iter().map(|rule| rule.id).collect(),
                hits: hit.hits,
            })
        });
        Some(granted.collect())
    }
}

impl Rules for Shared {
    /// Without waiting for the agent: who is told must not wait either.
    fn behind(&self, port: PortId, row: &HitKey) -> Vec<RuleId> {
        let Some(agent) = self.try_agent() else {
            return Vec::new();
        };
        let hits = Hits { count: 0, last: 0 };
        let row = *row;
        let granted = agent.attribute(&[Hit { port, row, hits }]);
        let rules = granted
            .into_iter()
            .flatten()
            .flat_map(|granted| granted.rules);
        rules.collect()
    }
}

/// What the rules of the ports on this node have permitted. Moments are seconds since 1970 (UTC).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Since when anything is counted.
    pub since: u64,
    ports: BTreeMap<PortId, BTreeMap<RuleId, Used>>,
}

/// What a rule has permitted to a port.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Used {
    /// Since when this is counted.
    pub since: u64,
    /// What it alone can have permitted.
    #[serde(default)]
    pub own: Tally,
    /// What it or others can have.
    #[serde(default)]
    pub shared: Tally,
    /// Those others.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub with: BTreeSet<RuleId>,
}

/// How often, and when last.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// How often.
    pub hits: u64,
    /// When last; 0 if never.
    pub last: u64,
}

impl Tally {
    fn add(&mut self, hits: &Hits, clock: Clock) {
        let last = clock.moment(hits.last);
        let last = last.duration_since(std::time::SystemTime::UNIX_EPOCH);
        self.hits += hits.count;
        self.last = self.last.max(last.map_or(0, |since| since.as_secs()));
    }
}

impl Usage {
    /// Nothing, from now on.
    pub fn new(now: u64) -> Self {
        Self {
            since: now,
            ports: BTreeMap::new(),
        }
    }

    /// What a rule has permitted to a port, if it is counted.
    pub fn of(&self, port: PortId, rule: RuleId) -> Option<&Used> {
        self.ports.get(&port)?.get(&rule)
    }

    /// Counts the rules that the ports here have, and no others: those that are new from now on.
    pub fn follow<'a>(
        &mut self,
        inventory: &Inventory,
        here: impl IntoIterator<Item = &'a Port>,
        now: u64,
    ) {
        let mut former = std::mem::take(&mut self.ports);
        for port in here {
            let mut before = former.remove(&port.id).unwrap_or_default();
            let rules = rules(inventory, port).map(|rule| {
                let new = Used {
                    since: now,
                    ..Used::default()
                };
                (rule.id, before.remove(&rule.id).unwrap_or(new))
            });
            self.ports.insert(port.id, rules.collect());
        }
    }

    /// Adds what was counted since the last time.
    pub fn add(&mut self, granted: &[Granted], clock: Clock) {
        for Granted { port, rules, hits } in granted {
            let Some(counted) = self.ports.get_mut(port) else {
                continue;
            };
            for rule in rules {
                let Some(used) = counted.get_mut(rule) else {
                    continue;
                };
                match rules.len() {
                    1 => used.own.add(hits, clock),
                    _ => {
                        used.shared.add(hits, clock);
                        used.with
                            .extend(rules.iter().filter(|other| *other != rule));
                    }
                }
            }
        }
    }
}

/// The rules that a port has, of all its groups.
fn rules<'a>(inventory: &'a Inventory, port: &'a Port) -> impl Iterator<Item = &'a Rule> {
    every_way().flat_map(|(direction, family)| inventory.rules(&port.groups, direction, family))
}

/// The rules of a port that permit all that one of them permits.
fn wider<'a>(inventory: &'a Inventory, port: &'a Port, rule: &Rule) -> Vec<RuleId> {
    let others = rules(inventory, port).filter(|other| other.id != rule.id);
    let wider = others.filter(|other| covers(other, rule));
    wider.map(|other| other.id).collect()
}

#[cfg(test)]
mod tests;
