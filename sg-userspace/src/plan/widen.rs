//! Rows that permit what they permit before and what they permit after.

use sg_common::layout::policy::{Grant, Permits, Policy};

use crate::compile::{Collision, Ids, Rows, Services};

/// The policies and grants of `new`, each permitting what it permits in `old` too.
pub(super) fn widened(old: &Rows, new: &Rows, ids: &mut Ids) -> Result<Rows, Collision> {
    let mut wide = Rows::default();
    for (key, grant) in &new.grants {
        let before = old.grants.get(key).map(|grant| &grant.permits);
        let permits = union(before, &grant.permits, old, new, ids, &mut wide)?;
        wide.grants.insert(*key, Grant { permits, ..*grant });
    }
    for (id, policy) in &new.policies {
        let before = old.policies.get(id);
        let anyone = before.map(|policy| &policy.anyone);
        let anyone = union(anyone, &policy.anyone, old, new, ids, &mut wide)?;
        let sources = match (policy.sources, before) {
            (0, Some(before)) => before.sources,
            (sources, _) => sources,
        };
        let ask = policy.ask | before.map_or(0, |policy| policy.ask);
        wide.policies.insert(
            *id,
            Policy {
                sources,
                ask,
                anyone,
                ..*policy
            },
        );
    }
    Ok(wide)
}

fn union(
    before: Option<&Permits>,
    after: &Permits,
    old: &Rows,
    new: &Rows,
    ids: &mut Ids,
    rows: &mut Rows,
) -> Result<Permits, Collision> {
    match before.filter(|before| *before != after) {
        None => Ok(*after),
        Some(before) => {
            let before = Services::lift(before, old);
            let after = Services::lift(after, new);
            after.union(&before).lower(ids, rows)
        }
    }
}
