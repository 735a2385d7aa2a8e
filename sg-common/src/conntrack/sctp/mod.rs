//! SCTP (`nf_conntrack_proto_sctp.c`): states by the chunks that both sides send, and the verification
//! tags by which a packet proves that it belongs to the association.

mod chunk;
mod state;

pub use state::State;

use crate::conntrack::next::Next;
use crate::layout::flow::{Flow, Side};
use crate::layout::settings::{Settings, Ticks};
use crate::layout::shared::obscure;
use crate::reason::DropReason;
use crate::wire::frame::Frame;
use crate::wire::ip::Ip;
use crate::wire::transport::SctpHeader;
use chunk::{
    ABORT, COOKIE_ACK, COOKIE_ECHO, Chunk, DATA, ERROR, FIRST_CHUNK, HEARTBEAT, HEARTBEAT_ACK,
    INIT, INIT_ACK, Kinds, MOST_SHOWN, SHUTDOWN, SHUTDOWN_ACK, SHUTDOWN_COMPLETE,
};
use state::{INVALID, after};

/// Room for what is read of a packet, and what is said of it: see [`obscure`].
#[derive(Clone, Copy, Debug)]
pub struct Room {
    /// Where the walk over chunks is.
    cursor: u32,
    /// The chunks that were seen; none in a packet that is malformed.
    kinds: u32,
    /// What they are to their association.
    shown: Shown,
}

impl Room {
    /// Nothing was read yet.
    pub const EMPTY: Room = Room {
        cursor: 0,
        kinds: 0,
        shown: Shown::Fits,
    };
}

/// Reads which chunks a packet has. Before anything is known of its association, because the kernel's verifier
/// walks through the many turns of this loop once for all that is known when it comes here.
///
/// A subprogram of its own in the kernel: most packets are not SCTP.
#[cfg_attr(target_arch = "bpf", inline(never))]
pub fn read<F: Frame + ?Sized>(room: &mut Room, frame: &F, ip: &Ip) {
    let Room { cursor, kinds, .. } = room;
    let seen = match ip.payload_length >= size_of::<SctpHeader>() as u32 {
        true => chunk::kinds(frame, ip, cursor, kinds),
        false => None,
    };
    *kinds = seen.map_or(0, |Kinds(seen)| seen);
}

/// Whether an association can begin with a packet that was [read](`read`) (`sctp_new`). Its chunks fit or not by the state that
/// those before them lead to, so `flow`, of which nothing is known yet, is begun by it.
#[inline(always)]
pub fn opens<F: Frame + ?Sized>(
    flow: &mut Flow,
    room: &mut Room,
    frame: &F,
    ip: &Ip,
) -> Result<(), DropReason> {
    match step(flow, Side::Original, frame, ip, room) {
        Shown::Fits => Ok(()),
        Shown::Ignored | Shown::Invalid => Err(DropReason::InvalidSctp),
    }
}

/// How long the association lives that [`opens`] has begun.
#[inline(always)]
pub fn first(flow: &Flow, settings: &Settings) -> Ticks {
    lifetime(settings, flow.word().state())
}

/// A packet of an association that was [read](`read`); the state is [`State::None`] before the first
/// (`nf_conntrack_sctp_packet`).
#[inline(always)]
pub fn next<F: Frame + ?Sized>(
    flow: &mut Flow,
    room: &mut Room,
    side: Side,
    frame: &F,
    ip: &Ip,
    settings: &Settings,
) -> Next {
    match step(flow, side, frame, ip, room) {
        Shown::Fits => Next::Refresh(lifetime(settings, flow.word().state())),
        Shown::Ignored => Next::Keep,
        Shown::Invalid => Next::Invalid(DropReason::InvalidSctp),
    }
}

