//! How long a connection lives after a segment.

use super::segment::Segment;
use super::state::{Class, State};
use crate::layout::flow::{Flow, Side};
use crate::layout::settings::{Settings, Ticks, ticks};

/// How long a connection lives after a segment that was taken and led to a state.
#[inline(always)]
pub(super) fn lifetime(flow: &Flow, segment: &Segment, state: u8, settings: &Settings) -> Ticks {
    let word = flow.word();
    let by_state = by_state(settings, state);
    let unacknowledged = word.unacknowledged(Side::Original) || word.unacknowledged(Side::Reply);
    if word.retransmissions() as u32 >= settings.tcp_max_retrans
        && by_state > settings.tcp_max_retrans_timeout
    {
        settings.tcp_max_retrans_timeout
    } else if segment.is_reset() {
        settings.tcp[State::Close as usize]
    } else if unacknowledged && by_state > settings.tcp_unacknowledged {
        settings.tcp_unacknowledged
    } else if flow.last_window == 0 && by_state > settings.tcp_max_retrans_timeout {
        settings.tcp_max_retrans_timeout
    } else {
        by_state
    }
}

/// One by one: the kernel's verifier loses the bounds of an index on its way to the array.
#[inline(always)]
const fn by_state(settings: &Settings, state: u8) -> Ticks {
    let [
        none,
        sent,
        received,
        established,
        fin_wait,
        close_wait,
        last_ack,
        time_wait,
        close,
        sent2,
    ] = settings.tcp;
    match State::from_number(state) {
        State::None => none,
        State::SynSent => sent,
        State::SynRecv => received,
        State::Established => established,
        State::FinWait => fin_wait,
        State::CloseWait => close_wait,
        State::LastAck => last_ack,
        State::TimeWait => time_wait,
        State::Close => close,
        State::SynSent2 => sent2,
    }
}

/// A connection that has this much less to live is left alone by [`shorten`].
const SPARED: Ticks = ticks(120);

/// Both sides of an assured connection want it to end, but outside of the windows: it does not live for
/// days only because the tracker has lost step (`nf_tcp_handle_invalid`).
#[inline(always)]
pub(super) fn shorten(
    flow: &mut Flow,
    side: Side,
    segment: &Segment,
    settings: &Settings,
    now: Ticks,
) {
    let word = flow.word();
    if !word.assured() || !ends(segment.class) {
        return;
    }
    let from_reply = side == Side::Reply;
    if word.last_from_reply() == from_reply || !ends(word.last_class()) {
        flow.change(|word| {
            word.set_last_class(segment.class);
            word.set_last_from_reply(from_reply);
        });
        return;
    }
    let left = flow.expires.wrapping_sub(now);
    if left >= SPARED && left > settings.tcp_unacknowledged {
        flow.expires = now.wrapping_add(settings.tcp_unacknowledged);
    }
}

#[inline(always)]
const fn ends(class: u8) -> bool {
    class == Class::Fin as u8 || class == Class::Rst as u8
}
