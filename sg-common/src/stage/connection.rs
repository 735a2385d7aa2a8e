//! Connections: finds the one a packet belongs to, moves its state, opens new ones.

use crate::conntrack::{self, Next, Terms, Tracking, icmp};
use crate::layout::events::Cause;
use crate::layout::flow::{Flow, Side, Word};
use crate::layout::hit::HitKey;
use crate::layout::port::flags;
use crate::layout::settings::{EXPIRY_STEP, Ticks, switch};
use crate::layout::shared::put;
use crate::packet::{Opening, transport};
use crate::reason::{Accept, Condition, DropReason, Verdict};
use crate::scratch::Scratch;
use crate::stage::fragment::Known;
use crate::stage::{Context, permission, source, tell};
use crate::tables::{FlowEntry, Note, Tables};
use crate::wire::addr::Family;
use crate::wire::frame::Frame;
use crate::wire::ip::Extent;
use crate::wire::ipv6::Walk;
use crate::wire::{ipv4, ipv6};

/// Finds out how a packet is tracked, and remembers it in `scratch.room`.
#[inline(always)]
pub fn track<F: Frame + ?Sized>(
    context: &Context<'_>,
    frame: &F,
    known: Known,
    scratch: &mut Scratch,
) {
    let tracking = match known {
        Known::Nothing => tracking(context, frame, scratch),
        Known::Accepted => Tracking::Accepted,
        Known::Unordered => Tracking::Unordered,
    };
    scratch.room.tracked.set(tracking);
    if scratch.room.tracked.is_connection() {
        conntrack::read(&mut scratch.room, frame, &scratch.ip);
    }
}

#[inline(always)]
fn tracking<F: Frame + ?Sized>(
    context: &Context<'_>,
    frame: &F,
    scratch: &mut Scratch,
) -> Tracking {
    if context.has(flags::STATELESS) || icmp::is_untracked(&scratch.opening) {
        Tracking::None
    } else if let Some(reason) = conntrack::unfit(&scratch.opening) {
        Tracking::Invalid(reason)
    } else if !icmp::is_error(&scratch.opening) {
        Tracking::Connection
    } else if read_quoted(context, frame, scratch) {
        Tracking::Error
    } else {
        Tracking::Invalid(DropReason::InvalidIcmp)
    }
}

/// Looks for the connection of a packet, and copies it into `scratch.flow`.
#[inline(always)]
pub fn find<T: Tables>(
    tables: &T,
    context: &Context<'_>,
    scratch: &mut Scratch,
) -> Option<T::Entry> {
    let tracked = &scratch.room.tracked;
    let key = if tracked.is_connection() {
        &scratch.opening.key
    } else if tracked.is_error() {
        &scratch.quoted.key
    } else {
        return None;
    };
    let flow = &mut scratch.flow;
    let assured = match context.absent {
        true => None,
        false => living(tables.assured(key), flow, context.now),
    };
    let entry = match assured {
        Some(entry) => entry,
        None => living(tables.embryo(key), flow, context.now)?,
    };
    tables.note(Note::Flow(*flow));
    Some(entry)
}

/// Copies an entry into `flow`; `None` if its connection is over.
#[inline(always)]
fn living<E: FlowEntry>(entry: Option<E>, flow: &mut Flow, now: Ticks) -> Option<E> {
    let entry = entry?;
    put(flow, entry.load());
    flow.lives(now).then_some(entry)
}

/// The VM has sent from its own MAC on this connection, in this generation, and not lost the address
/// since: it needs no look-up.
#[inline(always)]
pub fn vouches(context: &Context<'_>, flow: &Flow) -> bool {
    context.is_from_own_mac()
        && flow.word().source_vouched()
        && !flow.word().revoked()
        && flow.generation == context.generation
}

