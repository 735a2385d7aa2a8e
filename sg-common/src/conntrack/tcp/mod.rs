//! TCP, as `nf_conntrack_proto_tcp.c` tracks it: every state, every footnote of the tables, the rules for
//! resets, the windows. Without `TCP_STRICT` a segment outside of the windows is taken all the same.

mod exception;
mod lifetime;
mod options;
mod segment;
mod sequence;
mod state;
mod window;

pub use state::State;

use crate::conntrack::next::{Next, Terms};
use crate::layout::flow::{Flow, Side};
use crate::layout::settings::{Settings, Ticks, switch};
use crate::layout::shared::obscure;
use crate::reason::DropReason;
use crate::wire::frame::Frame;
use crate::wire::ip::Ip;
use crate::wire::transport::Tcp;
use exception::{
    Reset, is_challenge_ack, note_ignored, reopens, reset, resynchronise, resynchronises,
};
use lifetime::{lifetime, shorten};
pub use segment::Segment;
use segment::{read_again, read_options};
use state::{Class, IGNORE, INVALID, answer};
use window::{Fit, begin, fit};

/// Room for what is read of a segment, and what is said of it: see [`obscure`].
#[derive(Clone, Copy, Debug)]
pub struct Room {
    segment: Segment,
    /// Why it is none.
    refused: Option<DropReason>,
    /// Where the walk over options is.
    cursor: u32,
    /// The state that the segment leads to.
    answer: Answer,
    /// What the segment is to its windows.
    fit: Fit,
}

impl Room {
    /// Nothing was read yet.
    pub const EMPTY: Room = Room {
        segment: Segment::EMPTY,
        refused: None,
        cursor: 0,
        answer: Answer::NONE,
        fit: Fit::Taken,
    };
}

/// The class of a segment that only acknowledges, as [`crate::layout::flow::Word::last_class`] has it.
pub const ACK_CLASS: u8 = Class::Ack as u8;

/// Reads a segment and its options. Before anything is known of its connection, because the kernel's verifier walks
/// through the turns of the walk over options once for all that is known when it comes here.
///
/// A subprogram of its own in the kernel, for its stack.
#[cfg_attr(target_arch = "bpf", inline(never))]
pub fn read<F: Frame + ?Sized>(room: &mut Room, frame: &F, ip: &Ip) {
    let Room {
        segment,
        refused,
        cursor,
        ..
    } = room;
    *refused = segment::read(segment, frame, ip).err();
    if refused.is_none() && segment.has_options() {
        read_options(segment, frame, ip, cursor);
    }
}

/// Whether a connection can begin with a segment that was [read](`read`) (`tcp_new`): a SYN, or with `TCP_LOOSE` an ACK
/// in the middle.
#[inline(always)]
pub fn opens(room: &Room, settings: &Settings) -> Result<(), DropReason> {
    if let Some(reason) = room.refused {
        return Err(reason);
    }
    let segment = &room.segment;
    match segment.is(Class::Syn) || segment.is(Class::Ack) && settings.has(switch::TCP_LOOSE) {
        true => Ok(()),
        false => Err(DropReason::InvalidTcpState),
    }
}

/// Begins a connection with a segment that it [can begin with](`opens`).
#[inline(always)]
pub fn first(flow: &mut Flow, room: &mut Room, settings: &Settings) -> Ticks {
    let segment = &mut room.segment;
    // Whoever is picked up in the middle may have agreed on selective acknowledgements.
    segment.highest = segment.selected;
    begin_with(flow, segment, settings)
}

/// A segment of a stored connection that was [read](`read`) (`nf_conntrack_tcp_packet`).
#[inline(always)]
pub fn next(flow: &mut Flow, room: &mut Room, side: Side, terms: &Terms<'_>) -> Next {
    if let Some(reason) = room.refused {
        return Next::Invalid(reason);
    }
    if flow.word().sack_permitted(side.other()) {
        room.segment.highest = room.segment.selected;
    }
    step(flow, side, room, terms.settings, terms.now)
}

/// Whether a connection is established; of one that is, the tables say so after every segment that only
/// acknowledges.
#[inline(always)]
pub const fn is_established(flow: &Flow) -> bool {
    flow.word().state() == State::Established as u8
}

/// Whether a segment's options are the timestamp and nothing else; its header is at an offset.
#[inline(always)]
pub fn has_only_timestamp<F: Frame + ?Sized>(frame: &F, header: u32, segment: &Segment) -> bool {
    let options = header + size_of::<Tcp>() as u32;
    options::is_timestamp(frame, options, segment.options as u32)
}

/// What [`next`] makes of an established and answered connection by a segment that only acknowledges, and
/// how long it then lives; `None` if the segment does not fit, and there is more to be said.
#[inline(always)]
pub fn acknowledged(
    flow: &mut Flow,
    side: Side,
    segment: &Segment,
    settings: &Settings,
) -> Option<Ticks> {
    if fit(flow, side, segment, settings) != Fit::Taken {
        return None;
    }
    match take(flow, side, segment, State::Established as u8, settings) {
        Next::Refresh(lifetime) => Some(lifetime),
        _ => None,
    }
}

/// What [`next`] makes of a connection by a segment that [`Segment::later`] has read and that has no options to
/// be read, and how long it then lives; `None` if there is more to be said.
///
/// Few segments come here, so it is read once more: the others do not wait until it is in memory.
#[inline(always)]
pub fn followed<F: Frame + ?Sized>(
    flow: &mut Flow,
    room: &mut Room,
    side: Side,
    frame: &F,
    (header, length): (u32, u32),
    terms: &Terms<'_>,
) -> Option<Ticks> {
    if !read_again(&mut room.segment, frame, header, length) {
        return None;
    }
    match step(flow, side, room, terms.settings, terms.now) {
        Next::Refresh(lifetime) => Some(lifetime),
        _ => None,
    }
}

