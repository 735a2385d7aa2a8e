//! What the tracker reads of a segment.

use super::state::Class;
use crate::frame::Frame;
use crate::packet::Ip;
use crate::reason::DropReason;
use crate::wire::transport::{Tcp, tcp_flags as flag};

/// What the tracker needs of a segment.
pub(super) struct Segment {
    pub(super) class: Class,
    pub(super) acknowledges: bool,
    pub(super) sequence: u32,
    pub(super) acknowledgement: u32,
    /// Sequence number after the segment.
    pub(super) end: u32,
    pub(super) window: u16,
}

/// Whether `a` is before `b` in sequence space.
#[inline(always)]
pub(super) const fn before(a: u32, b: u32) -> bool {
    (a.wrapping_sub(b) as i32) < 0
}

/// Reads a segment and refuses what is malformed or has flags that no stack sends (`tcp_error`).
#[inline(always)]
pub(super) fn segment<F: Frame + ?Sized>(frame: &F, ip: &Ip) -> Result<Segment, DropReason> {
    let Some(tcp) = frame.read::<Tcp>(ip.payload) else {
        return Err(DropReason::InvalidTransport);
    };
    let header = (tcp.data_offset >> 4) as u32 * 4;
    if header < size_of::<Tcp>() as u32 || header > ip.payload_length {
        return Err(DropReason::InvalidTransport);
    }
    let Some(class) = class(tcp.flags) else {
        return Err(DropReason::InvalidTcpFlags);
    };
    let sequence = u32::from_be_bytes(tcp.sequence);
    let length = ip.payload_length - header
        + (tcp.flags & flag::SYN != 0) as u32
        + (tcp.flags & flag::FIN != 0) as u32;
    Ok(Segment {
        class,
        acknowledges: tcp.flags & flag::ACK != 0,
        sequence,
        acknowledgement: u32::from_be_bytes(tcp.acknowledgement),
        end: sequence.wrapping_add(length),
        window: u16::from_be_bytes(tcp.window),
    })
}

/// The class of a combination of flags (`get_conntrack_index`), if it is in `tcp_valid_flags`.
#[inline(always)]
const fn class(flags: u8) -> Option<Class> {
    const S: u8 = flag::SYN;
    const SU: u8 = flag::SYN | flag::URG;
    const SA: u8 = flag::SYN | flag::ACK;
    const R: u8 = flag::RST;
    const RA: u8 = flag::RST | flag::ACK;
    const FA: u8 = flag::FIN | flag::ACK;
    const FAU: u8 = flag::FIN | flag::ACK | flag::URG;
    const A: u8 = flag::ACK;
    const AU: u8 = flag::ACK | flag::URG;
    match flags & !(flag::PSH | flag::ECE | flag::CWR) {
        R | RA => Some(Class::Rst),
        SA => Some(Class::SynAck),
        S | SU => Some(Class::Syn),
        FA | FAU => Some(Class::Fin),
        A | AU => Some(Class::Ack),
        _ => None,
    }
}