/// How long an association lives in a state. One by one, as for TCP.
#[inline(always)]
const fn lifetime(settings: &Settings, state: u8) -> Ticks {
    let [
        none,
        closed,
        wait,
        echoed,
        established,
        sent,
        received,
        acknowledged,
        heartbeat,
        ..,
    ] = settings.sctp;
    match State::from_number(state) {
        State::None => none,
        State::Closed => closed,
        State::CookieWait => wait,
        State::CookieEchoed => echoed,
        State::Established => established,
        State::ShutdownSent => sent,
        State::ShutdownReceived => received,
        State::ShutdownAckSent => acknowledged,
        State::HeartbeatSent => heartbeat,
    }
}

struct Packet {
    /// Verification tag.
    tag: u32,
    kinds: Kinds,
}

/// Shows the chunks of a packet to its association, one after the other.
///
/// A subprogram of its own in the kernel: most packets are not SCTP.
#[cfg_attr(target_arch = "bpf", inline(never))]
fn step<F: Frame + ?Sized>(
    flow: &mut Flow,
    side: Side,
    frame: &F,
    ip: &Ip,
    room: &mut Room,
) -> Shown {
    let Room {
        cursor,
        kinds,
        shown,
    } = room;
    let header: SctpHeader = match frame.read(ip.payload) {
        Some(header) if ip.payload_length >= size_of::<SctpHeader>() as u32 => header,
        _ => return Shown::Invalid,
    };
    if *kinds == 0 {
        return Shown::Invalid;
    }
    let packet = Packet {
        tag: u32::from_be_bytes(header.tag),
        kinds: Kinds(*kinds),
    };
    if flow.word().state() == State::None as u8 && !begins(flow, &packet) {
        return Shown::Invalid;
    }
    if !packet.kinds.any(SPECIAL) && packet.tag != flow.end[side.index()] {
        return Shown::Invalid;
    }
    if !packet.kinds.mean_something() {
        return Shown::Fits;
    }
    let mut all = Shown::Fits;
    let mut at = FIRST_CHUNK;
    for _ in 0..MOST_SHOWN {
        at = obscure(cursor, at);
        let Some(chunk) = chunk::chunk(frame, ip, at) else {
            break;
        };
        let tag = match chunk.kind {
            INIT | INIT_ACK => match chunk.initiate_tag(frame, ip, cursor) {
                Some(tag) => tag,
                None => return Shown::Invalid,
            },
            _ => 0,
        };
        let refreshes = matches!(all, Shown::Fits);
        match obscure(shown, show(flow, side, &packet, &chunk, tag, refreshes)) {
            Shown::Fits => {}
            other => all = other,
        }
        all = obscure(shown, all);
        if matches!(all, Shown::Invalid) {
            break;
        }
        at += chunk.length.next_multiple_of(4);
    }
    all
}

/// Chunks with rules of their own for the verification tag.
const SPECIAL: &[u8] = &[
    INIT,
    SHUTDOWN_COMPLETE,
    COOKIE_ECHO,
    ABORT,
    SHUTDOWN_ACK,
    HEARTBEAT,
    HEARTBEAT_ACK,
];

/// Whether an association can begin with a packet; notes which tags it tells. Not with one out of the
/// blue that is to be discarded (RFC 9260 8.4), nor with data.
#[inline(always)]
fn begins(flow: &mut Flow, packet: &Packet) -> bool {
    const BEGIN: &[u8] = &[
        INIT,
        INIT_ACK,
        HEARTBEAT,
        HEARTBEAT_ACK,
        SHUTDOWN,
        SHUTDOWN_ACK,
        ERROR,
        COOKIE_ECHO,
    ];
    if packet.kinds.any(&[HEARTBEAT]) {
        flow.end[Side::Original.index()] = packet.tag;
    }
    if packet.kinds.any(&[SHUTDOWN_ACK]) {
        flow.end[Side::Reply.index()] = packet.tag;
    }
    packet.kinds.only(BEGIN)
}

/// What a chunk, or a packet, is to its association.
#[derive(Clone, Copy, Debug)]
enum Shown {
    /// It fits.
    Fits,
    /// Let through, but the association does not live longer by it.
    Ignored,
    /// It does not fit.
    Invalid,
}

