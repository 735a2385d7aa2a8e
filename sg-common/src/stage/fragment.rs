//! Fragments: only the first has the ports, so it speaks for the others. A program at tc cannot hold a
//! packet back, so a later fragment that comes before the first is refused, or at the operator's wish
//! judged by the rules that need no ports.

use crate::hook::Direction;
use crate::layout::fragment::{FragmentKey, FragmentValue};
use crate::layout::settings::{passed, switch};
use crate::packet::header_length;
use crate::reason::{Condition, DropReason};
use crate::stage::Context;
use crate::tables::Tables;
use crate::wire::addr::Family;
use crate::wire::ip::{Fragment, Ip};

/// What is known of a packet before anything looks at its transport header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// Nothing: it is to be judged.
    Nothing,
    /// It is a later fragment of a datagram that was accepted.
    Accepted,
    /// It is a later fragment of a datagram of which nothing is known; the operator lets it pass if the
    /// rules permit its whole protocol.
    Unordered,
}

/// Checks a fragment before anything else looks at its transport header: that header must be whole, and in the
/// first one only.
#[inline(always)]
pub fn check(ip: &Ip) -> Result<(), DropReason> {
    match ip.fragment {
        Fragment::First if ip.payload_length < header_length(ip.protocol) => {
            Err(DropReason::FragmentTiny)
        }
        Fragment::Later if (ip.fragment_offset as u32) * 8 < header_length(ip.protocol) => {
            Err(DropReason::FragmentOverlap)
        }
        _ => Ok(()),
    }
}

/// What is known of a fragment that [`check`] has passed.
#[inline(always)]
pub fn known<T: Tables>(tables: &T, context: &Context<'_>, ip: &Ip) -> Result<Known, DropReason> {
    if ip.fragment != Fragment::Later {
        return Ok(Known::Nothing);
    }
    match find(tables, context, ip) {
        Found::Accepted => Ok(Known::Accepted),
        Found::Overlaps => Err(DropReason::FragmentOverlap),
        Found::Unknown if context.settings.has(switch::FRAGMENTS_UNORDERED) => Ok(Known::Unordered),
        Found::Unknown => Err(DropReason::FragmentUnknown),
    }
}

/// Remembers that the first fragment of a datagram was accepted.
#[inline(always)]
pub fn remember<T: Tables>(tables: &T, context: &Context<'_>, ip: &Ip) {
    if ip.fragment == Fragment::First && !store(tables, context, ip) {
        let direction = context.hook.direction();
        tables.condition(context.slot, direction, Condition::FragmentNotStored);
    }
}

/// A subprogram of its own in the kernel: its key needs its own stack.
#[cfg_attr(target_arch = "bpf", inline(never))]
fn store<T: Tables>(tables: &T, context: &Context<'_>, ip: &Ip) -> bool {
    let lifetime = match ip.family {
        Family::V4 => context.settings.fragments[0],
        Family::V6 => context.settings.fragments[1],
    };
    let value = FragmentValue {
        expires: context.now.wrapping_add(lifetime),
        generation: context.generation,
        judged: ip.payload - ip.fragment_data + header_length(ip.protocol),
    };
    tables.remember_fragment(&key(context, ip), &value)
}

/// What is known of a later fragment.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Found {
    /// The first was accepted.
    Accepted,
    /// The first was accepted, but this one would replace a part of what was judged (RFC 3128, RFC 5722).
    Overlaps,
    /// The first was not accepted, or has not come.
    Unknown,
}

/// A subprogram of its own in the kernel, like [`store`].
#[cfg_attr(target_arch = "bpf", inline(never))]
fn find<T: Tables>(tables: &T, context: &Context<'_>, ip: &Ip) -> Found {
    match tables.fragment(&key(context, ip)) {
        Some(value)
            if value.generation != context.generation || passed(value.expires, context.now) =>
        {
            Found::Unknown
        }
        Some(value) if (ip.fragment_offset as u32) * 8 < value.judged => Found::Overlaps,
        Some(_) => Found::Accepted,
        None => Found::Unknown,
    }
}

#[inline(always)]
fn key(context: &Context<'_>, ip: &Ip) -> FragmentKey {
    let direction: Direction = context.hook.direction();
    FragmentKey {
        slot: context.slot,
        id: ip.fragment_id,
        source: ip.source,
        destination: ip.destination,
        protocol: ip.fragment_protocol,
        direction: direction as u8,
        family: ip.family.number(),
        reserved: 0,
    }
}