/// Follows the connection in `scratch.flow`. `None` if it is over, and the packet is to be judged like
/// one that opens a connection.
#[inline(always)]
pub fn follow<F, T>(
    tables: &T,
    context: &Context<'_>,
    frame: &F,
    entry: &T::Entry,
    scratch: &mut Scratch,
) -> Result<Option<Accept>, DropReason>
where
    F: Frame + ?Sized,
    T: Tables,
{
    let mut passes = Accept::Established;
    if is_outdated(context, &scratch.flow) {
        match judge_again(tables, context, entry, scratch) {
            Some(Accept::Audit) => passes = Accept::Audit,
            Some(_) => {}
            None => return Err(DropReason::Revoked),
        }
    }
    if scratch.room.tracked.is_error() {
        return Ok(Some(Accept::Related));
    }
    let Scratch {
        ip,
        opening,
        flow,
        before,
        room,
        hit,
        ..
    } = scratch;
    let side = flow.side(context.hook);
    let terms = Terms {
        settings: context.settings,
        now: context.now,
    };
    put(before, *flow);
    let next = conntrack::next(flow, room, side, frame, ip, &terms);
    match next {
        Next::Refresh(lifetime) => refresh(flow, lifetime, context.now),
        Next::Keep => {}
        Next::Delete | Next::Reopen => {
            entry.end(before.word);
            tell::ended(tables, &opening.key, before, Cause::Packet);
            return Ok((next == Next::Delete).then_some(passes));
        }
        Next::Invalid(reason) => {
            entry.store(before, flow);
            return invalid(tables, context, opening, reason, hit).map(Some);
        }
    }
    flow.change(|word| seen(word, context, side));
    if flow.word().assured() && !before.word().assured() {
        if !tables.is_still(&opening.key, before) {
            // It was another's, or has just been moved or evicted.
            return Ok(Some(passes));
        }
        match tables.promote(&opening.key, flow) {
            Ok(()) => return Ok(Some(passes)),
            Err(condition) => {
                tables.condition(context.slot, context.hook.direction(), condition);
            }
        }
        flow.change(|word| word.set_assured(false));
    }
    // If another CPU has moved the connection at this instant, that stands, and this packet is forgotten.
    entry.store(before, flow);
    Ok(Some(passes))
}

/// Notes that a side has sent what fits.
#[inline(always)]
fn seen(word: &mut Word, context: &Context<'_>, side: Side) {
    if side == Side::Reply {
        word.set_seen_reply(true);
    }
    if context.is_from_own_mac() {
        word.set_source_vouched(true);
    }
}

