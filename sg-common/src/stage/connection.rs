//! Connections: finds the one a packet belongs to, moves its state, opens new ones.

use crate::addr::Family;
use crate::conntrack::{self, Next, icmp};
use crate::flow::{Flow, Side};
use crate::frame::Frame;
use crate::packet::{Fragment, Opening, Scratch, transport};
use crate::port::flags;
use crate::reason::{Accept, Condition, DropReason, Verdict};
use crate::settings::{EXPIRY_STEP, Ticks, passed};
use crate::stage::{Context, permission, source};
use crate::tables::{FlowEntry, Note, Tables};
use crate::wire::icmp::Header;
use crate::wire::ipv6::Walk;
use crate::wire::{ipv4, ipv6};

/// How a packet is tracked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tracking {
    /// Not at all: the port is stateless, the packet is a later fragment, or ICMPv6 that nobody tracks.
    None,
    /// By its own addresses and ports.
    Connection,
    /// By those of the packet it quotes: it is an ICMP error.
    Error,
    /// It is an ICMP error, but quotes nothing that could belong to a connection.
    Unrelated,
}

/// How a packet is tracked.
#[inline(always)]
pub fn tracking<F: Frame + ?Sized>(
    context: &Context<'_>,
    frame: &F,
    scratch: &mut Scratch,
) -> Tracking {
    if context.has(flags::STATELESS)
        || scratch.ip.fragment == Fragment::Later
        || icmp::is_untracked(&scratch.opening)
    {
        Tracking::None
    } else if !icmp::is_error(&scratch.opening) {
        Tracking::Connection
    } else if read_quoted(context, frame, scratch) {
        Tracking::Error
    } else {
        Tracking::Unrelated
    }
}

/// Looks for the connection of a packet, and copies it into `scratch.flow`. One that has expired is
/// absent.
#[inline(always)]
pub fn find<T: Tables>(
    tables: &T,
    context: &Context<'_>,
    tracking: Tracking,
    scratch: &mut Scratch,
) -> Option<T::Entry> {
    let key = match tracking {
        Tracking::Connection => &scratch.opening.key,
        Tracking::Error => &scratch.quoted.key,
        Tracking::Unrelated | Tracking::None => return None,
    };
    let flow = &mut scratch.flow;
    let entry = match tables.assured(key) {
        Some(entry) => entry,
        None => tables.embryo(key)?,
    };
    *flow = entry.load();
    if passed(flow.expires, context.now) {
        if flow.word().assured() {
            // Make way: an entry among the assured would hide a new one among the others.
            tables.forget(key);
        }
        return None;
    }
    tables.note(Note::Flow(*flow));
    Some(entry)
}

/// The VM has sent from its own MAC on this connection, in this generation, and not lost the address
/// since: it needs no look-up.
#[inline(always)]
pub fn vouches(context: &Context<'_>, tracking: Tracking, flow: &Flow) -> bool {
    context.is_from_own_mac()
        && matches!(tracking, Tracking::Connection)
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
    tracking: Tracking,
    entry: &T::Entry,
    scratch: &mut Scratch,
) -> Result<Option<Accept>, DropReason>
where
    F: Frame + ?Sized,
    T: Tables,
{
    judge_again(tables, context, tracking, entry, scratch)?;
    if tracking == Tracking::Error {
        return Ok(Some(Accept::Related));
    }
    let Scratch {
        ip, opening, flow, ..
    } = scratch;
    let before = flow.word();
    let side = flow.side(context.hook);
    match conntrack::next(flow, side, frame, ip, context.settings, context.now) {
        Next::Refresh(lifetime) => refresh(flow, lifetime, context.now),
        Next::Keep => {}
        Next::Delete => {
            tables.forget(&opening.key);
            return Ok(Some(Accept::Established));
        }
        Next::Reopen => {
            tables.forget(&opening.key);
            return Ok(None);
        }
        Next::Invalid(reason) => return invalid(tables, context, opening, reason).map(Some),
    }
    flow.change(|word| {
        if side == Side::Reply {
            word.set_seen_reply(true);
        }
        if context.is_from_own_mac() {
            word.set_source_vouched(true);
        }
    });
    if flow.word().assured() && !before.assured() {
        if tables.promote(&opening.key, flow) {
            return Ok(Some(Accept::Established));
        }
        flow.change(|word| word.set_assured(false));
        tables.condition(
            context.slot,
            context.hook.direction(),
            Condition::FlowNotPromoted,
        );
    }
    entry.store(before.0, flow);
    Ok(Some(Accept::Established))
}

