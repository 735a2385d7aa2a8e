//! Tells of a verdict, if somebody asked for it.
//!
//! As long as nobody asks for anything, a packet that opens a connection or is refused meets one branch on
//! the settings, and any other meets nothing.

use crate::hook::Hook;
use crate::layout::events::{Action, Cause, Ended, Event};
use crate::layout::flow::{Flow, FlowKey};
use crate::layout::hit::HitKey;
use crate::layout::settings::switch;
use crate::layout::shared::put;
use crate::reason::{Accept, Verdict, verdict_counter};
use crate::scratch::Run;
use crate::tables::Tables;
use crate::wire::frame::Frame;
use crate::wire::protocol;
use crate::wire::transport::Tcp;
use crate::wire::transport::tcp_flags::{ACK, SYN};

/// Tells of a verdict on a frame of the port whose slot and key are in `run`.
#[inline(always)]
pub fn tell<F, T>(tables: &T, hook: Hook, frame: &F, verdict: &Verdict, run: &Run)
where
    F: Frame + ?Sized,
    T: Tables,
{
    if Action::of(verdict).is_none() {
        return;
    }
    let settings = tables.settings();
    if settings.is_some_and(|settings| settings.has(switch::EVENTS)) {
        write(tables, hook, frame, verdict_counter(verdict), run);
    }
}

/// Tells that a connection is over, which was this last.
#[inline(always)]
pub fn ended<T: Tables>(tables: &T, key: &FlowKey, flow: &Flow, cause: Cause) {
    let settings = tables.settings();
    if settings.is_some_and(|settings| settings.has(switch::EVENTS)) {
        write_end(tables, key, flow, cause);
    }
}

/// A subprogram of its own, like `write`.
#[cfg_attr(target_arch = "bpf", inline(never))]
fn write_end<T: Tables>(tables: &T, key: &FlowKey, flow: &Flow, cause: Cause) {
    let slot = key.slot();
    let Some(port) = tables.port_of(slot) else {
        return;
    };
    let uuid = port.uuid;
    let account = tables.account_of(key);
    let (packets, bytes) = account.map_or(([0; 2], [0; 2]), |account| account.present());
    tables.tell(slot, Action::End, |event: &mut Event, time| {
        let ended: &mut Ended = bytemuck::must_cast_mut(event);
        ended.time = time;
        ended.uuid = uuid;
        ended.slot = slot;
        ended.nothing = [0; 3];
        ended.what = Event::END;
        ended.cause = cause as u8;
        ended.counted = account.is_some() as u8;
        ended.reserved = [0; 5];
        put(&mut ended.flow, *flow);
        put(&mut ended.key, bytemuck::must_cast(*key));
        put(&mut ended.packets, packets);
        put(&mut ended.frame_bytes, bytes);
        put(&mut ended.rest, [0; 3]);
    });
}

/// A subprogram of its own in the kernel: most nodes never need it.
#[cfg_attr(target_arch = "bpf", inline(never))]
fn write<F, T>(tables: &T, hook: Hook, frame: &F, verdict: u32, run: &Run)
where
    F: Frame + ?Sized,
    T: Tables,
{
    const NEW: u32 = verdict_counter(&Ok(Accept::New));
    const STATELESS: u32 = verdict_counter(&Ok(Accept::Stateless));
    const AUDIT: u32 = verdict_counter(&Ok(Accept::Audit));
    let (action, hit) = match verdict {
        STATELESS if !could_open(frame, run) => return,
        NEW | STATELESS => (Action::Accept, &run.scratch.hit),
        AUDIT => (Action::Audit, &HitKey::NONE),
        _ => (Action::Drop, &HitKey::NONE),
    };
    let facts = &run.facts;
    let Some(port) = tables.port_again(&facts.key, facts.slot) else {
        return;
    };
    let uuid = port.uuid;
    tables.tell(facts.slot, action, |event: &mut Event, time| {
        let tag = frame.vlan();
        event.time = time;
        event.uuid = uuid;
        event.slot = facts.slot;
        event.ifindex = facts.key.ifindex;
        event.length = frame.len();
        event.tci = tag.unwrap_or(0);
        event.what = Event::VERDICT;
        event.hook = hook as u8;
        event.verdict = verdict as u8;
        event.flags = if tag.is_some() { Event::TAGGED } else { 0 };
        event.reserved = [0; 4];
        put(&mut event.hit, *hit);
        event.captured = frame.capture(&mut event.bytes);
    });
}

/// Whether a packet of a stateless port could be the first of a connection: of TCP only a SYN can.
#[inline(always)]
fn could_open<F: Frame + ?Sized>(frame: &F, run: &Run) -> bool {
    let ip = &run.scratch.ip;
    if ip.protocol != protocol::TCP {
        return true;
    }
    match frame.read::<Tcp>(ip.payload) {
        Some(header) => header.flags & (SYN | ACK) == SYN,
        None => false,
    }
}
