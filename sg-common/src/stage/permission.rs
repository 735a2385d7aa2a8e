//! Whether a connection may be opened: by a built-in, or by a rule of the port's groups.

use crate::layout::hit::HitKey;
use crate::layout::port::{flags, policy_index};
use crate::layout::shared::tag_is;
use crate::packet::Opening;
use crate::reason::{Accept, DropReason, Verdict};
use crate::stage::{Context, builtin, policy};
use crate::tables::{Note, Tables};

/// The verdict on a packet that is not tracked: every packet meets the rules.
#[inline(always)]
pub fn stateless<T: Tables>(
    tables: &T,
    context: &Context<'_>,
    opening: &Opening,
    hit: &mut HitKey,
) -> Verdict {
    match require(tables, context, opening, hit)? {
        Accept::New => {
            tables.hit(hit, context.hook.direction());
            Ok(Accept::Stateless)
        }
        accept => Ok(accept),
    }
}

/// The verdict on a later fragment of which the first is not known: it has no ports, so only what permits
/// its whole protocol permits it.
#[inline(always)]
pub fn unordered<T: Tables>(
    tables: &T,
    context: &Context<'_>,
    opening: &Opening,
    hit: &mut HitKey,
) -> Verdict {
    match require(tables, context, opening, hit)? {
        Accept::Audit => Ok(Accept::Audit),
        _ => Ok(Accept::Fragment),
    }
}

/// As [`require`], of what a VM sends. No built-in looks into a table for that, which leaves the guard the stack
/// that it has not.
#[inline(always)]
pub fn require_from_vm<T: Tables>(
    tables: &T,
    context: &Context<'_>,
    opening: &Opening,
    hit: &mut HitKey,
) -> Verdict {
    match builtin::from_vm(context, opening) {
        Some(accept) => Ok(accept),
        None => {
            let permitted = policy_permits(tables, context, opening, hit);
            by_rules(context, permitted).ok_or(DropReason::NoRule)
        }
    }
}

/// As [`ask`]; what nothing permits is dropped.
#[inline(always)]
pub fn require<T: Tables>(
    tables: &T,
    context: &Context<'_>,
    opening: &Opening,
    hit: &mut HitKey,
) -> Verdict {
    match ask(tables, context, opening, hit) {
        Some(accept) => Ok(accept),
        None => Err(DropReason::NoRule),
    }
}

/// Asks the built-ins, then the policy of the packet's direction and family. What no rule permits passes at a
/// port in audit. Of what a rule permits, [`Accept::New`], `hit` says which row did.
///
/// A subprogram of its own in the kernel: it is asked at several places, and its keys need their own
/// stack.
#[cfg_attr(target_arch = "bpf", inline(never))]
pub fn ask<T: Tables>(
    tables: &T,
    context: &Context<'_>,
    opening: &Opening,
    hit: &mut HitKey,
) -> Option<Accept> {
    if let Some(accept) = builtin::permit(tables, context, opening) {
        tables.note(Note::PermittedByBuiltin);
        return Some(accept);
    }
    let accept = by_rules(context, rules(tables, context, opening, hit));
    if accept.is_none() {
        tables.note(Note::NotPermitted);
    }
    accept
}

/// The policy's answer, and what audit makes of it.
#[inline(always)]
fn by_rules(context: &Context<'_>, permitted: bool) -> Option<Accept> {
    match permitted {
        true => Some(Accept::New),
        false => context.has(flags::AUDIT).then_some(Accept::Audit),
    }
}

/// Asks the policy alone; a subprogram of its own like [`ask`].
#[cfg_attr(target_arch = "bpf", inline(never))]
fn rules<T: Tables>(
    tables: &T,
    context: &Context<'_>,
    opening: &Opening,
    hit: &mut HitKey,
) -> bool {
    policy_permits(tables, context, opening, hit)
}

/// Whether the policy of the packet's direction and family permits it.
#[inline(always)]
fn policy_permits<T: Tables>(
    tables: &T,
    context: &Context<'_>,
    opening: &Opening,
    hit: &mut HitKey,
) -> bool {
    // In range by construction; `get` says so to the verifier.
    let index = policy_index(opening.hook.direction(), opening.family());
    let Some(policy) = context.port.policies.get(index) else {
        return false;
    };
    let policy = *policy;
    (hit.slot, hit.protocol) = (context.slot, opening.key.protocol());
    tag_is(&context.port.key, &context.key) && policy::permits(tables, policy, opening, hit)
}
