//! Whether a segment is in the windows of its connection (`tcp_in_window`, after van Rooij, "Real
//! Stateful TCP Packet Filtering in IP Filter"), and what is remembered of one that is.
//!
//! A side sends from [`Flow::end`] up to [`Flow::max_end`]: what the other side has acknowledged and the
//! window it has announced. An acknowledgement is of what was sent, and not too old.

use super::segment::Segment;
use super::sequence::before;
use super::state::{Class, State};
use crate::layout::flow::{Flow, Side};
use crate::layout::settings::{Settings, switch};

/// Acknowledgements may be this much older than what was sent, or by a larger window.
const OLDEST_ACK: u32 = 66_000;

/// What a segment is to its windows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    /// Within, or taken all the same because its sender's window is not enforced.
    Taken,
    /// Too old, or a little too far: let through, but it moves nothing.
    Ignored,
    /// Beyond the window, or acknowledges what was never sent.
    Outside,
}

/// Fits a segment into the windows and remembers what it says.
///
/// Without `TCP_STRICT`, or if its sender is liberal, every segment is taken; one that does not fit is
/// still not remembered. That is nf_conntrack with `nf_conntrack_tcp_be_liberal`.
#[inline(always)]
pub(super) fn fit(flow: &mut Flow, side: Side, segment: &Segment, settings: &Settings) -> Fit {
    let (sender, receiver) = (side.index(), side.other().index());
    if segment.is_fragment {
        be_liberal(flow);
    }
    if begins(flow, side, segment) {
        begin(flow, side, segment);
        if segment.is(Class::Syn) && side == Side::Reply {
            return Fit::Taken;
        }
    } else if flow.max_window[sender] == 0 {
        join(flow, side, segment);
    }

    let (mut ack, mut highest) = (segment.acknowledgement, segment.highest);
    let acknowledges_nothing = segment.is_reset() && ack == 0;
    if !segment.acknowledges || acknowledges_nothing {
        ack = flow.end[receiver];
        highest = ack;
    }
    let (mut sequence, mut end) = (segment.sequence, segment.end);
    if segment.is_reset() && sequence == 0 && flow.word().state() == State::SynSent as u8 {
        // It answers the SYN.
        sequence = flow.end[sender];
        end = sequence;
    }

    let oldest = flow.end[receiver]
        .wrapping_sub(flow.max_window[sender].max(OLDEST_ACK))
        .wrapping_sub(1);
    let was_sent = !before(flow.end[receiver], highest);
    let ack_is_recent = before(oldest, highest);
    let receives = flow.max_window[receiver];
    let lowest = flow.end[sender].wrapping_sub(receives).wrapping_sub(1);
    let end_is_recent = before(lowest, end);

    let fit = if before(flow.max_end[sender], sequence) {
        let overshot = end.wrapping_sub(flow.max_end[sender]).wrapping_add(1);
        if end_is_recent && was_sent && ack_is_recent && overshot <= receives {
            // More than the window allowed; the receiver may take it, and then it acknowledges it.
            flow.end[sender] = end;
            flow.change(|word| word.set_unacknowledged(side, true));
            Fit::Ignored
        } else {
            Fit::Outside
        }
    } else if !was_sent {
        Fit::Outside
    } else if (receives != 0 && !end_is_recent) || !ack_is_recent {
        Fit::Ignored
    } else {
        remember(flow, side, segment, end, ack, highest);
        Fit::Taken
    };
    match settings.has(switch::TCP_STRICT) && !flow.word().liberal(side) {
        true => fit,
        false => Fit::Taken,
    }
}

/// Enforces the windows of neither side any more: there is no telling how long a fragmented segment is.
#[inline(always)]
fn be_liberal(flow: &mut Flow) {
    flow.change(|word| {
        word.set_liberal(Side::Original, true);
        word.set_liberal(Side::Reply, true);
    });
}

