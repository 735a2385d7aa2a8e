//! The guard: what is refused before tc, of what a VM sends.
//!
//! It asks the stages of the [filter](crate::filter) that need no memory of the packet's connection: whose the
//! frame is, whether it is whole, where it comes from, and what no VM may send. While a port floods, it asks
//! the rules too. It remembers nothing, counts only what it refuses, and leaves all else to the filter, which
//! would have refused the same for the same reason.

use crate::hook::{Direction, Hook};
use crate::layout::port::{PortKey, flags};
use crate::packet::{self, Body, Opening};
use crate::reason::DropReason;
use crate::scratch::{Facts, Run, Scratch};
use crate::stage::connection;
use crate::stage::fragment::Known;
use crate::stage::{Context, arp, builtin, ethertype, fragment, permission, port, source, tell};
use crate::tables::Tables;
use crate::wire::ethernet;
use crate::wire::frame::Frame;
use crate::wire::ip::Fragment;

/// Refuses a frame that the VM at an interface sends, and counts that; or leaves it to the filter.
#[inline(always)]
pub fn guard<F, T>(ifindex: u32, frame: &F, tables: &T, run: &mut Run) -> Result<(), DropReason>
where
    F: Frame + ?Sized,
    T: Tables,
{
    let (mut key, mut slot) = (PortKey::new(ifindex, 0), 0);
    let judged = judge(frame, tables, &mut run.scratch, &mut key, &mut slot);
    if let Err(reason) = judged {
        let verdict = Err(reason);
        tables.count(slot, Direction::Egress, &verdict, frame.len());
        (run.facts.key, run.facts.slot) = (key, slot);
        tell::tell(tables, Hook::FromVm, frame, &verdict, run);
    }
    judged
}

#[inline(always)]
fn judge<F, T>(
    frame: &F,
    tables: &T,
    scratch: &mut Scratch,
    key: &mut PortKey,
    slot: &mut u32,
) -> Result<(), DropReason>
where
    F: Frame + ?Sized,
    T: Tables,
{
    let ethernet = ethernet::parse(frame)?;
    key.vlan = ethernet.vlan;
    let (port, settings) = port::find(tables, key)?;
    *slot = port.slot;
    let facts = Facts::new(ethernet, port, *key, tables.now());
    let context = Context {
        hook: Hook::FromVm,
        facts: &facts,
        port,
        settings,
    };
    port::confirm(port, key)?;
    if context.has(flags::UNFILTERED) {
        return Ok(());
    }
    if ethernet.vlan != key.vlan {
        return source::check_mac(tables, &context);
    }
    match packet::body(frame, &ethernet, &mut scratch.ip)? {
        Body::Ip => judge_ip(tables, &context, frame, scratch),
        Body::Arp => arp::check(tables, &context, frame, ethernet.payload).map(drop),
        Body::Other => ethertype::check(tables, &context, ethernet.ethertype).map(drop),
    }
}

#[inline(always)]
fn judge_ip<F, T>(
    tables: &T,
    context: &Context<'_>,
    frame: &F,
    scratch: &mut Scratch,
) -> Result<(), DropReason>
where
    F: Frame + ?Sized,
    T: Tables,
{
    fragment::check(&scratch.ip)?;
    // Its first fragment may be under way to the filter, which then knows it.
    if scratch.ip.fragment == Fragment::Later {
        return Ok(());
    }
    let transport = packet::transport(frame, &scratch.ip);
    scratch.opening = Opening::new(context.slot, context.hook, &scratch.ip, transport);
    source::check(tables, context, &scratch.opening)?;
    source::check_neighbor(tables, context, frame, scratch)?;
    builtin::refuse(&scratch.opening)?;
    match tables.floods(context.slot, context.now) {
        true => ask_rules(tables, context, frame, scratch),
        false => Ok(()),
    }
}

/// Refuses what belongs to no connection and no rule permits to open one.
#[inline(always)]
fn ask_rules<F, T>(
    tables: &T,
    context: &Context<'_>,
    frame: &F,
    scratch: &mut Scratch,
) -> Result<(), DropReason>
where
    F: Frame + ?Sized,
    T: Tables,
{
    connection::track(context, frame, Known::Nothing, scratch);
    let tracked = scratch.room.tracked;
    let is_opening = tracked.is_none()
        || tracked.is_connection()
            && connection::find(tables, context, scratch).is_none()
            && connection::begins(context, frame, scratch).is_ok();
    match is_opening {
        true => {
            let Scratch { opening, hit, .. } = scratch;
            permission::require_from_vm(tables, context, opening, hit).map(drop)
        }
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests;