#[inline(always)]
fn show(
    flow: &mut Flow,
    side: Side,
    packet: &Packet,
    chunk: &Chunk,
    initiate_tag: u32,
    refreshes: bool,
) -> Shown {
    let (sender, receiver) = (side.index(), side.other().index());
    let is_own = packet.tag == flow.end[sender];
    let fits = match chunk.kind {
        INIT => packet.tag == 0,
        ABORT | SHUTDOWN_COMPLETE => match chunk.reflected_tag {
            true => packet.tag == flow.end[receiver],
            false => is_own,
        },
        COOKIE_ECHO => is_own,
        COOKIE_ACK => {
            flow.change(|word| {
                word.set_init_sent(Side::Original, false);
                word.set_init_sent(Side::Reply, false);
            });
            true
        }
        HEARTBEAT | HEARTBEAT_ACK if flow.end[sender] == 0 => {
            flow.end[sender] = packet.tag;
            true
        }
        HEARTBEAT | HEARTBEAT_ACK if is_own => {
            flow.change(|word| word.set_foreign_heartbeat(false));
            true
        }
        HEARTBEAT | HEARTBEAT_ACK if packet.kinds.any(&[DATA]) || !refreshes => false,
        HEARTBEAT => {
            // Perhaps the other path of a host with several; its answer will tell.
            flow.change(|word| {
                word.set_foreign_heartbeat(true);
                word.set_last_from_reply(side == Side::Reply);
            });
            return Shown::Ignored;
        }
        HEARTBEAT_ACK => take_over(flow, side, packet.tag),
        _ => true,
    };
    let old = flow.word().state();
    let new = after(side, chunk.kind, old);
    if !fits || new == INVALID {
        return Shown::Invalid;
    }
    let mut shown = Shown::Fits;
    if chunk.kind == INIT {
        note_init(flow, side, initiate_tag, old);
        if old == State::Closed as u8 && new == old {
            // A repeated INIT, which could keep the entry for ever.
            shown = Shown::Ignored;
        }
    } else if chunk.kind == INIT_ACK {
        if !is_awaited(flow, side, initiate_tag) {
            return Shown::Invalid;
        }
        flow.end[receiver] = initiate_tag;
    }
    flow.change(|word| {
        word.set_state(new);
        if new == State::Established as u8 && old != new {
            word.set_assured(true);
        }
    });
    shown
}

/// The answer to a foreign heartbeat of the other side: its tag is this side's from now on.
#[inline(always)]
fn take_over(flow: &mut Flow, side: Side, tag: u32) -> bool {
    let word = flow.word();
    if !word.foreign_heartbeat() || word.last_from_reply() == (side == Side::Reply) {
        return false;
    }
    flow.change(|word| word.set_foreign_heartbeat(false));
    flow.end[side.index()] = tag;
    flow.end[side.other().index()] = 0;
    true
}

/// An INIT says which tag the other side is to send.
#[inline(always)]
fn note_init(flow: &mut Flow, side: Side, tag: u32, old: u8) {
    let receiver = side.other().index();
    // One that only repeats the tag is stale or a retransmission.
    if old == State::None as u8 || flow.end[receiver] != tag {
        flow.change(|word| {
            if word.init_sent(side) {
                word.set_init_sent(side.other(), false);
            }
            word.set_init_sent(side, true);
        });
    }
    flow.end[receiver] = tag;
}

/// Whether an INIT ACK may name the tag: none is known yet, the same one is, or the other side has begun
/// anew, but not both at once.
#[inline(always)]
fn is_awaited(flow: &Flow, side: Side, tag: u32) -> bool {
    let word = flow.word();
    let known = flow.end[side.other().index()];
    let collision = word.init_sent(side) && word.init_sent(side.other());
    known == tag || (!collision && (known == 0 || word.init_sent(side.other())))
}

#[cfg(test)]
mod tests;
