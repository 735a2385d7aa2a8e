//! What an operator can set, as the kernel reads it.

use crate::shared::shared;

/// A moment or a span: units of 2^20 ns (1.05 ms) of the monotonic clock, wrapping after 52 days and
/// compared modulo 2^32. A shift where milliseconds would be a division.
pub type Ticks = u32;

/// The shift from nanoseconds to [`Ticks`].
pub const TICK_SHIFT: u32 = 20;

/// Ticks in a number of seconds, rounded down.
pub const fn ticks(seconds: u64) -> Ticks {
    ((seconds * 1_000_000_000) >> TICK_SHIFT) as Ticks
}

/// Whole seconds in a number of ticks, rounded down.
pub const fn seconds(ticks: Ticks) -> u64 {
    ((ticks as u64) << TICK_SHIFT) / 1_000_000_000
}

/// An expiry is written again only when it moved by this much (about a second): most packets of a
/// connection then leave it untouched.
pub const EXPIRY_STEP: Ticks = ticks(1);

shared! {
    /// Value of the `settings` map: one element. The names and defaults are those of nf_conntrack's
    /// sysctls (`Documentation/networking/nf_conntrack-sysctl.rst`); spans are [`Ticks`].
    pub struct Settings: 112 {
        /// By TCP state, see [`crate::conntrack::tcp::State`].
        pub tcp: [Ticks; 10],
        /// TCP with data that is not acknowledged, or picked up and not answered.
        pub tcp_unacknowledged: Ticks,
        /// TCP after too many retransmissions.
        pub tcp_max_retrans_timeout: Ticks,
        /// UDP before an answer.
        pub udp: Ticks,
        /// UDP that was answered and lasts.
        pub udp_stream: Ticks,
        /// ICMP and ICMPv6 queries.
        pub icmp: Ticks,
        /// Every other protocol.
        pub generic: Ticks,
        /// GRE before an answer.
        pub gre: Ticks,
        /// GRE that was answered.
        pub gre_stream: Ticks,
        /// First fragments, by family.
        pub fragments: [Ticks; 2],
        /// Retransmissions after which `tcp_max_retrans_timeout` holds.
        pub tcp_max_retrans: u32,
        /// 1: TCP connections are picked up in the middle.
        pub tcp_loose: u32,
        /// 1: invalid packets are dropped before the rules are asked, as Open vSwitch does.
        pub drop_invalid: u32,
        /// Zero.
        pub reserved: [u32; 5],
    }
}

impl Settings {
    /// nf_conntrack's defaults.
    pub const DEFAULT: Settings = Settings {
        tcp: [
            ticks(60),      // none: never stored
            ticks(120),     // syn_sent
            ticks(60),      // syn_recv
            ticks(432_000), // established
            ticks(120),     // fin_wait
            ticks(60),      // close_wait
            ticks(30),      // last_ack
            ticks(120),     // time_wait
            ticks(10),      // close
            ticks(120),     // syn_sent2
        ],
        tcp_unacknowledged: ticks(300),
        tcp_max_retrans_timeout: ticks(300),
        udp: ticks(30),
        udp_stream: ticks(120),
        icmp: ticks(30),
        generic: ticks(600),
        gre: ticks(30),
        gre_stream: ticks(180),
        fragments: [ticks(30), ticks(60)],
        tcp_max_retrans: 3,
        tcp_loose: 1,
        drop_invalid: 0,
        reserved: [0; 5],
    };
}

/// Whether a moment has come: `at` is not after `now`, compared modulo 2^32.
#[inline(always)]
pub const fn passed(at: Ticks, now: Ticks) -> bool {
    at.wrapping_sub(now) as i32 <= 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_timeout_is_within_half_the_clock() {
        assert!(ticks(432_000) < i32::MAX as u32);
        assert_eq!(seconds(ticks(432_000)), 431_999);
    }

    #[test]
    fn moments_compare_across_the_wrap() {
        assert!(passed(u32::MAX, 5));
        assert!(!passed(5, u32::MAX));
        assert!(passed(7, 7));
    }
}
