//! The footnotes of the state tables: SYNs on connections that were closed or opened unseen, and resets.

use super::segment::{Segment, before};
use super::state::{Class, State};
use crate::conntrack::Next;
use crate::flow::{Flow, Side, Word};

/// A SYN on a closed connection opens a new one if either side closed the old one properly, or this
/// side has just reset it.
#[inline(always)]
pub(super) fn reopens(word: Word, side: Side) -> bool {
    word.close_initiated(Side::Original)
        || word.close_initiated(Side::Reply)
        || (word.last_from_reply() == (side == Side::Reply)
            && word.last_class() == Class::Rst as u8)
}

/// Lets a segment through that may belong to a connection which the two sides have opened unseen, and
/// remembers it: the answer will tell.
#[inline(always)]
pub(super) fn ignore(flow: &mut Flow, side: Side, segment: &Segment, old: u8) -> Next {
    flow.change(|word| {
        word.set_last_class(segment.class as u8);
        word.set_last_from_reply(side == Side::Reply);
        if segment.class == Class::Syn && side == Side::Original && old == State::LastAck as u8 {
            word.set_expect_challenge_ack(true);
        }
    });
    flow.last_sequence = segment.sequence;
    flow.last_end = segment.end;
    flow.last_window = segment.window;
    if old == State::SynSent as u8 && segment.class == Class::Ack && side == Side::Reply {
        flow.last_ack = segment.acknowledgement;
    }
    Next::Keep
}

/// A SYN/ACK that answers an ignored SYN of the other side: the two have opened a new connection.
#[inline(always)]
pub(super) fn resynchronises(flow: &Flow, side: Side, segment: &Segment) -> bool {
    let word = flow.word();
    segment.class == Class::SynAck
        && word.last_class() == Class::Syn as u8
        && word.last_from_reply() != (side == Side::Reply)
        && segment.acknowledgement == flow.last_end
}

/// Takes over what the ignored SYN said.
#[inline(always)]
pub(super) fn resynchronise(flow: &mut Flow, side: Side) {
    let (answering, opening) = (side.index(), side.other().index());
    flow.end[opening] = flow.last_end;
    flow.max_end[opening] = flow.last_end;
    flow.max_window[opening] = (flow.last_window as u32).max(1);
    flow.end[answering] = 0;
    flow.max_end[answering] = 0;
    flow.max_window[answering] = 0;
    flow.max_ack[answering] = 0;
    flow.change(|word| {
        word.set_expect_challenge_ack(false);
        for side in [Side::Original, Side::Reply] {
            word.set_close_initiated(side, false);
            word.set_max_ack_known(side, false);
            word.set_liberal(side, false);
            word.set_unacknowledged(side, false);
        }
    });
}

/// The ACK in LAST_ACK answers an ignored SYN (RFC 5961), not the last FIN.
#[inline(always)]
pub(super) fn is_challenge_ack(word: Word, side: Side, segment: &Segment, old: u8) -> bool {
    old == State::LastAck as u8
        && segment.class == Class::Ack
        && word.last_from_reply() != (side == Side::Reply)
        && word.last_class() == Class::Syn as u8
        && word.expect_challenge_ack()
}

pub(super) enum Reset {
    /// The connection ends.
    Closes,
    /// In sequence but not exactly: the receiver may challenge it, so the state stays.
    Suspected,
    /// Out of sequence.
    Invalid,
}

/// What a reset does to a connection (RFC 5961, as nf_conntrack reads it).
#[inline(always)]
pub(super) fn reset(flow: &Flow, side: Side, segment: &Segment, old: u8) -> Reset {
    let word = flow.word();
    // While closing, the tuple may have been used again already.
    if old >= State::FinWait as u8 && old <= State::Close as u8 {
        return Reset::Closes;
    }
    let other = side.other();
    if !word.max_ack_known(other) || word.last_class() == Class::Syn as u8 {
        return Reset::Closes;
    }
    let expected = flow.max_ack[other.index()];
    let established = old == State::Established as u8 && word.assured();
    if segment.sequence == 0 && !established {
        return Reset::Closes;
    }
    if before(segment.sequence, expected) {
        return Reset::Invalid;
    }
    let continues = word.last_class() == Class::Ack as u8
        && word.last_from_reply() == (side == Side::Reply)
        && segment.sequence == flow.last_end;
    match !established || segment.sequence == expected || continues {
        true => Reset::Closes,
        false => Reset::Suspected,
    }
}
