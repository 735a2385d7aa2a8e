//! The chunks of a packet (RFC 9260 3.2), and the walk over them.

use crate::layout::shared::obscure;
use crate::wire::frame::{FARTHEST, Frame};
use crate::wire::ip::Ip;
use crate::wire::transport::{SctpChunk, SctpHeader, SctpInit};

pub(super) const DATA: u8 = 0;
pub(super) const INIT: u8 = 1;
pub(super) const INIT_ACK: u8 = 2;
pub(super) const HEARTBEAT: u8 = 4;
pub(super) const HEARTBEAT_ACK: u8 = 5;
pub(super) const ABORT: u8 = 6;
pub(super) const SHUTDOWN: u8 = 7;
pub(super) const SHUTDOWN_ACK: u8 = 8;
pub(super) const ERROR: u8 = 9;
pub(super) const COOKIE_ECHO: u8 = 10;
pub(super) const COOKIE_ACK: u8 = 11;
pub(super) const SHUTDOWN_COMPLETE: u8 = 14;

/// Stands for every type that the tracker does not know.
const OTHER: u8 = 15;

/// The flag of ABORT and SHUTDOWN COMPLETE that the verification tag is the sender's own (`T`).
const REFLECTED_TAG: u8 = 1;

/// Chunks that are followed, a bound for the kernel's verifier: a full Ethernet frame of messages shorter
/// than 20 bytes has more. A packet with more is invalid; nf_conntrack follows them all.
const MOST: u32 = 40;

/// Of these the first few are shown to the association: what has a meaning to it stands before the data
/// (RFC 9260 6.10). A packet with such a chunk farther behind is invalid.
pub(super) const MOST_SHOWN: u32 = 4;

/// A chunk.
pub(super) struct Chunk {
    /// Its type; [`OTHER`] for one that the tracker does not know.
    pub(super) kind: u8,
    /// The verification tag is the sender's own.
    pub(super) reflected_tag: bool,
    /// Its length with the header, without padding.
    pub(super) length: u32,
    /// Offset in the frame of what follows its header.
    pub(super) content: u32,
}

impl Chunk {
    /// The initiate tag of an INIT or INIT ACK, if the packet holds all of its fixed part.
    #[inline(always)]
    pub(super) fn initiate_tag<F: Frame + ?Sized>(
        &self,
        frame: &F,
        ip: &Ip,
        cursor: &mut u32,
    ) -> Option<u32> {
        let content = obscure(cursor, self.content);
        if content + size_of::<SctpInit>() as u32 > ip.payload + ip.payload_length {
            return None;
        }
        let init: SctpInit = frame.read(content)?;
        Some(u32::from_be_bytes(init.tag))
    }
}

/// Which types of chunks a packet has, a bit each.
#[derive(Clone, Copy)]
pub(super) struct Kinds(pub(super) u32);

impl Kinds {
    #[inline(always)]
    pub(super) const fn any(self, kinds: &[u8]) -> bool {
        self.0 & bits(kinds) != 0
    }

    /// Whether any of the chunks means something to the association.
    #[inline(always)]
    pub(super) const fn mean_something(self) -> bool {
        self.0 & MEANINGFUL != 0
    }

    #[inline(always)]
    pub(super) const fn only(self, kinds: &[u8]) -> bool {
        self.0 & !bits(kinds) == 0
    }
}

/// The chunks that mean something to the association.
const MEANINGFUL: u32 = bits(&[
    INIT,
    INIT_ACK,
    HEARTBEAT,
    HEARTBEAT_ACK,
    ABORT,
    SHUTDOWN,
    SHUTDOWN_ACK,
    ERROR,
    COOKIE_ECHO,
    COOKIE_ACK,
    SHUTDOWN_COMPLETE,
]);

#[inline(always)]
const fn bits(kinds: &[u8]) -> u32 {
    let mut bits = 0;
    let mut at = 0;
    while at < kinds.len() {
        bits |= 1 << kinds[at];
        at += 1;
    }
    bits
}

/// The types of a packet's chunks, if they may stand together (`do_basic_checks`): an INIT, INIT ACK or
/// SHUTDOWN COMPLETE stands alone, a COOKIE ECHO or COOKIE ACK first.
#[inline(always)]
pub(super) fn kinds<F: Frame + ?Sized>(
    frame: &F,
    ip: &Ip,
    cursor: &mut u32,
    kinds: &mut u32,
) -> Option<Kinds> {
    const ALONE: u32 = bits(&[INIT, INIT_ACK, SHUTDOWN_COMPLETE]);
    const FIRST: u32 = bits(&[COOKIE_ECHO, COOKIE_ACK]);
    let mut seen = 0;
    let mut at = FIRST_CHUNK;
    for index in 0..MOST {
        at = obscure(cursor, at);
        let Some(chunk) = chunk(frame, ip, at) else {
            return (seen != 0).then_some(Kinds(seen));
        };
        let bit = obscure(kinds, 1 << chunk.kind);
        let misplaced = index != 0 && ((seen | bit) & ALONE != 0 || bit & FIRST != 0);
        let unseen = index >= MOST_SHOWN && bit & MEANINGFUL != 0;
        if misplaced || unseen || chunk.length == 0 {
            return None;
        }
        seen = obscure(kinds, seen | bit);
        at += chunk.length.next_multiple_of(4);
    }
    match chunk(frame, ip, at) {
        Some(_) => None,
        None => Some(Kinds(seen)),
    }
}

/// Offset of the first chunk in the packet.
pub(super) const FIRST_CHUNK: u32 = size_of::<SctpHeader>() as u32;

/// The chunk at an offset in the packet, if there is one.
#[inline(always)]
pub(super) fn chunk<F: Frame + ?Sized>(frame: &F, ip: &Ip, at: u32) -> Option<Chunk> {
    let header = size_of::<SctpChunk>() as u32;
    if at > FARTHEST || at + header > ip.payload_length {
        return None;
    }
    let chunk: SctpChunk = frame.read(ip.payload + at)?;
    Some(Chunk {
        kind: if chunk.kind < OTHER {
            chunk.kind
        } else {
            OTHER
        },
        reflected_tag: chunk.flags & REFLECTED_TAG != 0,
        length: u16::from_be_bytes(chunk.length) as u32,
        content: ip.payload + at + header,
    })
}
