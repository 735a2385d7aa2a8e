//! The filter: one page, one stage after the other.

use crate::hook::Hook;
use crate::layout::port::{PortKey, flags};
use crate::packet::{self, Body, Opening};
use crate::reason::{Accept, DropReason, Verdict};
use crate::scratch::Scratch;
use crate::stage::connection::{self, Tracking};
use crate::stage::fragment::Known;
use crate::stage::lane::{self, Lane};
use crate::stage::{Context, arp, builtin, ethertype, fragment, permission, port, source};
use crate::tables::Tables;
use crate::wire::ethernet;
use crate::wire::frame::Frame;

/// Judges a frame at a hook of an interface, and counts the verdict.
#[inline(always)]
pub fn filter<F, T>(
    hook: Hook,
    ifindex: u32,
    frame: &F,
    tables: &T,
    scratch: &mut Scratch,
) -> Verdict
where
    F: Frame + ?Sized,
    T: Tables,
{
    filter_by::<F, T, true>(hook, ifindex, frame, tables, scratch)
}

/// As [`filter`], with the short lane or, to compare it with what it stands for, without.
#[inline(always)]
pub fn filter_by<F, T, const LANE: bool>(
    hook: Hook,
    ifindex: u32,
    frame: &F,
    tables: &T,
    scratch: &mut Scratch,
) -> Verdict
where
    F: Frame + ?Sized,
    T: Tables,
{
    let mut slot = 0;
    let verdict = judge::<F, T, LANE>(hook, ifindex, frame, tables, scratch, &mut slot);
    tables.count(slot, hook.direction(), &verdict, frame.len());
    verdict
}

#[inline(always)]
fn judge<F, T, const LANE: bool>(
    hook: Hook,
    ifindex: u32,
    frame: &F,
    tables: &T,
    scratch: &mut Scratch,
    slot: &mut u32,
) -> Verdict
where
    F: Frame + ?Sized,
    T: Tables,
{
    let ethernet = ethernet::parse(frame)?;
    let mut key = PortKey {
        ifindex,
        vlan: ethernet.vlan,
        reserved: 0,
    };
    let (port, settings) = port::find(tables, &mut key)?;
    *slot = port.slot;
    let context = Context {
        hook,
        source_mac: ethernet.source,
        mac: port.mac,
        flags: port.flags,
        slot: port.slot,
        generation: port.generation,
        now: tables.now(),
        key,
        port,
        settings,
    };
    port::confirm(port, &key)?;
    if context.has(flags::UNFILTERED) {
        return Ok(Accept::Unfiltered);
    }
    if ethernet.vlan != key.vlan {
        return source::check_mac(tables, &context).map(|()| Accept::Tagged);
    }
    let lane = match LANE {
        true => lane::take(tables, &context, frame, &ethernet, scratch),
        false => Lane::Left,
    };
    if lane == Lane::Taken {
        return Ok(Accept::Established);
    }
    match packet::body(frame, &ethernet, &mut scratch.ip)? {
        Body::Ip => judge_ip(tables, &context, frame, lane == Lane::Absent, scratch),
        Body::Arp => arp::check(tables, &context, frame, ethernet.payload),
        Body::Other => ethertype::check(tables, &context, ethernet.ethertype),
    }
}

#[inline(always)]
fn judge_ip<F, T>(
    tables: &T,
    context: &Context<'_>,
    frame: &F,
    absent: bool,
    scratch: &mut Scratch,
) -> Verdict
where
    F: Frame + ?Sized,
    T: Tables,
{
    let known = fragment::check(tables, context, &scratch.ip)?;
    let transport = packet::transport(frame, &scratch.ip);
    scratch.opening = Opening::new(context.slot, context.hook, &scratch.ip, transport);
    let tracking = connection::tracking(context, frame, scratch);
    let found = connection::find(tables, context, tracking, absent, scratch);

    let own = found.is_some() && tracking == Tracking::Connection;
    if !(own && connection::vouches(context, &scratch.flow)) {
        source::check(tables, context, &scratch.opening)?;
    }
    source::check_neighbor(tables, context, frame, scratch)?;
    match known {
        Known::Accepted => return Ok(Accept::Fragment),
        Known::Unordered => return permission::unordered(tables, context, &scratch.opening),
        Known::Nothing => {}
    }
    builtin::refuse(&scratch.opening)?;

    let followed = match &found {
        Some(entry) => connection::follow(tables, context, frame, tracking, entry, scratch)?,
        None => None,
    };
    let accept = match (followed, tracking) {
        (Some(accept), _) => accept,
        (None, Tracking::Connection) => connection::open(tables, context, frame, scratch)?,
        (None, Tracking::Error) => {
            connection::invalid(tables, context, &scratch.opening, DropReason::InvalidIcmp)?
        }
        (None, Tracking::Invalid(reason)) => {
            connection::invalid(tables, context, &scratch.opening, reason)?
        }
        (None, Tracking::None) => permission::stateless(tables, context, &scratch.opening)?,
    };
    fragment::remember(tables, context, &scratch.ip);
    Ok(accept)
}

#[cfg(test)]
mod tests;
