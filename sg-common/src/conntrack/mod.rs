//! Connection tracking: what nf_conntrack says of a packet, as pure functions of a flow and a packet.
//!
//! Nothing here looks into a table; [`crate::stage::connection`] does.

pub mod icmp;
pub mod sctp;
pub mod tcp;
pub mod udp;

use crate::addr::Family;
use crate::flow::{Flow, Side};
use crate::frame::Frame;
use crate::packet::{Ip, Opening};
use crate::policy::protocol;
use crate::reason::DropReason;
use crate::settings::{Settings, Ticks};
use crate::shared::obscure;

/// What becomes of a connection by a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// The packet fits; the connection lives for so long from now.
    Refresh(Ticks),
    /// The packet fits, or is let through; the time to live stays.
    Keep,
    /// The packet fits no connection; what it has changed in the flow stays changed.
    Invalid(DropReason),
    /// The packet fits, and ends the connection.
    Delete,
    /// The connection is over, and the packet opens a new one.
    Reopen,
}

/// Room for what the trackers read, in memory and not on the stack of a kernel program.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    /// Of a TCP segment.
    segment: tcp::Segment,
    /// Where the walk over options or chunks is; like the rest, see [`crate::shared::obscure`].
    cursor: u32,
    /// The chunks of SCTP that were seen.
    kinds: u32,
    /// What they are to their association.
    shown: sctp::Shown,
    /// The state that a TCP segment leads to.
    answer: tcp::Answer,
    /// What a TCP segment is to its windows.
    fit: tcp::Fit,
    /// What the tracker says: which it is, and what goes with it.
    next: (NextKind, Ticks, DropReason),
}

impl Room {
    /// Nothing was read yet.
    pub const EMPTY: Room = Room {
        segment: tcp::Segment::EMPTY,
        cursor: 0,
        kinds: 0,
        shown: sctp::Shown::Fits,
        answer: tcp::Answer::NONE,
        fit: tcp::Fit::Taken,
        next: (NextKind::Keep, 0, DropReason::InvalidTransport),
    };
}

/// The variants of [`Next`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum NextKind {
    Refresh,
    Keep,
    Invalid,
    Delete,
    Reopen,
}

impl Room {
    /// Makes all that the trackers say alike to the kernel's verifier, see [`obscure`].
    #[inline(always)]
    fn obscure(&mut self, next: Next) -> Next {
        let (mut lifetime, mut reason) = (0, DropReason::InvalidTransport);
        let kind = match next {
            Next::Refresh(ticks) => {
                lifetime = ticks;
                NextKind::Refresh
            }
            Next::Keep => NextKind::Keep,
            Next::Invalid(why) => {
                reason = why;
                NextKind::Invalid
            }
            Next::Delete => NextKind::Delete,
            Next::Reopen => NextKind::Reopen,
        };
        let lifetime = obscure(&mut self.next.1, lifetime);
        let reason = obscure(&mut self.next.2, reason);
        match obscure(&mut self.next.0, kind) {
            NextKind::Refresh => Next::Refresh(lifetime),
            NextKind::Keep => Next::Keep,
            NextKind::Invalid => Next::Invalid(reason),
            NextKind::Delete => Next::Delete,
            NextKind::Reopen => Next::Reopen,
        }
    }
}

/// What a packet is judged by, beside its connection.
#[derive(Clone, Copy)]
pub struct Terms<'a> {
    /// The operator's settings.
    pub settings: &'a Settings,
    /// The time.
    pub now: Ticks,
}

/// Why a packet can belong to no connection at all: its header is cut short, it is the ICMP of the other
/// family, or nothing follows its IPv6 headers (`nf_conntrack_in`).
#[inline(always)]
pub const fn unfit(opening: &Opening) -> Option<DropReason> {
    match (opening.key.protocol, opening.family()) {
        _ if opening.transport.cut_short => Some(DropReason::InvalidTransport),
        (protocol::NO_NEXT_HEADER, Family::V6) => Some(DropReason::InvalidTransport),
        (protocol::ICMP, Family::V6) | (protocol::ICMPV6, Family::V4) => {
            Some(DropReason::InvalidIcmp)
        }
        _ => None,
    }
}

/// Whether a connection can begin with this packet, and how long it then lives; fills in a new flow.
///
#[inline(always)]
pub fn first<F: Frame + ?Sized>(
    flow: &mut Flow,
    room: &mut Room,
    frame: &F,
    ip: &Ip,
    opening: &Opening,
    terms: &Terms<'_>,
) -> Result<Ticks, DropReason> {
    let Terms { settings, now } = *terms;
    match ip.protocol {
        protocol::TCP => tcp::first(flow, room, frame, ip, settings),
        protocol::UDP | protocol::UDPLITE => udp::first(flow, frame, ip, settings, now),
        protocol::SCTP => sctp::first(flow, room, frame, ip, settings),
        protocol::GRE => Ok(settings.gre),
        other if icmp::is_icmp(ip.family, other) => icmp::first(opening, settings),
        // `ipv6_skip_exthdr` ends without a protocol, so nobody tracks it.
        protocol::NO_NEXT_HEADER if matches!(ip.family, Family::V6) => {
            Err(DropReason::InvalidTransport)
        }
        _ => Ok(settings.generic),
    }
}

/// What a packet of a stored connection does to it.
#[inline(always)]
pub fn next<F: Frame + ?Sized>(
    flow: &mut Flow,
    room: &mut Room,
    side: Side,
    frame: &F,
    ip: &Ip,
    terms: &Terms<'_>,
) -> Next {
    let Terms { settings, now } = *terms;
    let next = match ip.protocol {
        protocol::TCP => tcp::next(flow, room, side, frame, ip, terms),
        protocol::UDP | protocol::UDPLITE => udp::next(flow, frame, ip, settings, now),
        protocol::SCTP => sctp::next(flow, room, side, frame, ip, settings),
        protocol::GRE => gre(flow, settings),
        other if icmp::is_icmp(ip.family, other) => {
            Next::Refresh(icmp::lifetime(ip.family, settings))
        }
        _ => Next::Refresh(settings.generic),
    };
    room.obscure(next)
}

/// Moves every moment that a connection of a protocol holds, for a clock that is `by` ahead of the one it
/// was tracked by: when it expires, and what its tracker remembers.
pub const fn shift(flow: &mut Flow, protocol: u8, by: Ticks) {
    flow.expires = flow.expires.wrapping_add(by);
    if matches!(protocol, protocol::UDP | protocol::UDPLITE) {
        udp::shift(flow, by);
    }
}

/// GRE is assured as soon as both sides have sent (`nf_conntrack_proto_gre.c`).
#[inline(always)]
fn gre(flow: &mut Flow, settings: &Settings) -> Next {
    match flow.word().seen_reply() {
        true => {
            flow.change(|word| word.set_assured(true));
            Next::Refresh(settings.gre_stream)
        }
        false => Next::Refresh(settings.gre),
    }
}
