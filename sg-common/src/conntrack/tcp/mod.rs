//! TCP, as `nf_conntrack_proto_tcp.c` tracks it with `nf_conntrack_tcp_be_liberal`: all state, every
//! footnote of the tables, the reset rules; windows are not checked.

mod exception;
mod observe;
mod segment;
mod state;

pub use state::State;

use crate::conntrack::Next;
use crate::flow::{Flow, Side};
use crate::frame::Frame;
use crate::packet::Ip;
use crate::reason::DropReason;
use crate::settings::{Settings, Ticks};
use exception::{Reset, ignore, is_challenge_ack, reopens, reset, resynchronise, resynchronises};
use observe::{enter, observe, timeout};
use segment::{Segment, segment};
use state::{Class, IGNORE, INVALID, table};

/// The first segment of a connection (`tcp_new`): a SYN, or with `tcp_loose` an ACK in the middle.
#[inline(always)]
pub fn first<F: Frame + ?Sized>(
    flow: &mut Flow,
    frame: &F,
    ip: &Ip,
    settings: &Settings,
) -> Result<Ticks, DropReason> {
    let segment = segment(frame, ip)?;
    let (state, max_end) = match segment.class {
        Class::Syn => (State::SynSent, segment.end),
        Class::Ack if settings.tcp_loose != 0 => (
            State::Established,
            segment.end.wrapping_add(segment.window as u32),
        ),
        _ => return Err(DropReason::InvalidTcpState),
    };
    flow.end[0] = segment.end;
    flow.max_end[0] = max_end;
    flow.max_window[0] = (segment.window as u32).max(1);
    if matches!(state, State::Established) {
        flow.change(|word| {
            for side in [Side::Original, Side::Reply] {
                word.set_liberal(side, true);
                word.set_sack_permitted(side, true);
            }
        });
    }
    observe(flow, Side::Original, &segment);
    enter(
        flow,
        Side::Original,
        &segment,
        State::None as u8,
        state as u8,
    );
    let timeout = timeout(flow, &segment, state as u8, settings);
    // Picked up and not answered yet: not for days.
    Ok(match state {
        State::Established => timeout.min(settings.tcp_unacknowledged),
        _ => timeout,
    })
}

/// A segment of a stored connection (`nf_conntrack_tcp_packet`).
#[inline(always)]
pub fn next<F: Frame + ?Sized>(
    flow: &mut Flow,
    side: Side,
    frame: &F,
    ip: &Ip,
    settings: &Settings,
) -> Next {
    let segment = match segment(frame, ip) {
        Ok(segment) => segment,
        Err(reason) => return Next::Invalid(reason),
    };
    let word = flow.word();
    let mut old = word.state();
    let mut new = (table(side, segment.class) >> (4 * old as u32) & 15) as u8;

    const SYN_SENT: u8 = State::SynSent as u8;
    const SYN_RECV: u8 = State::SynRecv as u8;
    const TIME_WAIT: u8 = State::TimeWait as u8;
    const CLOSE: u8 = State::Close as u8;
    const SYN_SENT2: u8 = State::SynSent2 as u8;
    match new {
        INVALID => return Next::Invalid(DropReason::InvalidTcpState),
        SYN_SENT if old >= TIME_WAIT => {
            if reopens(word, side) {
                return Next::Reopen;
            }
            return ignore(flow, side, &segment, old);
        }
        IGNORE if resynchronises(flow, side, &segment) => {
            resynchronise(flow, side);
            old = SYN_SENT;
            new = SYN_RECV;
        }
        IGNORE => return ignore(flow, side, &segment, old),
        TIME_WAIT if is_challenge_ack(word, side, &segment, old) => {
            flow.change(|word| word.set_expect_challenge_ack(false));
            return Next::Keep;
        }
        SYN_SENT2 => flow.change(|word| word.set_simultaneous_open(true)),
        SYN_RECV
            if word.simultaneous_open() && side == Side::Reply && segment.class == Class::Ack =>
        {
            new = State::Established as u8;
        }
        CLOSE if segment.class == Class::Rst => match reset(flow, side, &segment, old) {
            Reset::Closes => {}
            Reset::Suspected => new = old,
            Reset::Invalid => return Next::Invalid(DropReason::InvalidTcpReset),
        },
        _ => {}
    }
    accept(flow, side, &segment, old, new, settings)
}

/// The segment is taken: observe it, change state, and find out how long the connection lives.
#[inline(always)]
fn accept(
    flow: &mut Flow,
    side: Side,
    segment: &Segment,
    old: u8,
    new: u8,
    settings: &Settings,
) -> Next {
    const ESTABLISHED: u8 = State::Established as u8;
    observe(flow, side, segment);
    enter(flow, side, segment, old, new);
    let timeout = timeout(flow, segment, new, settings);
    let word = flow.word();
    if !word.seen_reply() {
        // `seen_reply` is set after the tracker, so this holds for the first answer too.
        if segment.class == Class::Rst {
            return Next::Delete;
        }
        if segment.class == Class::Syn && old == State::SynSent as u8 {
            return Next::Keep;
        }
        if new == ESTABLISHED {
            return Next::Refresh(timeout.min(settings.tcp_unacknowledged));
        }
    } else if new == ESTABLISHED && (old == State::SynRecv as u8 || old == ESTABLISHED) {
        flow.change(|word| word.set_assured(true));
    }
    Next::Refresh(timeout)
}

#[cfg(test)]
mod tests;
