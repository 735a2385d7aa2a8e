//! Connection tracking: what nf_conntrack says of a packet, as pure functions of a flow and a packet.
//!
//! Nothing here looks into a table; [`crate::stage::connection`] does.

pub mod icmp;
pub mod tcp;
pub mod udp;

use crate::flow::{Flow, Side};
use crate::frame::Frame;
use crate::packet::{Ip, Opening};
use crate::policy::protocol;
use crate::reason::DropReason;
use crate::settings::{Settings, Ticks};

/// What becomes of a connection by a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// The packet fits; the connection lives for so long from now.
    Refresh(Ticks),
    /// The packet fits, or is let through; the time to live stays.
    Keep,
    /// The packet fits no connection.
    Invalid(DropReason),
    /// The packet fits, and ends the connection.
    Delete,
    /// The connection is over, and the packet opens a new one.
    Reopen,
}

/// Whether a connection can begin with this packet, and how long it then lives; fills in a new flow.
#[inline(always)]
pub fn first<F: Frame + ?Sized>(
    flow: &mut Flow,
    frame: &F,
    ip: &Ip,
    opening: &Opening,
    settings: &Settings,
    now: Ticks,
) -> Result<Ticks, DropReason> {
    if opening.transport.cut_short {
        return Err(DropReason::InvalidTransport);
    }
    match ip.protocol {
        protocol::TCP => tcp::first(flow, frame, ip, settings),
        protocol::UDP | protocol::UDPLITE => udp::first(flow, frame, ip, settings, now),
        protocol::GRE => Ok(settings.gre),
        other if icmp::is_icmp(ip.family, other) => icmp::first(opening, settings),
        _ => Ok(settings.generic),
    }
}

/// What a packet of a stored connection does to it.
#[inline(always)]
pub fn next<F: Frame + ?Sized>(
    flow: &mut Flow,
    side: Side,
    frame: &F,
    ip: &Ip,
    settings: &Settings,
    now: Ticks,
) -> Next {
    match ip.protocol {
        protocol::TCP => tcp::next(flow, side, frame, ip, settings),
        protocol::UDP | protocol::UDPLITE => udp::next(flow, frame, ip, settings, now),
        protocol::GRE => gre(flow, settings),
        other if icmp::is_icmp(ip.family, other) => Next::Refresh(settings.icmp),
        _ => Next::Refresh(settings.generic),
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