/// The verdict on a packet that belongs to no stored connection: may it open one? The rules are asked as
/// soon as it is known that one can begin with it: most of what is refused is refused by them.
#[inline(always)]
pub fn open<F, T>(tables: &T, context: &Context<'_>, frame: &F, scratch: &mut Scratch) -> Verdict
where
    F: Frame + ?Sized,
    T: Tables,
{
    tables.note(Note::NoFlow);
    if let Err(reason) = begins(context, frame, scratch) {
        let Scratch { opening, hit, .. } = scratch;
        return invalid(tables, context, opening, reason, hit);
    }
    let Scratch { opening, hit, .. } = scratch;
    let accept = permission::require(tables, context, opening, hit)?;
    if accept == Accept::New {
        tables.hit(hit, context.hook.direction());
    }
    begin(tables, context, scratch);
    if !tables.create(&scratch.opening.key, &scratch.flow) {
        tables.condition(
            context.slot,
            context.hook.direction(),
            Condition::FlowNotStored,
        );
    }
    Ok(accept)
}

/// Whether a connection can begin with a packet; then `scratch.flow` is one of which nothing is known yet.
#[inline(always)]
pub fn begins<F: Frame + ?Sized>(
    context: &Context<'_>,
    frame: &F,
    scratch: &mut Scratch,
) -> Result<(), DropReason> {
    let Scratch {
        ip,
        opening,
        flow,
        room,
        ..
    } = scratch;
    put(flow, Flow::new(context.hook, context.generation, 0));
    conntrack::opens(flow, room, frame, ip, opening, context.settings)
}

/// Makes `scratch.flow` the connection that the packet opens.
#[inline(always)]
fn begin<T: Tables>(tables: &T, context: &Context<'_>, scratch: &mut Scratch) {
    let Scratch { ip, flow, room, .. } = scratch;
    let terms = Terms {
        settings: context.settings,
        now: context.now,
    };
    let lifetime = conntrack::first(flow, room, ip, &terms);
    flow.expires = context.now.wrapping_add(lifetime);
    let nonce = tables.random();
    flow.change(|word| {
        *word = word.with_nonce(nonce);
        word.set_source_vouched(context.is_from_own_mac());
    });
}

/// Reads the packet that an ICMP error quotes, which went the other way. False if it is not whole enough
/// to tell its connection, or if the error does not go where that packet came from.
///
/// A subprogram of its own in the kernel: only ICMP errors need it.
#[cfg_attr(target_arch = "bpf", inline(never))]
fn read_quoted<F: Frame + ?Sized>(context: &Context<'_>, frame: &F, scratch: &mut Scratch) -> bool {
    let Scratch {
        ip,
        opening,
        quoted_ip,
        quoted,
        ..
    } = scratch;
    let Some(offset) = icmp::quotation(frame, ip, opening.icmp_type()) else {
        return false;
    };
    let end = ip.payload + ip.payload_length;
    let sound = match ip.family {
        Family::V4 => ipv4::parse(frame, offset, Extent::Until(end), quoted_ip),
        Family::V6 => ipv6::parse_quoted(frame, offset, end, quoted_ip) == Walk::Done,
    };
    let transport = transport(frame, quoted_ip);
    *quoted = Opening::new(context.slot, context.hook.opposite(), quoted_ip, transport);
    sound && !transport.cut_short && quoted_ip.source == ip.destination
}

/// The rules are asked again when something has changed since they were last asked; and at every packet
/// of a connection that is revoked, so that it lives again when its rule comes back.
#[inline(always)]
fn is_outdated(context: &Context<'_>, flow: &Flow) -> bool {
    flow.generation != context.generation || flow.word().revoked()
}

/// Whether the rules still permit a stored connection, a copy of which is in `scratch.flow`, in its
/// original direction; `None` if not.
///
/// A subprogram of its own in the kernel: few packets need it.
#[cfg_attr(target_arch = "bpf", inline(never))]
fn judge_again<T: Tables>(
    tables: &T,
    context: &Context<'_>,
    entry: &T::Entry,
    scratch: &mut Scratch,
) -> Option<Accept> {
    let Scratch {
        opening,
        flow,
        before,
        quoted,
        original,
        room,
        hit,
        ..
    } = scratch;
    let word = flow.word();
    put(before, *flow);
    tables.note(Note::JudgedAgain);
    let key = if room.tracked.is_error() {
        &quoted.key
    } else {
        &opening.key
    };
    *original = Opening::of_flow(key, word.from_vm());
    let source_kept =
        word.source_vouched() && source::own_kinds(tables, context, key.family(), &key.local) != 0;
    // The source of what the VM itself sends on the connection has just been checked.
    let source_checked = context.is_from_vm() && room.tracked.is_connection();
    let source_lost = word.from_vm()
        && !source_kept
        && !source_checked
        && !source::is_own(tables, context, key.family(), &key.local);
    let permitted = match source_lost {
        true => None,
        false => permission::ask(tables, context, original, hit),
    };
    flow.generation = context.generation;
    flow.change(|word| {
        word.set_revoked(permitted.is_none());
        word.set_source_vouched(source_kept);
    });
    if tables.is_still(key, before) {
        entry.store(before, flow);
    }
    permitted
}

/// The verdict on a packet that fits no connection: it meets the rules first, as under iptables, unless
/// the operator wants it dropped. Nothing is stored.
#[inline(always)]
pub fn invalid<T: Tables>(
    tables: &T,
    context: &Context<'_>,
    opening: &Opening,
    reason: DropReason,
    hit: &mut HitKey,
) -> Verdict {
    tables.note(Note::Invalid(reason));
    if context.settings.has(switch::DROP_INVALID) {
        return Err(reason);
    }
    match permission::ask(tables, context, opening, hit) {
        Some(Accept::New) => {
            tables.hit(hit, context.hook.direction());
            Ok(Accept::InvalidPermitted)
        }
        // No rule drops it: it would fall at a port that permits everything, too.
        Some(Accept::Audit) | None => Err(reason),
        Some(accept) => Ok(accept),
    }
}

/// Writes an expiry only when it has moved: most packets leave it as it is.
#[inline(always)]
pub fn refresh(flow: &mut Flow, lifetime: Ticks, now: Ticks) {
    let expires = now.wrapping_add(lifetime);
    let moved = expires.wrapping_sub(flow.expires) as i32;
    if moved < 0 || moved >= EXPIRY_STEP as i32 {
        flow.expires = expires;
    }
}