/// Whether a SYN is the side's first, or begins again with higher numbers (RFC 9293 3.5).
#[inline(always)]
fn begins(flow: &Flow, side: Side, segment: &Segment) -> bool {
    const SYN_SENT: u8 = State::SynSent as u8;
    const SYN_RECV: u8 = State::SynRecv as u8;
    let sender = side.index();
    let again =
        matches!(flow.word().state(), SYN_SENT | SYN_RECV) && before(flow.end[sender], segment.end);
    segment.is_syn() && (flow.max_window[sender] == 0 || again)
}

/// Takes a side's window and options from its SYN.
#[inline(always)]
pub(super) fn begin(flow: &mut Flow, side: Side, segment: &Segment) {
    let sender = side.index();
    flow.end[sender] = segment.end;
    flow.max_end[sender] = segment.end;
    flow.max_window[sender] = (segment.window as u32).max(1);
    if let Some(offer) = segment.offer {
        offer.note(flow, side);
    }
    let word = flow.word();
    let both_scale = word.scaling(Side::Original) && word.scaling(Side::Reply);
    if side == Side::Reply && !both_scale {
        flow.window_scales = 0;
    }
}

/// Takes a side's window from a segment in the middle.
#[inline(always)]
fn join(flow: &mut Flow, side: Side, segment: &Segment) {
    let (sender, receiver) = (side.index(), side.other().index());
    let window = ((segment.window as u32) << flow.window_scale(side)).max(1);
    flow.end[sender] = segment.end;
    flow.max_window[sender] = window;
    flow.max_end[sender] = segment.end.wrapping_add(window);
    if flow.max_window[receiver] == 0 {
        // What it acknowledges was sent, one must assume.
        flow.end[receiver] = segment.highest;
        flow.max_end[receiver] = segment.highest;
    } else if segment.highest == flow.end[receiver].wrapping_add(1) {
        // The answer to a keep-alive, it seems.
        flow.end[receiver] = segment.highest;
    }
}

/// Remembers a segment within the windows.
#[inline(always)]
fn remember(flow: &mut Flow, side: Side, segment: &Segment, end: u32, ack: u32, highest: u32) {
    let (sender, receiver) = (side.index(), side.other().index());
    let window = match segment.is_syn() {
        true => segment.window as u32,
        false => (segment.window as u32) << flow.window_scale(side),
    };
    let mut word = flow.word();
    let reaches = window.wrapping_add(highest.wrapping_sub(ack));
    if flow.max_window[sender] < reaches {
        flow.max_window[sender] = reaches;
    }
    if before(flow.end[sender], end) {
        flow.end[sender] = end;
        word.set_unacknowledged(side, true);
    }
    if segment.acknowledges && (!word.max_ack_known(side) || before(flow.max_ack[sender], ack)) {
        flow.max_ack[sender] = ack;
        word.set_max_ack_known(side, true);
    }
    if flow.max_window[receiver] != 0 && before(flow.max_end[sender], end) {
        let beyond = end.wrapping_sub(flow.max_end[sender]);
        flow.max_window[receiver] = flow.max_window[receiver].wrapping_add(beyond);
    }
    let allowed = highest.wrapping_add(window);
    if !before(allowed, flow.max_end[receiver]) {
        // A closed window may still be probed with one byte.
        flow.max_end[receiver] = allowed.wrapping_add((window == 0) as u32);
    }
    if ack == flow.end[receiver] {
        word.set_unacknowledged(side.other(), false);
    }
    if segment.is(Class::Ack) {
        let repeated = word.last_from_reply() == (side == Side::Reply)
            && flow.last_sequence == segment.sequence
            && flow.last_ack == ack
            && flow.last_end == end
            && flow.last_window == segment.window;
        word.set_retransmissions(match repeated {
            true => word.retransmissions().wrapping_add(1),
            false => 0,
        });
        word.set_last_from_reply(side == Side::Reply);
        flow.last_sequence = segment.sequence;
        flow.last_ack = ack;
        flow.last_end = end;
        flow.last_window = segment.window;
    }
    flow.word = word.0;
}