/// The verdict on a packet that belongs to no stored connection: may it open one?
#[inline(always)]
pub fn open<F, T>(tables: &T, context: &Context<'_>, frame: &F, scratch: &mut Scratch) -> Verdict
where
    F: Frame + ?Sized,
    T: Tables,
{
    tables.note(Note::NoFlow);
    if let Err(reason) = begin(tables, context, frame, scratch) {
        return invalid(tables, context, &scratch.opening, reason);
    }
    let accept = permission::require(tables, context, &scratch.opening)?;
    if !tables.create(&scratch.opening.key, &scratch.flow) {
        tables.condition(
            context.slot,
            context.hook.direction(),
            Condition::FlowNotStored,
        );
    }
    Ok(accept)
}

/// The verdict on an ICMP error about no stored connection.
#[inline(always)]
pub fn unrelated<T: Tables>(tables: &T, context: &Context<'_>, scratch: &Scratch) -> Verdict {
    invalid(tables, context, &scratch.opening, DropReason::InvalidIcmp)
}

/// Makes `scratch.flow` the connection that the packet would open, if one can begin with it.
///
/// A subprogram of its own in the kernel: only the first packet of a connection needs it.
#[cfg_attr(target_arch = "bpf", inline(never))]
fn begin<F, T>(
    tables: &T,
    context: &Context<'_>,
    frame: &F,
    scratch: &mut Scratch,
) -> Result<(), DropReason>
where
    F: Frame + ?Sized,
    T: Tables,
{
    let Scratch {
        ip, opening, flow, ..
    } = scratch;
    *flow = Flow::new(context.hook, context.generation, tables.random());
    let lifetime = conntrack::first(flow, frame, ip, opening, context.settings, context.now)?;
    flow.expires = context.now.wrapping_add(lifetime);
    flow.change(|word| word.set_source_vouched(context.is_from_own_mac()));
    Ok(())
}

/// Reads the packet that an ICMP error quotes, which went the other way. False if it is not whole enough
/// to tell its connection, or if the error does not go where that packet came from.
///
/// A subprogram of its own in the kernel: only ICMP errors need it.
#[cfg_attr(target_arch = "bpf", inline(never))]
fn read_quoted<F: Frame + ?Sized>(context: &Context<'_>, frame: &F, scratch: &mut Scratch) -> bool {
    let Scratch {
        ip,
        quoted_ip,
        quoted,
        ..
    } = scratch;
    let offset = ip.payload + size_of::<Header>() as u32;
    let sound = match ip.family {
        Family::V4 => ipv4::parse(frame, offset, false, quoted_ip),
        Family::V6 => matches!(ipv6::parse(frame, offset, false, quoted_ip), Walk::Done),
    };
    let transport = transport(frame, quoted_ip);
    *quoted = Opening::new(context.slot, context.hook.opposite(), quoted_ip, transport);
    sound && !transport.cut_short && quoted_ip.source == ip.destination
}

/// Whether the rules still permit a stored connection, a copy of which is in `scratch.flow`. They are
/// asked again, in its original direction, when something has changed since they were last asked; and at
/// every packet of a connection that is revoked, so that it lives again when its rule comes back.
#[inline(always)]
fn judge_again<T: Tables>(
    tables: &T,
    context: &Context<'_>,
    tracking: Tracking,
    entry: &T::Entry,
    scratch: &mut Scratch,
) -> Result<(), DropReason> {
    let Scratch {
        opening,
        flow,
        quoted,
        original,
        ..
    } = scratch;
    let word = flow.word();
    if flow.generation == context.generation && !word.revoked() {
        return Ok(());
    }
    tables.note(Note::JudgedAgain);
    let key = if tracking == Tracking::Error {
        &quoted.key
    } else {
        &opening.key
    };
    *original = Opening::of_flow(key, word.from_vm());
    let source_kept =
        word.source_vouched() && source::own_kinds(tables, context, key.family(), &key.local) != 0;
    // The source of what the VM itself sends on the connection has just been checked.
    let source_checked = context.is_from_vm() && tracking == Tracking::Connection;
    let source_lost = word.from_vm() && word.source_vouched() && !source_kept && !source_checked;
    let permitted = !source_lost && permission::ask(tables, context, original).is_some();
    flow.generation = context.generation;
    flow.change(|word| {
        word.set_revoked(!permitted);
        // A lost source is looked for again at the next packet.
        word.set_source_vouched(source_kept || source_lost);
    });
    entry.store(word.0, flow);
    match permitted {
        true => Ok(()),
        false => Err(DropReason::Revoked),
    }
}

/// Invalid packets meet the rules first, as under iptables, unless the operator wants them dropped.
/// Nothing is stored.
#[inline(always)]
fn invalid<T: Tables>(
    tables: &T,
    context: &Context<'_>,
    opening: &Opening,
    reason: DropReason,
) -> Verdict {
    tables.note(Note::Invalid(reason));
    if context.settings.drop_invalid != 0 {
        return Err(reason);
    }
    match permission::ask(tables, context, opening) {
        Some(Accept::New) => Ok(Accept::InvalidPermitted),
        Some(accept) => Ok(accept),
        None => Err(reason),
    }
}

/// Writes an expiry only when it has moved: most packets leave it as it is.
#[inline(always)]
fn refresh(flow: &mut Flow, lifetime: Ticks, now: Ticks) {
    let expires = now.wrapping_add(lifetime);
    let moved = expires.wrapping_sub(flow.expires) as i32;
    if moved < 0 || moved >= EXPIRY_STEP as i32 {
        flow.expires = expires;
    }
}
