//! Which rows of the rules have permitted what, by port: how often, and when last.
//!
//! The filter knows rows, not rules: a row is the union of the rules that name a peer. User space knows which
//! rules a row stands for, and takes away what was counted ([`crate::stage::policy`] asks the rows).

use crate::layout::shared::shared;

shared! {
    /// Key of the `hits` map: what a row has permitted to a port.
    pub struct HitKey: 32 {
        /// The policy.
        pub policy: u64,
        /// The peer whose row it is; 0 for anyone's.
        pub peer: u64,
        /// The port.
        pub slot: u32,
        /// First destination port (of ICMP type and code) of the range of the row that has permitted it, as far
        /// as [`FINE`] tells; 0 unless `way` is [`way::PORTS`].
        pub low: u16,
        /// Last one, included.
        pub high: u16,
        /// The protocol's number.
        pub protocol: u8,
        /// One of [`way`].
        pub way: u8,
        /// Zero.
        pub reserved: [u8; 6],
    }

    /// Value of the `hits` map.
    pub struct Hits: 16 {
        /// How often, since user space has taken it away last.
        pub count: u64,
        /// When last, in nanoseconds of `CLOCK_BOOTTIME`.
        pub last: u64,
    }
}

/// What of a row has permitted something.
pub mod way {
    /// Its bit for the whole protocol.
    pub const PROTOCOL: u8 = 0;
    /// Its destination ports.
    pub const PORTS: u8 = 1;
    /// Its pairs of source and destination ports.
    pub const PAIRS: u8 = 2;
}

/// A range of up to so many ports is told port by port, a longer one as a whole; of a set of ports, a word of
/// so many that are all in it is told as a whole. So what one row can be told as is bounded, whatever is sent:
/// two thousand at most, and mostly one for each port that a rule names.
pub const FINE: u16 = 64;

impl HitKey {
    /// Nothing has permitted anything.
    pub const NONE: HitKey = HitKey {
        policy: 0,
        peer: 0,
        slot: 0,
        low: 0,
        high: 0,
        protocol: 0,
        way: way::PROTOCOL,
        reserved: [0; 6],
    };

    /// Notes that a destination port was permitted within a range.
    #[inline(always)]
    pub const fn within(&mut self, low: u16, high: u16, port: u16) {
        self.way = way::PORTS;
        (self.low, self.high) = match high.wrapping_sub(low) < FINE {
            true => (port, port),
            false => (low, high),
        };
    }

    /// Notes that a destination port is in a set, whose word it is in is this.
    #[inline(always)]
    pub const fn in_word(&mut self, word: u64, port: u16) {
        self.way = way::PORTS;
        (self.low, self.high) = match word {
            u64::MAX => (port & !(FINE - 1), port | (FINE - 1)),
            _ => (port, port),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(note: impl Fn(&mut HitKey)) -> (u16, u16) {
        let mut key = HitKey::NONE;
        note(&mut key);
        (key.low, key.high)
    }

    #[test]
    fn short_ranges_are_told_port_by_port_and_long_ones_as_a_whole() {
        assert_eq!(told(|key| key.within(80, 80, 80)), (80, 80));
        assert_eq!(told(|key| key.within(8000, 8063, 8010)), (8010, 8010));
        assert_eq!(told(|key| key.within(8000, 8064, 8010)), (8000, 8064));
        assert_eq!(told(|key| key.within(0, u16::MAX, 22)), (0, u16::MAX));
    }

    #[test]
    fn of_a_set_words_that_are_all_in_it_are_told_as_a_whole() {
        assert_eq!(told(|key| key.in_word(1 << 16, 80)), (80, 80));
        assert_eq!(told(|key| key.in_word(u64::MAX, 30_001)), (29_952, 30_015));
        assert_eq!(
            told(|key| key.in_word(u64::MAX, u16::MAX)),
            (65_472, u16::MAX)
        );
    }
}
