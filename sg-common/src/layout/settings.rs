//! What an operator can set, as the kernel reads it.

use crate::layout::capacity;
use crate::layout::shared::shared;
use crate::wire::ethernet::is_length;

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
    pub struct Settings: 184 {
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
        /// ICMP queries.
        pub icmp: Ticks,
        /// ICMPv6 queries.
        pub icmpv6: Ticks,
        /// Every other protocol.
        pub generic: Ticks,
        /// GRE before an answer.
        pub gre: Ticks,
        /// GRE that was answered.
        pub gre_stream: Ticks,
        /// By SCTP state, in the order of `enum sctp_conntrack`
        /// (`include/uapi/linux/netfilter/nf_conntrack_sctp.h`).
        pub sctp: [Ticks; 10],
        /// First fragments, by family.
        pub fragments: [Ticks; 2],
        /// Retransmissions after which `tcp_max_retrans_timeout` holds.
        pub tcp_max_retrans: u32,
        /// What is on, see [`switch`].
        pub switches: u32,
        /// How many assured connections one port may have; by default a quarter of the IPv4 table, so that
        /// neither one port nor three can take it.
        pub assured_per_port: u32,
        /// The ethertypes that pass beside those of IP and ARP: [`ethertypes::ANY`] first, or these; 0 is
        /// none.
        pub ethertypes: [u16; ethertypes::MOST],
        /// Zero.
        pub reserved: [u32; 4],
    }
}

/// Values of [`Settings::ethertypes`].
pub mod ethertypes {
    /// How many there may be.
    pub const MOST: usize = 16;
    /// Every ethertype (IEEE has reserved this one).
    pub const ANY: u16 = 0xffff;
    /// All frames with a length in its place, by the number that OpenFlow has for them
    /// (`OFP_DL_TYPE_NOT_ETH_TYPE`).
    pub const LENGTH: u16 = 0x05ff;
}

/// Bits of [`Settings::switches`].
pub mod switch {
    /// TCP connections are picked up in the middle (`nf_conntrack_tcp_loose`).
    pub const TCP_LOOSE: u32 = 1 << 0;
    /// TCP segments must fit the windows (`nf_conntrack_tcp_be_liberal` = 0), but for connections that
    /// were picked up in the middle or have had a segment in fragments. Two CPUs that work on one
    /// connection at the same instant take no lock: each writes what its own segment has changed, so the
    /// windows may lag behind by a segment, and in rare cases a valid one is called invalid. Without
    /// this switch only a change of state that is lost so can do that, until the segment comes again.
    pub const TCP_STRICT: u32 = 1 << 1;
    /// Resets out of sequence are not invalid (`nf_conntrack_tcp_ignore_invalid_rst`).
    pub const TCP_IGNORE_INVALID_RST: u32 = 1 << 2;
    /// Invalid packets are dropped before the rules are asked, as Open vSwitch does.
    pub const DROP_INVALID: u32 = 1 << 3;
    /// A later fragment that comes before its first passes if the rules permit its whole protocol.
    pub const FRAGMENTS_UNORDERED: u32 = 1 << 4;
    /// Frames of a family that the port has no address of are not spoof-checked.
    pub const OTHER_FAMILY: u32 = 1 << 5;
    /// Tagged frames that belong to no subport pass, if the source MAC is the port's.
    pub const TAGGED: u32 = 1 << 6;
    /// The target of a neighbor advertisement from the VM is not checked.
    pub const ANY_NEIGHBOR: u32 = 1 << 7;
    /// Of ARP from the VM only the source MAC of the frame is checked.
    pub const ANY_ARP: u32 = 1 << 8;
    /// ICMPv6 from the VM that is neither neighbor discovery nor multicast listening needs a rule.
    pub const ICMPV6_RULES: u32 = 1 << 9;
    /// Somebody asked to be told of something ([`crate::layout::events`]): no setting of the operator's, but
    /// where the filter looks anyway.
    pub const EVENTS: u32 = 1 << 31;
    /// Somebody asked for the packets and bytes of connections ([`crate::layout::account`]): no setting either.
    pub const ACCOUNTS: u32 = 1 << 30;
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
        icmpv6: ticks(30),
        generic: ticks(600),
        gre: ticks(30),
        gre_stream: ticks(180),
        sctp: [
            ticks(10),  // none: never stored
            ticks(10),  // closed
            ticks(3),   // cookie_wait
            ticks(3),   // cookie_echoed
            ticks(210), // established
            ticks(3),   // shutdown_sent
            ticks(3),   // shutdown_recd
            ticks(3),   // shutdown_ack_sent
            ticks(30),  // heartbeat_sent
            ticks(210), // heartbeat_acked, no longer entered
        ],
        fragments: [ticks(30), ticks(60)],
        tcp_max_retrans: 3,
        switches: switch::TCP_LOOSE,
        assured_per_port: capacity::FLOWS4 / 4,
        ethertypes: {
            let mut any = [0; ethertypes::MOST];
            any[0] = ethertypes::ANY;
            any
        },
        reserved: [0; 4],
    };

    /// Turns one of [`switch`] on or off.
    pub const fn switch(&mut self, switch: u32, on: bool) {
        match on {
            true => self.switches |= switch,
            false => self.switches &= !switch,
        }
    }

    /// Whether an ethertype other than those of IP and ARP may pass.
    #[inline(always)]
    pub fn permits(&self, ethertype: u16) -> bool {
        let named = match is_length(ethertype) {
            true => ethertypes::LENGTH,
            false => ethertype,
        };
        let mut list = self.ethertypes.iter();
        list.any(|one| *one == named || *one == ethertypes::ANY)
    }

    /// Whether one of [`switch`] is on.
    #[inline(always)]
    pub const fn has(&self, switch: u32) -> bool {
        self.switches & switch != 0
    }
}

impl Default for Settings {
    fn default() -> Self {
        Settings::DEFAULT
    }
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
