//! What is remembered of a segment, and how long the connection lives after it.

use super::segment::{Segment, before};
use super::state::{Class, State};
use crate::flow::{Flow, Side, Word};
use crate::settings::{Settings, Ticks};

/// Stores what the next segments are compared with.
#[inline(always)]
pub(super) fn observe(flow: &mut Flow, side: Side, segment: &Segment) {
    let (sender, receiver) = (side.index(), side.other().index());
    if flow.max_window[sender] == 0 {
        flow.end[sender] = segment.end;
        flow.max_end[sender] = segment.end;
    }
    let window = (segment.window as u32).max(1);
    if flow.max_window[sender] < window {
        flow.max_window[sender] = window;
    }
    let mut word = flow.word();
    if before(flow.end[sender], segment.end) {
        flow.end[sender] = segment.end;
        word.set_unacknowledged(side, true);
    }
    if segment.acknowledges {
        // An acknowledgement of what was never sent proves nothing.
        let sent =
            flow.max_window[receiver] == 0 || !before(flow.end[receiver], segment.acknowledgement);
        if sent
            && (!word.max_ack_known(side) || before(flow.max_ack[sender], segment.acknowledgement))
        {
            flow.max_ack[sender] = segment.acknowledgement;
            word.set_max_ack_known(side, true);
        }
        if segment.acknowledgement == flow.end[receiver] {
            word.set_unacknowledged(side.other(), false);
        }
    }
    if segment.class == Class::Ack {
        count_retransmission(flow, &mut word, side, segment);
    }
    flow.word = word.0;
}

/// Counts segments that are the same as the last one.
#[inline(always)]
fn count_retransmission(flow: &mut Flow, word: &mut Word, side: Side, segment: &Segment) {
    let repeated = word.last_from_reply() == (side == Side::Reply)
        && flow.last_sequence == segment.sequence
        && flow.last_ack == segment.acknowledgement
        && flow.last_end == segment.end
        && flow.last_window == segment.window;
    if repeated {
        word.set_retransmissions((word.retransmissions() + 1).min(3));
    } else {
        flow.last_sequence = segment.sequence;
        flow.last_ack = segment.acknowledgement;
        flow.last_end = segment.end;
        flow.last_window = segment.window;
        word.set_retransmissions(0);
    }
}

/// Changes to a state.
#[inline(always)]
pub(super) fn enter(flow: &mut Flow, side: Side, segment: &Segment, old: u8, new: u8) {
    flow.change(|word| {
        word.set_last_class(segment.class as u8);
        word.set_last_from_reply(side == Side::Reply);
        word.set_state(new);
        if old != new && new == State::FinWait as u8 {
            word.set_close_initiated(side, true);
        }
    });
}

/// How long the connection lives after this segment.
#[inline(always)]
pub(super) fn timeout(flow: &Flow, segment: &Segment, state: u8, settings: &Settings) -> Ticks {
    let word = flow.word();
    let by_state = by_state(settings, state);
    let unacknowledged = word.unacknowledged(Side::Original) || word.unacknowledged(Side::Reply);
    if word.retransmissions() as u32 >= settings.tcp_max_retrans
        && by_state > settings.tcp_max_retrans_timeout
    {
        settings.tcp_max_retrans_timeout
    } else if segment.class == Class::Rst {
        by_state_close(settings)
    } else if unacknowledged && by_state > settings.tcp_unacknowledged {
        settings.tcp_unacknowledged
    } else if flow.last_window == 0 && by_state > settings.tcp_max_retrans_timeout {
        settings.tcp_max_retrans_timeout
    } else {
        by_state
    }
}

#[inline(always)]
fn by_state(settings: &Settings, state: u8) -> Ticks {
    match settings.tcp.get(state as usize) {
        Some(timeout) => *timeout,
        None => by_state_close(settings),
    }
}

#[inline(always)]
fn by_state_close(settings: &Settings) -> Ticks {
    settings.tcp[State::Close as usize]
}
