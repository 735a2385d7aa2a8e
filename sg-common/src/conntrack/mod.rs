//! Connection tracking: what nf_conntrack says of a packet, as pure functions of a flow and a packet.
//!
//! Nothing here looks into a table; [`crate::stage::connection`] does.

pub mod icmp;
mod next;
pub mod sctp;
pub mod tcp;
mod tracking;
pub mod udp;

use crate::layout::flow::{Flow, Side};
use crate::layout::settings::{Settings, Ticks};
use crate::packet::Opening;
use crate::reason::DropReason;
use crate::wire::addr::Family;
use crate::wire::frame::Frame;
use crate::wire::icmp::is_icmp;
use crate::wire::ip::Ip;
use crate::wire::protocol;
use next::Said;
pub use next::{Next, Terms};
pub use tracking::{Tracked, Tracking};

/// Room for what the trackers read, in memory and not on the stack of a kernel program.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    pub(crate) tcp: tcp::Room,
    sctp: sctp::Room,
    said: Said,
    /// How the packet is tracked.
    pub tracked: Tracked,
}

impl Room {
    /// Nothing was read yet.
    pub const EMPTY: Room = Room {
        tcp: tcp::Room::EMPTY,
        sctp: sctp::Room::EMPTY,
        said: Said::NOTHING,
        tracked: Tracked::NOTHING,
    };
}

/// Why a packet can belong to no connection at all: its header is cut short, it is the ICMP of the other
/// family, or nothing follows its IPv6 headers (`nf_conntrack_in`).
#[inline(always)]
pub const fn unfit(opening: &Opening) -> Option<DropReason> {
    match (opening.key.protocol(), opening.family()) {
        _ if opening.transport.cut_short => Some(DropReason::InvalidTransport),
        (protocol::NO_NEXT_HEADER, Family::V6) => Some(DropReason::InvalidTransport),
        (protocol::ICMP, Family::V6) | (protocol::ICMPV6, Family::V4) => {
            Some(DropReason::InvalidIcmp)
        }
        _ => None,
    }
}

/// Reads what is to be read of a packet before its connection is looked for.
#[inline(always)]
pub fn read<F: Frame + ?Sized>(room: &mut Room, frame: &F, ip: &Ip) {
    match ip.protocol {
        protocol::TCP => tcp::read(&mut room.tcp, frame, ip),
        protocol::SCTP => sctp::read(&mut room.sctp, frame, ip),
        _ => {}
    }
}

/// Whether a connection can begin with this packet, of which [`read`] has read what there is to read. `flow` is one
/// of which nothing is known yet.
#[inline(always)]
pub fn opens<F: Frame + ?Sized>(
    flow: &mut Flow,
    room: &mut Room,
    frame: &F,
    ip: &Ip,
    opening: &Opening,
    settings: &Settings,
) -> Result<(), DropReason> {
    match ip.protocol {
        protocol::TCP => tcp::opens(&room.tcp, settings),
        protocol::UDP | protocol::UDPLITE => udp::opens(frame, ip),
        protocol::SCTP => sctp::opens(flow, &mut room.sctp, frame, ip),
        other if is_icmp(ip.family, other) => icmp::opens(opening),
        // `ipv6_skip_exthdr` ends without a protocol, so nobody tracks it.
        protocol::NO_NEXT_HEADER if matches!(ip.family, Family::V6) => {
            Err(DropReason::InvalidTransport)
        }
        _ => Ok(()),
    }
}

/// Begins the connection that [`opens`] has found can begin with this packet; returns how long it lives.
#[inline(always)]
pub fn first(flow: &mut Flow, room: &mut Room, ip: &Ip, terms: &Terms<'_>) -> Ticks {
    let Terms { settings, now } = *terms;
    match ip.protocol {
        protocol::TCP => tcp::first(flow, &mut room.tcp, settings),
        protocol::UDP | protocol::UDPLITE => udp::first(flow, settings, now),
        protocol::SCTP => sctp::first(flow, settings),
        protocol::GRE => settings.gre,
        other if is_icmp(ip.family, other) => icmp::lifetime(ip.family, settings),
        _ => settings.generic,
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
        protocol::TCP => tcp::next(flow, &mut room.tcp, side, terms),
        protocol::UDP | protocol::UDPLITE => udp::next(flow, frame, ip, settings, now),
        protocol::SCTP => sctp::next(flow, &mut room.sctp, side, frame, ip, settings),
        protocol::GRE => gre(flow, settings),
        other if is_icmp(ip.family, other) => Next::Refresh(icmp::lifetime(ip.family, settings)),
        _ => Next::Refresh(settings.generic),
    };
    room.said.obscure(next)
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
