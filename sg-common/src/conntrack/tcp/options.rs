//! The options that the tracker reads (`tcp_options`, `tcp_sack`): window scales and selective
//! acknowledgements (RFC 7323, RFC 2018).

use super::sequence::before;
use crate::layout::flow::{Flow, Side};
use crate::layout::shared::obscure;
use crate::wire::frame::Frame;

const END: u8 = 0;
const NO_OPERATION: u8 = 1;
const WINDOW_SCALE: u8 = 3;
const SACK_PERMITTED: u8 = 4;
const SACK: u8 = 5;

/// Bytes of options that a header has room for.
const ROOM: u32 = 40;

/// Options that are followed, those that only fill counted in; no stack sends so many. nf_conntrack
/// follows all that there is room for.
const MOST: u32 = 8;

/// The largest shift of a window (RFC 7323 2.3).
const MAX_SCALE: u8 = 14;

/// All the options of most segments of most connections: a timestamp.
const TIMESTAMP: [u8; 4] = [NO_OPERATION, NO_OPERATION, 8, 10];
const TIMESTAMP_LENGTH: u32 = 12;

/// What a SYN offers, in one byte: the shift of its windows in the lower four bits, and two flags.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Offer(pub(super) u8);

impl Offer {
    const SCALING: u8 = 0x10;
    const SACK_PERMITTED: u8 = 0x20;

    /// Notes the offer as that of a side, in place of all that was known of the side's flags.
    #[inline(always)]
    pub(super) fn note(self, flow: &mut Flow, side: Side) {
        flow.set_window_scale(side, self.0 & 15);
        flow.change(|word| {
            word.set_scaling(side, self.0 & Self::SCALING != 0);
            word.set_sack_permitted(side, self.0 & Self::SACK_PERMITTED != 0);
            word.set_close_initiated(side, false);
            word.set_max_ack_known(side, false);
            word.set_unacknowledged(side, false);
        });
    }
}

/// Reads what a SYN offers; the options are from one offset in the frame to another.
///
/// A subprogram of its own in the kernel, like [`selective`]: few segments need it.
#[cfg_attr(target_arch = "bpf", inline(never))]
pub(super) fn offer<F: Frame + ?Sized>(
    frame: &F,
    options: u32,
    end: u32,
    cursor: &mut u32,
) -> Offer {
    let mut offer = 0;
    each(frame, options, end, cursor, |cursor, kind, at, length| {
        if kind == SACK_PERMITTED && length == 2 {
            offer |= Offer::SACK_PERMITTED;
        } else if kind == WINDOW_SCALE && length == 3 {
            let [_, _, scale] = frame.read::<[u8; 3]>(at).unwrap_or([0; 3]);
            offer = offer & !15 | Offer::SCALING | scale.min(MAX_SCALE);
        }
        offer = obscure(cursor, offer.into()) as u8;
        true
    });
    Offer(offer)
}

/// Finds the highest sequence number that is acknowledged, selectively or not.
#[inline(always)]
pub(super) fn highest_acknowledged<F: Frame + ?Sized>(
    frame: &F,
    options: u32,
    end: u32,
    acknowledgement: u32,
    cursor: &mut u32,
) -> u32 {
    match is_timestamp(frame, options, end - options) {
        true => acknowledgement,
        false => selective(frame, options, end, acknowledgement, cursor),
    }
}

/// Whether options are the timestamp and nothing else, as all stacks align it.
#[inline(always)]
pub(super) fn is_timestamp<F: Frame + ?Sized>(frame: &F, options: u32, length: u32) -> bool {
    length == TIMESTAMP_LENGTH && frame.read::<[u8; 4]>(options) == Some(TIMESTAMP)
}

/// The first option of selective acknowledgements counts; it has up to four blocks.
#[cfg_attr(target_arch = "bpf", inline(never))]
fn selective<F: Frame + ?Sized>(
    frame: &F,
    options: u32,
    end: u32,
    acknowledgement: u32,
    cursor: &mut u32,
) -> u32 {
    let mut highest = acknowledgement;
    each(frame, options, end, cursor, |_, kind, at, length| {
        if kind != SACK || length < 10 || !(length - 2).is_multiple_of(8) {
            return true;
        }
        for block in 0..4 {
            let right_edge = 2 + block * 8 + 4;
            if right_edge + 4 > length {
                break;
            }
            if let Some(edge) = frame.read::<[u8; 4]>(at + right_edge) {
                let edge = u32::from_be_bytes(edge);
                if before(highest, edge) {
                    highest = edge;
                }
            }
        }
        false
    });
    highest
}

/// Calls `visit` with `cursor`, which it may use, and the kind of each option, where it is and how long it is, until it answers false or
/// the options end or make no sense.
#[inline(always)]
fn each<F: Frame + ?Sized>(
    frame: &F,
    options: u32,
    end: u32,
    cursor: &mut u32,
    mut visit: impl FnMut(&mut u32, u8, u32, u32) -> bool,
) {
    let room = end - options;
    let mut at = 0;
    for _ in 0..MOST {
        at = obscure(cursor, at);
        // A single byte at the end says nothing, whatever it is.
        if at >= ROOM || at + 2 > room {
            return;
        }
        let length = match frame.read::<[u8; 2]>(options + at) {
            None | Some([END, _]) => return,
            Some([NO_OPERATION, _]) => 1,
            Some([kind, length]) => {
                let length = length as u32;
                let fits = length >= 2 && length <= room - at;
                if !fits || !visit(cursor, kind, options + at, length) {
                    return;
                }
                length
            }
        };
        at += length;
    }
}
