//! UDP and UDP-Lite (`nf_conntrack_proto_udp.c`).

use crate::conntrack::next::Next;
use crate::layout::flow::Flow;
use crate::layout::settings::{Settings, Ticks, passed, ticks};
use crate::reason::DropReason;
use crate::wire::frame::Frame;
use crate::wire::ip::{Fragment, Ip};
use crate::wire::protocol;
use crate::wire::transport::Udp;

/// An answered flow is a stream once it is older than this.
pub const STREAM_AGE: Ticks = ticks(2);

/// A connection may begin with any datagram whose header is sound.
#[inline(always)]
pub fn opens<F: Frame + ?Sized>(frame: &F, ip: &Ip) -> Result<(), DropReason> {
    match is_sound(frame, ip) {
        true => Ok(()),
        false => Err(DropReason::InvalidTransport),
    }
}

/// Begins a connection.
#[inline(always)]
pub fn first(flow: &mut Flow, settings: &Settings, now: Ticks) -> Ticks {
    flow.end[0] = now.wrapping_add(STREAM_AGE);
    settings.udp
}

/// An answered flow lives longer, and is assured; one of UDP only once it has lasted.
#[inline(always)]
pub fn next<F: Frame + ?Sized>(
    flow: &mut Flow,
    frame: &F,
    ip: &Ip,
    settings: &Settings,
    now: Ticks,
) -> Next {
    if !is_sound(frame, ip) {
        return Next::Invalid(DropReason::InvalidTransport);
    }
    let word = flow.word();
    let lasts = word.assured()
        || ip.protocol == protocol::UDPLITE
        || passed(flow.end[0].wrapping_add(1), now);
    if !(word.seen_reply() && lasts) {
        return Next::Refresh(settings.udp);
    }
    flow.change(|word| word.set_assured(true));
    Next::Refresh(settings.udp_stream)
}

/// Whether the length field holds the header and lies within the payload of the packet, but for a first
/// fragment, where it is that of the whole datagram.
#[inline(always)]
pub const fn has_sound_length(udp: &Udp, payload_length: u32, is_fragment: bool) -> bool {
    let length = u16::from_be_bytes(udp.length) as u32;
    length >= size_of::<Udp>() as u32 && (length <= payload_length || is_fragment)
}

/// Moves the moment from which an answered flow is a stream.
pub(super) const fn shift(flow: &mut Flow, by: Ticks) {
    flow.end[0] = flow.end[0].wrapping_add(by);
}

#[inline(always)]
fn is_sound<F: Frame + ?Sized>(frame: &F, ip: &Ip) -> bool {
    let header = size_of::<Udp>() as u32;
    let udp = match frame.read::<Udp>(ip.payload) {
        Some(udp) if ip.payload_length >= header => udp,
        _ => return false,
    };
    let sound = has_sound_length(&udp, ip.payload_length, ip.fragment == Fragment::First);
    match ip.protocol {
        // A coverage of 0 is all of it, and the checksum is not optional (RFC 3828 3.1).
        protocol::UDPLITE => (sound || udp.length == [0, 0]) && udp.checksum != [0, 0],
        _ => sound,
    }
}

#[cfg(test)]
mod tests;
