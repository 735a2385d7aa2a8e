//! The filter: one page, one stage after the other.
//!
//! In the kernel it is two programs: [`short`] ends nearly every packet's way, and calls [`whole`] for the
//! others.

use crate::hook::Hook;
use crate::layout::port::{PortKey, flags};
use crate::packet::{self, Body, Opening};
use crate::reason::{Accept, DropReason, Verdict};
use crate::scratch::{Facts, Run, Scratch};
use crate::stage::connection;
use crate::stage::lane::{self, Lane};
use crate::stage::{
    Context, account, arp, builtin, ethertype, fragment, permission, port, source, tell,
};
use crate::tables::Tables;
use crate::wire::ethernet;
use crate::wire::frame::Frame;

/// Judges a frame at a hook of an interface, and counts the verdict.
#[inline(always)]
pub fn filter<F, T>(hook: Hook, ifindex: u32, frame: &F, tables: &T, run: &mut Run) -> Verdict
where
    F: Frame + ?Sized,
    T: Tables,
{
    filter_by::<F, T, true>(hook, ifindex, frame, tables, run)
}

/// As [`filter`], with the short lane or, to compare it with what it stands for, without.
#[inline(always)]
pub fn filter_by<F, T, const LANE: bool>(
    hook: Hook,
    ifindex: u32,
    frame: &F,
    tables: &T,
    run: &mut Run,
) -> Verdict
where
    F: Frame + ?Sized,
    T: Tables,
{
    match short::<F, T, LANE>(hook, ifindex, frame, tables, run) {
        Some(verdict) => verdict,
        None => whole(hook, frame, tables, run),
    }
}

/// The first program: whose a frame is, and the short lane. `None` leaves it to [`whole`].
#[inline(always)]
pub fn short<F, T, const LANE: bool>(
    hook: Hook,
    ifindex: u32,
    frame: &F,
    tables: &T,
    run: &mut Run,
) -> Option<Verdict>
where
    F: Frame + ?Sized,
    T: Tables,
{
    let mut slot = 0;
    let judged = judge_short::<F, T, LANE>(hook, ifindex, frame, tables, run, &mut slot);
    let verdict = judged.transpose()?;
    tables.count(slot, hook.direction(), &verdict, frame.len());
    Some(verdict)
}

/// The second program: what [`short`] has left.
#[inline(always)]
pub fn whole<F, T>(hook: Hook, frame: &F, tables: &T, run: &mut Run) -> Verdict
where
    F: Frame + ?Sized,
    T: Tables,
{
    let verdict = judge(hook, frame, tables, run);
    tables.count(run.facts.slot, hook.direction(), &verdict, frame.len());
    account::account(tables, hook, frame, &verdict, run);
    tell::tell(tables, hook, frame, &verdict, run);
    verdict
}

#[inline(always)]
fn judge_short<F, T, const LANE: bool>(
    hook: Hook,
    ifindex: u32,
    frame: &F,
    tables: &T,
    run: &mut Run,
    slot: &mut u32,
) -> Result<Option<Accept>, DropReason>
where
    F: Frame + ?Sized,
    T: Tables,
{
    let ethernet = ethernet::parse(frame)?;
    let mut key = PortKey::new(ifindex, ethernet.vlan);
    let (port, settings) = port::find(tables, &mut key)?;
    *slot = port.slot;
    let mut facts = Facts::new(ethernet, port, key, tables.now());
    let context = Context {
        hook,
        facts: &facts,
        port,
        settings,
    };
    port::confirm(port, &key)?;
    if context.has(flags::UNFILTERED) {
        return Ok(Some(Accept::Unfiltered));
    }
    let is_ports = ethernet.vlan == key.vlan;
    if is_ports && arp::is_for_vm(&context) {
        return Ok(Some(Accept::Arp));
    }
    if is_ports && LANE {
        match lane::take(tables, &context, frame, &mut run.scratch) {
            Lane::Taken => return Ok(Some(Accept::Established)),
            Lane::Left => {}
            Lane::Absent => facts.absent = true,
        }
    }
    run.facts = facts;
    Ok(None)
}

#[inline(always)]
fn judge<F, T>(hook: Hook, frame: &F, tables: &T, run: &mut Run) -> Verdict
where
    F: Frame + ?Sized,
    T: Tables,
{
    let Run { facts, scratch } = run;
    let (port, settings) = port::again(tables, facts)?;
    let context = Context {
        hook,
        facts,
        port,
        settings,
    };
    if facts.ethernet.vlan != facts.key.vlan {
        return source::check_mac(tables, &context).map(|()| Accept::Tagged);
    }
    match packet::body(frame, &facts.ethernet, &mut scratch.ip)? {
        Body::Ip => judge_ip(tables, &context, frame, scratch),
        Body::Arp => arp::check(tables, &context, frame, facts.ethernet.payload),
        Body::Other => ethertype::check(tables, &context, facts.ethernet.ethertype),
    }
}

#[inline(always)]
fn judge_ip<F, T>(tables: &T, context: &Context<'_>, frame: &F, scratch: &mut Scratch) -> Verdict
where
    F: Frame + ?Sized,
    T: Tables,
{
    fragment::check(&scratch.ip)?;
    let known = fragment::known(tables, context, &scratch.ip)?;
    let transport = packet::transport(frame, &scratch.ip);
    scratch.opening = Opening::new(context.slot, context.hook, &scratch.ip, transport);
    let foreign = source::is_foreign(context, &scratch.opening);
    if foreign {
        source::check(tables, context, &scratch.opening)?;
    }
    connection::track(context, frame, known, scratch);
    let found = connection::find(tables, context, scratch);

    let own = found.is_some() && scratch.room.tracked.is_connection();
    if !(foreign || own && connection::vouches(context, &scratch.flow)) {
        source::check(tables, context, &scratch.opening)?;
    }
    source::check_neighbor(tables, context, frame, scratch)?;
    if scratch.room.tracked.is_accepted() {
        return Ok(Accept::Fragment);
    }
    if scratch.room.tracked.is_unordered() {
        let Scratch { opening, hit, .. } = scratch;
        return permission::unordered(tables, context, opening, hit);
    }
    builtin::refuse(&scratch.opening)?;

    let followed = match &found {
        Some(entry) => connection::follow(tables, context, frame, entry, scratch)?,
        None => None,
    };
    let accept = match followed {
        Some(accept) => accept,
        None if scratch.room.tracked.is_connection() => {
            connection::open(tables, context, frame, scratch)?
        }
        None if scratch.room.tracked.is_none() => {
            let Scratch { opening, hit, .. } = scratch;
            permission::stateless(tables, context, opening, hit)?
        }
        None => {
            let reason = scratch.room.tracked.reason();
            let Scratch { opening, hit, .. } = scratch;
            connection::invalid(tables, context, opening, reason, hit)?
        }
    };
    fragment::remember(tables, context, &scratch.ip);
    Ok(accept)
}

#[cfg(test)]
mod tests;
