//! The ways of the ports that stay, from their old policies to their new ones.

use std::collections::BTreeMap;

use sg_common::layout::port::{Port, PortKey};

use super::either::{Either, Half};
use super::revoke::PENDING;
use super::settled::Settled;
use super::state::State;
use crate::compile::{Collision, Ids, Rows};

/// What the ports that stay are, one after the other. Their generations are the old ones throughout.
#[derive(Default)]
pub(super) struct Staging {
    /// The rows of the policies that permit what either of two permits.
    pub rows: Rows,
    /// As they were; where a policy is not safe to change, with one of these policies. Marked if they
    /// are going to be judged again.
    pub before: BTreeMap<PortKey, Port>,
    /// As they will be, but still with these policies.
    pub between: BTreeMap<PortKey, Port>,
    /// As they will be.
    pub after: BTreeMap<PortKey, Port>,
}

impl Staging {
    /// `salt` is a number never used before.
    pub fn between(old: &State, new: &State, salt: u64, ids: &mut Ids) -> Result<Self, Collision> {
        let settled = Settled::between(&old.rows, &new.rows);
        let mut staging = Self::default();
        for (key, was, becomes) in staying(old, new) {
            let mut before = *was;
            if was.generation != becomes.generation {
                before.reserved |= PENDING;
            }
            let after = Port {
                generation: before.generation,
                reserved: before.reserved,
                ..*becomes
            };
            let mut between = after;
            for (i, policy) in after.policies.into_iter().enumerate() {
                if !settled.is_safe(was.policies[i], policy) {
                    let halves = [
                        Half {
                            rows: &old.rows,
                            policy: was.policies[i],
                        },
                        Half {
                            rows: &new.rows,
                            policy,
                        },
                    ];
                    let id = staging.either(halves, salt, ids)?;
                    before.policies[i] = id;
                    between.policies[i] = id;
                }
            }
            staging.before.insert(key, before);
            staging.between.insert(key, between);
            staging.after.insert(key, after);
        }
        Ok(staging)
    }

    fn either(
        &mut self,
        halves: [Half<'_>; 2],
        salt: u64,
        ids: &mut Ids,
    ) -> Result<u64, Collision> {
        let id = ids.transient(b'p', &[salt, halves[0].policy, halves[1].policy])?;
        if !self.rows.policies.contains_key(&id) {
            self.rows.extend(Either { id, halves }.rows(ids)?);
        }
        Ok(id)
    }
}

fn staying<'a>(
    old: &'a State,
    new: &'a State,
) -> impl Iterator<Item = (PortKey, &'a Port, &'a Port)> {
    old.ports.iter().filter_map(|(key, port)| {
        let after = new.ports.get(key).filter(|after| after.uuid == port.uuid)?;
        Some((*key, port, after))
    })
}
