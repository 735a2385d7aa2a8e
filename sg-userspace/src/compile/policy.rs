//! The rows of one policy: the rules of a set of groups, for one direction and family.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;
use sg_common::layout::policy::{
    Grant, GrantKey, PREFIX_KEY_BITS, Permits, Policy, PrefixKey, ask,
};

use super::ids::{Collision, Ids, Source, prefix};
use super::image::Rows;
use super::index::Index;
use super::nested;
use super::services::Services;
use crate::model::{Remote, Rule, RuleId};

/// The rules of a policy, by whom they are for.
#[derive(Clone, Debug, Default)]
pub(super) struct Permitted<'a> {
    anyone: Vec<&'a Rule>,
    cidrs: BTreeMap<IpNet, Vec<&'a Rule>>,
    sources: BTreeMap<Source, Vec<&'a Rule>>,
}

/// The rows of a policy, and the rules for which they have no room, at least for some peers.
#[derive(Default)]
pub(super) struct Fitted {
    pub rows: Rows,
    pub surplus: BTreeSet<RuleId>,
}

impl<'a> Permitted<'a> {
    pub fn by(rules: impl Iterator<Item = &'a Rule>) -> Self {
        let mut permitted = Self::default();
        for rule in rules {
            let to = match rule.remote {
                Remote::Anyone => &mut permitted.anyone,
                Remote::Prefix(net) if net.prefix_len() == 0 => &mut permitted.anyone,
                Remote::Prefix(net) => permitted.cidrs.entry(net).or_default(),
                Remote::Group(id) => permitted.sources.entry(Source::Group(id)).or_default(),
                Remote::AddressGroup(id) => permitted
                    .sources
                    .entry(Source::AddressGroup(id))
                    .or_default(),
            };
            to.push(rule);
        }
        permitted
    }

    pub fn is_empty(&self) -> bool {
        self.anyone.is_empty() && self.cidrs.is_empty() && self.sources.is_empty()
    }

    /// The sources that the rules name, in their order.
    pub fn sources(&self) -> Vec<Source> {
        self.sources.keys().copied().collect()
    }

    /// The rows of the policy, but for those of its group index.
    pub fn rows(
        &self,
        id: u64,
        index: Option<(u64, &Index)>,
        ids: &mut Ids,
    ) -> Result<Fitted, Collision> {
        let mut fitted = Fitted::default();
        let mut policy = Policy {
            id,
            sources: 0,
            cidrs: id,
            ask: 0,
            anyone: fitted.permits(self.anyone.iter().copied(), ids)?,
        };
        if let Some((index_id, index)) = index {
            policy.sources = index_id;
            policy.ask |= index.ask();
            for (peer, sources) in index.peers() {
                let rules = sources.iter().filter_map(|source| self.sources.get(source));
                fitted.grant(id, peer, rules.flatten().copied(), ids)?;
            }
        }
        for (net, around) in self.nested_cidrs() {
            policy.ask |= ask::CIDRS;
            let peer = ids.cidr(&net)?;
            let (bits, address) = prefix(&net);
            let key = PrefixKey { index: id, address };
            fitted
                .rows
                .prefixes
                .insert((PREFIX_KEY_BITS + bits, key), peer);
            let rules = around.iter().filter_map(|net| self.cidrs.get(net));
            fitted.grant(id, peer, rules.flatten().copied(), ids)?;
        }
        fitted.rows.policies.insert(id, policy);
        Ok(fitted)
    }

    /// Each CIDR, with itself and those around it.
    fn nested_cidrs(&self) -> BTreeMap<IpNet, BTreeSet<IpNet>> {
        nested::inherit(
            self.cidrs
                .keys()
                .map(|net| (*net, BTreeSet::from([*net])))
                .collect(),
        )
    }
}

impl Fitted {
    fn grant<'a>(
        &mut self,
        policy: u64,
        peer: u64,
        rules: impl Iterator<Item = &'a Rule>,
        ids: &mut Ids,
    ) -> Result<(), Collision> {
        let key = GrantKey { policy, peer };
        let permits = self.permits(rules, ids)?;
        self.rows.grants.insert(key, Grant { key, permits });
        Ok(())
    }

    fn permits<'a>(
        &mut self,
        rules: impl Iterator<Item = &'a Rule>,
        ids: &mut Ids,
    ) -> Result<Permits, Collision> {
        let rules: Vec<_> = rules.collect();
        let all = Services::of(rules.iter().map(|rule| rule.matches));
        let services = all.fitting();
        if services != all {
            let is_left_out = |rule: &&&Rule| !services.covers(&Services::of([rule.matches]));
            let left_out = rules.iter().filter(is_left_out);
            self.surplus.extend(left_out.map(|rule| rule.id));
        }
        services.lower(ids, &mut self.rows)
    }
}
