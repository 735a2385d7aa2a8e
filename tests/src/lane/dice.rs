//! Random numbers, mostly where something changes.

use sg_common::hook::Hook;
use sg_common::layout::flow::{Flow, Side, Word};
use sg_common::layout::settings::{EXPIRY_STEP, Ticks};

use crate::parity::random::Random;

/// A stream of throws that a seed repeats.
#[derive(Clone, Debug)]
pub struct Dice(Random);

impl Dice {
    /// The stream of a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(Random::new(seed))
    }

    /// Any number.
    pub fn roll(&mut self) -> u32 {
        self.0.next() as u32
    }

    /// A number below `most`.
    pub fn below(&mut self, most: u32) -> u32 {
        self.roll() % most
    }

    /// True once in so many throws.
    pub fn one_in(&mut self, most: u32) -> bool {
        self.below(most) == 0
    }

    /// At or close to a number, or a window away from it.
    pub fn edge(&mut self, number: u32) -> u32 {
        match self.below(12) {
            0..5 => number,
            5 => number.wrapping_add(1),
            6 => number.wrapping_sub(1),
            7 => number.wrapping_add(self.below(2_000)),
            8 => number.wrapping_sub(self.below(2_000)),
            9 => number.wrapping_sub(66_000 + self.below(3)),
            10 => number.wrapping_add(65_535),
            _ => self.roll(),
        }
    }

    /// A TCP window, perhaps scaled.
    pub fn window(&mut self) -> u32 {
        match self.below(5) {
            0 => 0,
            1 => 1,
            2 => 65_535,
            3 => self.below(4_000),
            _ => self.roll() >> self.below(32),
        }
    }

    /// An entry: mostly of a connection that is established and lives.
    pub fn flow(&mut self, generation: u32, now: Ticks, is_tcp: bool) -> Flow {
        let nonce = self.roll() | 1;
        let mut flow = Flow::new(Hook::FromVm, generation, nonce);
        flow.word = self.word(nonce, is_tcp).0;
        let lasts = match self.below(6) {
            0 => 0,
            1 => 1,
            2 => EXPIRY_STEP,
            3 => self.below(1 << 16),
            _ => self.below(1 << 29),
        };
        flow.expires = now.wrapping_add(lasts);
        if self.one_in(15) {
            flow.generation = generation.wrapping_sub(1);
        }
        for side in 0..2 {
            flow.end[side] = self.roll();
            flow.max_end[side] = flow.end[side].wrapping_add(self.window());
            flow.max_window[side] = self.window();
        }
        for side in 0..2 {
            flow.max_ack[side] = self.edge(flow.end[1 - side]);
        }
        let side = self.below(2) as usize;
        flow.last_sequence = self.edge(flow.end[side]);
        flow.last_ack = self.edge(flow.end[1 - side]);
        flow.last_end = self.edge(flow.last_sequence);
        flow.last_window = self.window() as u16;
        flow.window_scales = if self.one_in(2) { 0 } else { self.roll() as u8 };
        if !is_tcp {
            flow.end[0] = self.edge(now);
        }
        flow
    }

    fn word(&mut self, nonce: u32, is_tcp: bool) -> Word {
        let mut word = Word(u64::from(self.roll())).with_nonce(nonce);
        word.set_state(match is_tcp && !self.one_in(8) {
            true => ESTABLISHED,
            false => self.below(10) as u8,
        });
        // Else it would be in another table.
        word.set_assured(true);
        word.set_seen_reply(!self.one_in(10));
        word.set_revoked(self.one_in(12));
        word.set_source_vouched(!self.one_in(6));
        for side in [Side::Original, Side::Reply] {
            word.set_liberal(side, self.one_in(4));
        }
        if self.one_in(2) {
            word.set_retransmissions(self.below(5) as u8);
        }
        word
    }
}

/// TCP's state of that name (`include/uapi/linux/netfilter/nf_conntrack_tcp.h`).
const ESTABLISHED: u8 = 3;
