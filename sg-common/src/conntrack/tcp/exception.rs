//! The footnotes of the state tables: SYNs on connections that were closed or opened unseen, and resets.

use super::options::Offer;
use super::segment::Segment;
use super::sequence::before;
use super::state::{Class, State};
use crate::layout::flow::{Flow, Side, Word};
use crate::layout::settings::{Settings, switch};

/// A SYN on a closed connection opens a new one if either side closed the old one properly, or this
/// side has just reset it.
#[inline(always)]
pub(super) fn reopens(word: Word, side: Side) -> bool {
    word.close_initiated(Side::Original)
        || word.close_initiated(Side::Reply)
        || (word.last_from_reply() == (side == Side::Reply)
            && word.last_class() == Class::Rst as u8)
}

/// Remembers a segment that is let through, because it may belong to a connection which the two sides
/// have opened unseen: the answer will tell.
#[inline(always)]
pub(super) fn note_ignored(flow: &mut Flow, side: Side, segment: &Segment) {
    let old = flow.word().state();
    flow.last_sequence = segment.sequence;
    flow.last_end = segment.end;
    flow.last_window = segment.window;
    if segment.is(Class::Syn) && side == Side::Original {
        flow.last_options = segment.offer.unwrap_or(Offer(0)).0;
        flow.change(|word| {
            word.set_simultaneous_open(false);
            word.set_expect_challenge_ack(old == State::LastAck as u8);
        });
    }
    if old == State::SynSent as u8 && segment.is(Class::Ack) && side == Side::Reply {
        flow.last_ack = segment.acknowledgement;
    }
    flow.change(|word| {
        word.set_last_class(segment.class);
        word.set_last_from_reply(side == Side::Reply);
    });
}

/// A SYN/ACK that answers an ignored SYN of the other side: the two have opened a new connection.
#[inline(always)]
pub(super) fn resynchronises(flow: &Flow, side: Side, segment: &Segment) -> bool {
    let word = flow.word();
    segment.is(Class::SynAck)
        && word.last_class() == Class::Syn as u8
        && word.last_from_reply() != (side == Side::Reply)
        && segment.acknowledgement == flow.last_end
}

/// Takes over what the ignored SYN said, and forgets what the answering side had sent.
#[inline(always)]
pub(super) fn resynchronise(flow: &mut Flow, side: Side) {
    let (answering, opening) = (side.index(), side.other().index());
    flow.end[opening] = flow.last_end;
    flow.max_end[opening] = flow.last_end;
    flow.max_window[opening] = (flow.last_window as u32).max(1);
    Offer(flow.last_options).note(flow, side.other());
    flow.end[answering] = 0;
    flow.max_end[answering] = 0;
    flow.max_window[answering] = 0;
    flow.max_ack[answering] = 0;
    Offer(0).note(flow, side);
    flow.change(|word| {
        word.set_liberal(side.other(), false);
        word.set_expect_challenge_ack(false);
    });
}

/// The ACK in LAST_ACK answers an ignored SYN (RFC 5961), not the last FIN.
#[inline(always)]
pub(super) fn is_challenge_ack(word: Word, side: Side, segment: &Segment) -> bool {
    word.state() == State::LastAck as u8
        && segment.is(Class::Ack)
        && word.last_from_reply() != (side == Side::Reply)
        && word.last_class() == Class::Syn as u8
        && word.expect_challenge_ack()
}

/// What a reset is to its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reset {
    /// It ends the connection, whatever the windows.
    Closes,
    /// It ends the connection, if it is in the window.
    ClosesInWindow,
    /// In sequence but not exactly: the receiver may challenge it, so the state stays.
    Suspected,
    /// Out of sequence.
    Invalid,
}

/// What a reset does to a connection (RFC 5961, as nf_conntrack reads it).
#[inline(always)]
pub(super) fn reset(flow: &Flow, side: Side, segment: &Segment, settings: &Settings) -> Reset {
    let word = flow.word();
    let old = word.state();
    // While closing, the tuple may have been used again already.
    if old >= State::FinWait as u8 && old <= State::Close as u8 {
        return Reset::Closes;
    }
    let other = side.other();
    let mut reset = Reset::ClosesInWindow;
    if word.max_ack_known(other) && word.last_class() != Class::Syn as u8 {
        let expected = flow.max_ack[other.index()];
        let established = old == State::Established as u8 && word.assured();
        if segment.sequence == 0 && !established {
            return Reset::ClosesInWindow;
        }
        if before(segment.sequence, expected) && !settings.has(switch::TCP_IGNORE_INVALID_RST) {
            return Reset::Invalid;
        }
        let continues = word.last_class() == Class::Ack as u8
            && word.last_from_reply() == (side == Side::Reply)
            && segment.sequence == flow.last_end;
        if !established || segment.sequence == expected || continues {
            return Reset::ClosesInWindow;
        }
        reset = Reset::Suspected;
    }
    match answers_ignored(flow, side, segment) {
        true => Reset::Closes,
        false => reset,
    }
}

/// The reset answers a SYN or an ACK that was let through, and may acknowledge what was not tracked.
#[inline(always)]
fn answers_ignored(flow: &Flow, side: Side, segment: &Segment) -> bool {
    let word = flow.word();
    let (class, from_reply) = (word.last_class(), word.last_from_reply());
    let syn = word.seen_reply() && class == Class::Syn as u8 && from_reply != (side == Side::Reply);
    let half_open = !word.assured() && class == Class::Ack as u8;
    let challenged = word.state() == State::SynSent as u8
        && class == Class::Ack as u8
        && from_reply
        && segment.sequence == flow.last_ack;
    (syn || half_open) && segment.acknowledgement == flow.last_end || challenged
}
