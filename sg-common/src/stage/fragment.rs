//! Fragments: only the first has the ports, so it speaks for the others. A program at tc cannot hold a
//! packet back, so a later fragment that comes before the first is refused.

use crate::addr::{Address, Family};
use crate::hook::Direction;
use crate::packet::{Fragment, Ip, header_length};
use crate::reason::{Condition, DropReason};
use crate::settings::{Ticks, passed};
use crate::shared::shared;
use crate::stage::Context;
use crate::tables::Tables;

shared! {
    /// Key of the `fragments` map: one datagram in fragments.
    pub struct FragmentKey: 44 {
        /// The port.
        pub slot: u32,
        /// Identification, unique to the two addresses and the protocol.
        pub id: u32,
        /// Source.
        pub source: Address,
        /// Destination.
        pub destination: Address,
        /// Upper-layer protocol.
        pub protocol: u8,
        /// Direction, as [`Direction`].
        pub direction: u8,
        /// Zero.
        pub reserved: u16,
    }

    /// Value of the `fragments` map: the first fragment was accepted.
    pub struct FragmentValue: 8 {
        /// Until when the later ones are.
        pub expires: Ticks,
        /// The port's generation at that time.
        pub generation: u32,
    }
}

/// Checks a fragment before anything else looks at its transport header. `true`: a later fragment of a
/// datagram that was accepted.
#[inline(always)]
pub fn check<T: Tables>(tables: &T, context: &Context<'_>, ip: &Ip) -> Result<bool, DropReason> {
    match ip.fragment {
        Fragment::Whole => Ok(false),
        Fragment::First if ip.payload_length < header_length(ip.protocol) => {
            Err(DropReason::FragmentTiny)
        }
        Fragment::First => Ok(false),
        Fragment::Later if (ip.fragment_offset as u32) * 8 < header_length(ip.protocol) => {
            Err(DropReason::FragmentOverlap)
        }
        Fragment::Later => match is_known(tables, context, ip) {
            true => Ok(true),
            false => Err(DropReason::FragmentUnknown),
        },
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
    };
    tables.remember_fragment(&key(context, ip), &value)
}

/// A subprogram of its own in the kernel, like [`store`].
#[cfg_attr(target_arch = "bpf", inline(never))]
fn is_known<T: Tables>(tables: &T, context: &Context<'_>, ip: &Ip) -> bool {
    match tables.fragment(&key(context, ip)) {
        Some(value) => {
            value.generation == context.generation && !passed(value.expires, context.now)
        }
        None => false,
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
        protocol: ip.protocol,
        direction: direction as u8,
        reserved: 0,
    }
}
