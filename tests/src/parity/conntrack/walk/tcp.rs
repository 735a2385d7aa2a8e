//! Random TCP.

use super::{Progress, Walker};
use crate::parity::conntrack::notation::{End, Packet, Value};

/// Mostly flags that stacks send.
const WORDS: &[&str] = &[
    "S", "S", "SA", "SA", "A", "A", "A", "A", "PA", "FA", "FA", "R", "R", "R", "RA", "RA", "F",
    ".", "SF", "SR", "FPU", "AU", "SU", "FAU", "RP", "SE", "SPA", "SEC", "AE", "U", "P", "RAP",
];

/// Around the edges that windows and exceptions have.
const OFFSETS: &[i64] = &[
    1,
    -1,
    10,
    -10,
    100,
    -100,
    1400,
    -1400,
    30_000,
    -30_000,
    65_535,
    -65_535,
    65_536,
    -65_536,
    -65_537,
    66_000,
    -66_001,
    -70_000,
    200_000,
    -200_000,
    5_000_000,
    -5_000_000,
    0x7fff_ffff,
    -0x7fff_ffff,
];

impl Walker {
    pub(super) fn tcp(&mut self, from: End) -> Packet {
        match self.random.percent(self.manners) {
            true => self.segment(from),
            false => self.rude_segment(from),
        }
    }

    /// What a TCP stack might send next.
    fn segment(&mut self, from: End) -> Packet {
        let theirs = self.ends[from.other() as usize];
        let me = &mut self.ends[from as usize];
        match (me.began, theirs.began) {
            (false, answers) => {
                me.began = true;
                self.syn(from, if answers { "SA" } else { "S" })
            }
            (true, false) => self.syn(from, "S"),
            (true, true) if me.ended && theirs.ended => self.segment_when_closed(from),
            (true, true) => self.segment_when_open(from),
        }
    }

    fn segment_when_open(&mut self, from: End) -> Packet {
        let random = &mut self.random;
        let segment = |word| Packet::new(from, word);
        match random.below(20) {
            0..7 => segment("A"),
            7..13 => segment("PA").with("len", Value::Is(random.pick(&[1, 100, 1400]))),
            13 => segment("A").with("seq", Value::Off(-1)),
            14 => segment("PA")
                .with("seq", Value::Off(-100))
                .with("len", Value::Is(100)),
            15 => segment("A").with("win", Value::Is(random.pick(&[0, 1, 1000]))),
            16 => self.syn(from, if from == self.opener { "S" } else { "SA" }),
            17 if random.percent(40) => segment(random.pick(&["R", "RA"])),
            _ if self.ends[from as usize].ended => segment("A"),
            _ => {
                self.ends[from as usize].ended = true;
                segment("FA")
            }
        }
    }

    /// The last acknowledgements, or the same tuple again.
    fn segment_when_closed(&mut self, from: End) -> Packet {
        match self.random.below(10) {
            0..4 => Packet::new(from, "A"),
            4 => Packet::new(from, "R"),
            5 => Packet::new(from, "FA").with("seq", Value::Off(-1)),
            _ => {
                self.ends = Default::default();
                self.ends[from as usize] = Progress {
                    began: true,
                    ended: false,
                };
                let further = Value::Off(self.random.pick(&[100_000, 7, -100_000]));
                self.syn(from, "S").with("seq", further)
            }
        }
    }

    /// A SYN or SYN/ACK with options as stacks have them.
    fn syn(&mut self, from: End, word: &str) -> Packet {
        let packet = Packet::new(from, word);
        match self.random.below(4) {
            0 => packet,
            1 => packet.with("ws", Value::Is(self.random.pick(&[0, 7, 14, 15]))),
            2 => packet.with("sackok", Value::On),
            _ => packet.with("ws", Value::Is(2)).with("sackok", Value::On),
        }
    }

    /// Anything.
    fn rude_segment(&mut self, from: End) -> Packet {
        let random = &mut self.random;
        let mut packet = Packet::new(from, random.pick(WORDS));
        packet = match random.below(100) {
            0..45 => packet.with("seq", Value::Off(random.pick(OFFSETS))),
            45..50 => packet.with("seq", Value::Is(random.pick(&[0, 0xffff_fff0]))),
            _ => packet,
        };
        packet = match random.below(100) {
            0..35 => packet.with("ack", Value::Off(random.pick(OFFSETS))),
            35..40 => packet.with("ack", Value::Is(0)),
            _ => packet,
        };
        if random.percent(25) {
            packet = packet.with("len", Value::Is(random.pick(&[1, 10, 100, 1400])));
        }
        if random.percent(15) {
            packet = packet.with("win", Value::Is(random.pick(&[0, 1, 100, 30_000])));
        }
        match random.below(100) {
            0..8 => packet.with("ts", Value::On),
            8..16 => packet
                .with("sackl", Value::Off(random.pick(&[1, 100, 70_000, -100])))
                .with("sackr", Value::Off(random.pick(&[200, 1000, 80_000, -50]))),
            16..20 => packet.with("ws", Value::Is(random.pick(&[0, 3, 14]))),
            20..22 => packet.with("doff", Value::Is(random.pick(&[0, 4, 6, 15]))),
            22 => packet.with("cut", Value::Is(random.pick(&[0, 4, 8, 13, 19]))),
            _ => packet,
        }
    }
}