/// A subprogram of its own in the kernel, like [`step`], for its stack.
#[cfg_attr(target_arch = "bpf", inline(never))]
fn begin_with(flow: &mut Flow, segment: &mut Segment, settings: &Settings) -> Ticks {
    let state = match segment.is(Class::Syn) {
        true => {
            segment.highest = segment.acknowledgement;
            begin(flow, Side::Original, segment);
            State::SynSent
        }
        false => {
            pick_up(flow, segment);
            State::Established
        }
    };
    // The first segment of a connection fits: a SYN by what it says, a later one because it is liberal.
    fit(flow, Side::Original, segment, settings);
    match take(flow, Side::Original, segment, state as u8, settings) {
        Next::Refresh(lifetime) => lifetime,
        // Nothing else is said of a first segment; such a connection would be over at once.
        _ => 0,
    }
}

/// Takes a connection in the middle: how its windows are scaled is not known, so they do not bind.
#[inline(always)]
fn pick_up(flow: &mut Flow, segment: &Segment) {
    let window = (segment.window as u32).max(1);
    flow.end[0] = segment.end;
    flow.max_end[0] = segment.end.wrapping_add(window);
    flow.max_window[0] = window;
    flow.change(|word| {
        for side in [Side::Original, Side::Reply] {
            word.set_liberal(side, true);
            word.set_sack_permitted(side, true);
        }
    });
}

#[cfg_attr(target_arch = "bpf", inline(never))]
fn step(flow: &mut Flow, side: Side, room: &mut Room, settings: &Settings, now: Ticks) -> Next {
    let Room {
        segment,
        answer: answered,
        fit: fitted,
        ..
    } = room;
    let word = flow.word();
    let old = word.state();
    let mut new = answer(side, segment.class, old);
    let mut checked = true;

    const SYN_SENT: u8 = State::SynSent as u8;
    const SYN_RECV: u8 = State::SynRecv as u8;
    const TIME_WAIT: u8 = State::TimeWait as u8;
    const CLOSE: u8 = State::Close as u8;
    const SYN_SENT2: u8 = State::SynSent2 as u8;
    if new == SYN_SENT && old >= TIME_WAIT {
        if reopens(word, side) {
            return Next::Reopen;
        }
        new = IGNORE;
    }
    match new {
        INVALID => return Next::Invalid(DropReason::InvalidTcpState),
        IGNORE if resynchronises(flow, side, segment) => {
            resynchronise(flow, side);
            if !flow.word().sack_permitted(side.other()) {
                segment.highest = segment.acknowledgement;
            }
            new = SYN_RECV;
        }
        IGNORE => {
            note_ignored(flow, side, segment);
            return Next::Keep;
        }
        TIME_WAIT if is_challenge_ack(word, side, segment) => {
            flow.change(|word| word.set_expect_challenge_ack(false));
            return Next::Keep;
        }
        SYN_SENT2 => flow.change(|word| word.set_simultaneous_open(true)),
        SYN_RECV if word.simultaneous_open() && side == Side::Reply && segment.is(Class::Ack) => {
            new = State::Established as u8;
        }
        CLOSE if segment.is_reset() => match reset(flow, side, segment, settings) {
            Reset::Closes => checked = false,
            Reset::ClosesInWindow => {}
            Reset::Suspected => new = old,
            Reset::Invalid => return Next::Invalid(DropReason::InvalidTcpReset),
        },
        _ => {}
    }
    let Answer { new, checked } = obscure(answered, Answer { new, checked });
    if checked {
        match obscure(fitted, fit(flow, side, segment, settings)) {
            Fit::Taken => {}
            Fit::Ignored => return Next::Keep,
            Fit::Outside => {
                shorten(flow, side, segment, settings, now);
                return Next::Invalid(DropReason::InvalidTcpWindow);
            }
        }
    }
    take(flow, side, segment, new, settings)
}

/// What the tables answer, with all their footnotes.
#[derive(Clone, Copy, Debug)]
struct Answer {
    /// The state.
    new: u8,
    /// If the segment fits the windows.
    checked: bool,
}

impl Answer {
    /// None yet.
    const NONE: Answer = Answer {
        new: 0,
        checked: true,
    };
}

/// The segment is taken: changes state, and finds out how long the connection lives.
#[inline(always)]
fn take(flow: &mut Flow, side: Side, segment: &Segment, new: u8, settings: &Settings) -> Next {
    const SYN_SENT: u8 = State::SynSent as u8;
    const SYN_RECV: u8 = State::SynRecv as u8;
    const ESTABLISHED: u8 = State::Established as u8;
    let old = flow.word().state();
    flow.change(|word| {
        word.set_last_class(segment.class);
        word.set_last_from_reply(side == Side::Reply);
        word.set_state(new);
        if old != new && new == State::FinWait as u8 {
            word.set_close_initiated(side, true);
        }
    });
    let lifetime = lifetime(flow, segment, new, settings);
    let word = flow.word();
    if !word.seen_reply() {
        // `seen_reply` is set after the tracker, so this holds for the first answer too.
        if segment.is_reset() {
            return Next::Delete;
        }
        if segment.is(Class::Syn) && old == SYN_SENT {
            return Next::Keep;
        }
        if new == ESTABLISHED {
            // Picked up and not answered yet: not for days.
            return Next::Refresh(lifetime.min(settings.tcp_unacknowledged));
        }
    } else if new == ESTABLISHED && matches!(old, SYN_RECV | ESTABLISHED) {
        flow.change(|word| word.set_assured(true));
    }
    Next::Refresh(lifetime)
}

#[cfg(test)]
mod tests;
