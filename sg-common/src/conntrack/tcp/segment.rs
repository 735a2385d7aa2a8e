//! What the tracker reads of a segment.

use super::options::{Offer, highest_acknowledged, offer};
use super::state::Class;
use crate::layout::shared::obscure;
use crate::reason::DropReason;
use crate::wire::frame::{FARTHEST, Frame};
use crate::wire::ip::{Fragment, Ip};
use crate::wire::transport::{Tcp, tcp_flags as flag};

/// What the tracker needs of a segment: all that it reads of the frame.
#[derive(Clone, Copy, Debug)]
pub struct Segment {
    pub(super) sequence: u32,
    /// The field, whether the segment acknowledges anything or not.
    pub(super) acknowledgement: u32,
    /// The same, or `selected` if the other side permits selective acknowledgements.
    pub(super) highest: u32,
    /// The acknowledgement, or the right edge of what is acknowledged selectively.
    pub(super) selected: u32,
    /// Sequence number after the segment, of what there is of it.
    pub(super) end: u32,
    /// Not scaled.
    pub(super) window: u16,
    /// A number of [`Class`]. Not the enum: the compiler would then know its range and the kernel's
    /// verifier not.
    pub(super) class: u8,
    pub(super) acknowledges: bool,
    /// What a SYN offers; `None` if it has no options at all.
    pub(super) offer: Option<Offer>,
    /// There is more of the segment in later fragments.
    pub(super) is_fragment: bool,
    /// Bytes of options.
    pub(super) options: u8,
}

impl Segment {
    /// No segment yet.
    pub const EMPTY: Segment = Segment {
        sequence: 0,
        acknowledgement: 0,
        highest: 0,
        selected: 0,
        end: 0,
        window: 0,
        class: Class::Syn as u8,
        acknowledges: false,
        offer: None,
        is_fragment: false,
        options: 0,
    };

    /// A whole segment of so many bytes that opens nothing; `None` for one that does, and for one that is
    /// malformed.
    #[inline(always)]
    pub fn later(tcp: &Tcp, payload_length: u32) -> Option<Segment> {
        let segment = Segment::of(tcp, payload_length, false).ok()?;
        (!segment.is_syn()).then_some(segment)
    }

    /// Whether it only acknowledges, with data or without.
    #[inline(always)]
    pub const fn only_acknowledges(&self) -> bool {
        self.is(Class::Ack)
    }

    #[inline(always)]
    fn of(tcp: &Tcp, payload_length: u32, is_fragment: bool) -> Result<Segment, DropReason> {
        let header = (tcp.data_offset >> 4) as u32 * 4;
        let fixed = size_of::<Tcp>() as u32;
        if header < fixed || header > payload_length {
            return Err(DropReason::InvalidTransport);
        }
        let Some(class) = class(tcp.flags) else {
            return Err(DropReason::InvalidTcpFlags);
        };
        let sequence = u32::from_be_bytes(tcp.sequence);
        let acknowledgement = u32::from_be_bytes(tcp.acknowledgement);
        let length = payload_length - header
            + (tcp.flags & flag::SYN != 0) as u32
            + (tcp.flags & flag::FIN != 0) as u32;
        Ok(Segment {
            sequence,
            acknowledgement,
            highest: acknowledgement,
            selected: acknowledgement,
            end: sequence.wrapping_add(length),
            window: u16::from_be_bytes(tcp.window),
            class: class as u8,
            acknowledges: tcp.flags & flag::ACK != 0,
            offer: None,
            is_fragment,
            options: (header - fixed) as u8,
        })
    }

    #[inline(always)]
    pub(super) const fn is(&self, class: Class) -> bool {
        self.class == class as u8
    }

    /// Whether it has options.
    #[inline(always)]
    pub const fn has_options(&self) -> bool {
        self.options != 0
    }

    #[inline(always)]
    pub(super) const fn is_syn(&self) -> bool {
        self.is(Class::Syn) || self.is(Class::SynAck)
    }

    #[inline(always)]
    pub(super) const fn is_reset(&self) -> bool {
        self.is(Class::Rst)
    }
}

/// Reads a segment but for its options, and refuses what is malformed or has flags that no stack sends
/// (`tcp_error`).
///
#[inline(always)]
pub(super) fn read<F: Frame + ?Sized>(
    segment: &mut Segment,
    frame: &F,
    ip: &Ip,
) -> Result<(), DropReason> {
    let Some(tcp) = frame.read::<Tcp>(ip.payload) else {
        return Err(DropReason::InvalidTransport);
    };
    *segment = Segment::of(&tcp, ip.payload_length, ip.fragment == Fragment::First)?;
    Ok(())
}

/// Reads a segment that [`Segment::later`] has read, of so many bytes behind the beginning of its header.
///
/// A subprogram of its own in the kernel, for its stack.
#[cfg_attr(target_arch = "bpf", inline(never))]
pub(super) fn read_again<F: Frame + ?Sized>(
    segment: &mut Segment,
    frame: &F,
    header: u32,
    length: u32,
) -> bool {
    let tcp = frame.read::<Tcp>(header);
    match tcp.and_then(|tcp| Segment::later(&tcp, length)) {
        Some(later) => {
            *segment = later;
            true
        }
        None => false,
    }
}

/// Reads the options of a segment that has some.
///
/// A subprogram of its own in the kernel, for its stack.
#[cfg_attr(target_arch = "bpf", inline(never))]
pub(super) fn read_options<F: Frame + ?Sized>(
    segment: &mut Segment,
    frame: &F,
    ip: &Ip,
    cursor: &mut u32,
) {
    // Nothing lies farther; said once more for the kernel's verifier.
    let options = obscure(cursor, ip.payload + size_of::<Tcp>() as u32).min(FARTHEST);
    let end = options + segment.options as u32;
    if segment.is_syn() {
        segment.offer = Some(offer(frame, options, end, cursor));
    }
    segment.selected = highest_acknowledged(frame, options, end, segment.acknowledgement, cursor);
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
