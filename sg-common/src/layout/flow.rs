//! A tracked connection: its key, written from the VM's side, and its 64 bytes of state.
//!
//! One connection of one port is one entry, whichever way a packet goes: the hook says which address is
//! local, so one look-up serves both directions and no two tuples can collide.

use bytemuck::{Pod, Zeroable};

use crate::hook::Hook;
use crate::layout::settings::{Ticks, passed};
use crate::layout::shared::shared;
use crate::wire::addr::{Address, Family, from_v4};
use crate::wire::icmp::is_icmp;

shared! {
    /// A connection of either family, and the key of the IPv6 tables. Addresses are mapped.
    pub struct FlowKey: 40 {
        /// Address of the VM.
        pub local: Address,
        /// Address of the other side.
        pub remote: Address,
        /// Port of the VM; the identifier of an ICMP query.
        pub local_port: u16,
        /// Port of the other side; type of the request and code of an ICMP query, as `type << 8 | code`.
        pub remote_port: u16,
        /// Whose it is, and of what kind.
        pub whose: Whose,
    }

    /// Key of the IPv4 tables: the same without what all mapped addresses have in common. An element of a hash
    /// of the kernel (`kernel/bpf/hashtab.c`) has 48 bytes of its own, so that with this key and its flow it
    /// is two cache lines.
    pub struct FlowKey4: 16 {
        /// Address of the VM.
        pub local: [u8; 4],
        /// Address of the other side.
        pub remote: [u8; 4],
        /// As in [`FlowKey`].
        pub local_port: u16,
        /// As in [`FlowKey`].
        pub remote_port: u16,
        /// As in [`FlowKey`].
        pub whose: Whose,
    }

    /// Value of the flow tables: nf_conntrack's tracker (`struct ip_ct_tcp`), expiry and generation. One
    /// cache line; arrays are by [`Side`].
    pub struct Flow: 64 {
        /// State and flags, changed only by compare-and-swap. See [`Word`].
        pub word: u64,
        /// When the entry ends; an entry found later is taken for absent.
        pub expires: Ticks,
        /// The port's generation when the rules last judged this connection.
        pub generation: u32,
        /// Highest sequence number sent, plus one; for UDP `[0]` is when it becomes a stream, for SCTP the
        /// verification tag that the side sends.
        pub end: [u32; 2],
        /// Highest sequence number that the other side's window lets this side send.
        pub max_end: [u32; 2],
        /// Largest window seen.
        pub max_window: [u32; 2],
        /// Highest acknowledgement sent.
        pub max_ack: [u32; 2],
        /// Sequence number of the last segment.
        pub last_sequence: u32,
        /// Acknowledgement of the last segment.
        pub last_ack: u32,
        /// End of the last segment.
        pub last_end: u32,
        /// Window of the last segment, not scaled.
        pub last_window: u16,
        /// Window scales, four bits a side.
        pub window_scales: u8,
        /// What the last ignored SYN offered, see [`crate::conntrack::tcp`].
        pub last_options: u8,
    }
}

/// Whose a connection is and of what kind, in one word: the port's slot (22 bits, the lowest), whether the VM asks
/// an ICMP query (both sides may use the same identifier), whether it is IPv6, and the upper-layer protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Pod, Zeroable)]
#[repr(transparent)]
pub struct Whose(u32);

impl Whose {
    /// The highest slot there can be.
    pub const LAST_SLOT: u32 = (1 << Self::ASKS) - 1;

    const ASKS: u32 = 22;
    const V6: u32 = 23;
    const PROTOCOL: u32 = 24;

    /// Of a connection of a slot's port. `vm_asks`: it is an ICMP query of the VM.
    #[inline(always)]
    pub const fn new(slot: u32, protocol: u8, family: Family, vm_asks: bool) -> Whose {
        let family = matches!(family, Family::V6) as u32;
        let asks = vm_asks as u32;
        Whose(slot | asks << Self::ASKS | family << Self::V6 | (protocol as u32) << Self::PROTOCOL)
    }

    /// The port's slot: connections of different ports never meet.
    #[inline(always)]
    pub const fn slot(self) -> u32 {
        self.0 & Self::LAST_SLOT
    }

    /// The upper-layer protocol.
    #[inline(always)]
    pub const fn protocol(self) -> u8 {
        (self.0 >> Self::PROTOCOL) as u8
    }

    /// The family.
    #[inline(always)]
    pub const fn family(self) -> Family {
        match self.0 >> Self::V6 & 1 {
            0 => Family::V4,
            _ => Family::V6,
        }
    }
}

impl FlowKey {
    /// The key of a connection: its addresses and ports by side, the VM's first. In words, see
    /// [`FlowKey::narrow`].
    #[inline(always)]
    pub const fn new(
        whose: Whose,
        [local, remote]: [Address; 2],
        [local_port, remote_port]: [u16; 2],
    ) -> FlowKey {
        let [a, b, c, d]: [u32; 4] = bytemuck::must_cast(local);
        let [e, f, g, h]: [u32; 4] = bytemuck::must_cast(remote);
        let ports: u32 = bytemuck::must_cast([local_port, remote_port]);
        bytemuck::must_cast([
            pair(a, b),
            pair(c, d),
            pair(e, f),
            pair(g, h),
            pair(ports, whose.0),
        ])
    }

    /// The port's slot.
    #[inline(always)]
    pub const fn slot(&self) -> u32 {
        self.whose.slot()
    }

    /// The upper-layer protocol.
    #[inline(always)]
    pub const fn protocol(&self) -> u8 {
        self.whose.protocol()
    }

    /// The family of the connection.
    #[inline(always)]
    pub const fn family(&self) -> Family {
        self.whose.family()
    }

    /// The type of the request and the code, if it is an ICMP query.
    pub const fn icmp_query(&self) -> Option<[u8; 2]> {
        match is_icmp(self.family(), self.protocol()) {
            true => Some(self.remote_port.to_be_bytes()),
            false => None,
        }
    }

    /// The key of the IPv4 tables. In words, as the kernel hashes it: words that were written in parts
    /// are read late.
    #[inline(always)]
    pub const fn narrow(&self) -> FlowKey4 {
        let words: [u32; size_of::<FlowKey>() / 4] = bytemuck::must_cast(*self);
        let [_, _, _, local, _, _, _, remote, ports, whose] = words;
        bytemuck::must_cast([pair(local, remote), pair(ports, whose)])
    }
}

/// Two halves, in the order in which they lie in memory.
#[inline(always)]
const fn pair(first: u32, second: u32) -> u64 {
    bytemuck::must_cast([first, second])
}

impl FlowKey4 {
    /// The connection.
    pub const fn widen(&self) -> FlowKey {
        FlowKey {
            local: from_v4(self.local),
            remote: from_v4(self.remote),
            local_port: self.local_port,
            remote_port: self.remote_port,
            whose: self.whose,
        }
    }
}

/// One of the two sides of a connection, as nf_conntrack counts them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Side {
    /// The side that opened the connection.
    Original = 0,
    /// The side that answers.
    Reply = 1,
}

impl Side {
    /// The other side.
    #[inline(always)]
    pub const fn other(self) -> Side {
        match self {
            Side::Original => Side::Reply,
            Side::Reply => Side::Original,
        }
    }

    #[inline(always)]
    pub(crate) const fn index(self) -> usize {
        self as usize & 1
    }
}

/// The state word: flags and small numbers below, a random nonce in the upper 24 bits. An entry's memory
/// may be given to another connection at any time; its nonce is then another and a swap fails instead of
/// corrupting.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Word(pub u64);

macro_rules! word_flags {
    ($($(#[$meta:meta])* $get:ident $set:ident $bit:literal,)*) => {
        impl Word {$(
            $(#[$meta])*
            #[inline(always)]
            pub const fn $get(self) -> bool { self.0 >> $bit & 1 != 0 }

            #[doc = concat!("Sets [`Word::", stringify!($get), "`].")]
            #[inline(always)]
            pub const fn $set(&mut self, value: bool) {
                self.0 = self.0 & !(1 << $bit) | (value as u64) << $bit;
            }
        )*}
    };
}

macro_rules! word_flags_by_side {
    ($($(#[$meta:meta])* $get:ident $set:ident $bit:literal,)*) => {
        impl Word {$(
            $(#[$meta])*
            #[inline(always)]
            pub const fn $get(self, side: Side) -> bool { self.0 >> ($bit + side as u64) & 1 != 0 }

            #[doc = concat!("Sets [`Word::", stringify!($get), "`].")]
            #[inline(always)]
            pub const fn $set(&mut self, side: Side, value: bool) {
                let bit = $bit + side as u64;
                self.0 = self.0 & !(1 << bit) | (value as u64) << bit;
            }
        )*}
    };
}

macro_rules! word_numbers {
    ($($(#[$meta:meta])* $get:ident $set:ident $bit:literal $width:literal,)*) => {
        impl Word {$(
            $(#[$meta])*
            #[inline(always)]
            pub const fn $get(self) -> u8 { (self.0 >> $bit & ((1 << $width) - 1)) as u8 }

            #[doc = concat!("Sets [`Word::", stringify!($get), "`].")]
            #[inline(always)]
            pub const fn $set(&mut self, value: u8) {
                let mask = ((1 << $width) - 1) << $bit;
                self.0 = self.0 & !mask | (value as u64) << $bit & mask;
            }
        )*}
    };
}

word_numbers! {
    /// State of the protocol's tracker.
    state set_state 0 4,
    /// Class of the last TCP segment, `TCP_*_SET` of nf_conntrack.
    last_class set_last_class 4 3,
    /// Identical TCP segments in a row, modulo 256 as nf_conntrack counts them.
    retransmissions set_retransmissions 32 8,
}

word_flags! {
    /// The last TCP segment came from the answering side; for SCTP, the last foreign heartbeat.
    last_from_reply set_last_from_reply 7,
    /// The VM opened the connection.
    from_vm set_from_vm 10,
    /// The other side has answered.
    seen_reply set_seen_reply 11,
    /// The connection is proven and lives in a table that no packet can evict.
    assured set_assured 12,
    /// The rules no longer permit the connection. Kept, because the other side could open it anew.
    revoked set_revoked 13,
    /// Both sides of a TCP connection opened it at once.
    simultaneous_open set_simultaneous_open 25,
    /// An ignored SYN may be answered by a challenge ACK (RFC 5961).
    expect_challenge_ack set_expect_challenge_ack 26,
    /// The VM has sent from its own MAC, and the pair was found allowed in this generation.
    source_vouched set_source_vouched 27,
    /// A heartbeat of SCTP had a foreign verification tag: another path may be taking over.
    foreign_heartbeat set_foreign_heartbeat 24,
}

word_flags_by_side! {
    /// The side sent the first FIN.
    close_initiated set_close_initiated 14,
    /// The side sent an INIT of SCTP. A bit of TCP's: no connection is both.
    init_sent set_init_sent 14,
    /// [`Flow::max_ack`] is known.
    max_ack_known set_max_ack_known 16,
    /// The side's window is not checked.
    liberal set_liberal 18,
    /// The side has sent data that was not acknowledged.
    unacknowledged set_unacknowledged 20,
    /// The side permits selective acknowledgements.
    sack_permitted set_sack_permitted 22,
    /// The side offers to scale windows.
    scaling set_scaling 28,
}

/// Where the nonce begins in a [`Word`].
const NONCE: u32 = 40;

impl Word {
    /// The word of an entry whose connection is over. Whoever stores a connection of the same key may
    /// take its place.
    pub const ENDED: Word = Word(0);

    /// The word of an entry that one CPU is about to remove or to replace. Nobody else touches it.
    pub const CLAIMED: Word = Word(1);

    /// The random part, 24 bits; 0 in the words of entries that hold no connection.
    #[inline(always)]
    pub const fn nonce(self) -> u32 {
        (self.0 >> NONCE) as u32
    }

    /// The word with another random part, of which the lower 24 bits count; it is never 0.
    #[inline(always)]
    pub const fn with_nonce(self, nonce: u32) -> Word {
        Word(self.without_nonce().0 | ((nonce | 1) as u64) << NONCE)
    }

    /// The word without its random part: what it says of the connection.
    #[inline(always)]
    pub const fn without_nonce(self) -> Word {
        Word(self.0 & ((1 << NONCE) - 1))
    }
}

impl Flow {
    /// A connection of which nothing is known yet but who opens it. Of the nonce the lower 24 bits count.
    #[inline(always)]
    pub const fn new(hook: Hook, generation: u32, nonce: u32) -> Flow {
        let mut word = Word(0).with_nonce(nonce);
        word.set_from_vm(matches!(hook, Hook::FromVm));
        Flow {
            word: word.0,
            expires: 0,
            generation,
            end: [0; 2],
            max_end: [0; 2],
            max_window: [0; 2],
            max_ack: [0; 2],
            last_sequence: 0,
            last_ack: 0,
            last_end: 0,
            last_window: 0,
            window_scales: 0,
            last_options: 0,
        }
    }

    /// The state word.
    #[inline(always)]
    pub const fn word(&self) -> Word {
        Word(self.word)
    }

    /// Whether the entry holds a connection at this moment: one that has expired is taken for absent.
    #[inline(always)]
    pub const fn lives(&self, now: Ticks) -> bool {
        self.word().nonce() != 0 && !passed(self.expires, now)
    }

    /// The side that sends at a hook.
    #[inline(always)]
    pub const fn side(&self, hook: Hook) -> Side {
        match self.word().from_vm() == matches!(hook, Hook::FromVm) {
            true => Side::Original,
            false => Side::Reply,
        }
    }

    /// How far the windows that a side announces are shifted.
    #[inline(always)]
    pub const fn window_scale(&self, side: Side) -> u8 {
        match side {
            Side::Original => self.window_scales & 15,
            Side::Reply => self.window_scales >> 4,
        }
    }

    /// Sets [`Flow::window_scale`], 0 to 14.
    #[inline(always)]
    pub const fn set_window_scale(&mut self, side: Side, scale: u8) {
        self.window_scales = match side {
            Side::Original => self.window_scales & 0xf0 | scale & 15,
            Side::Reply => self.window_scales & 15 | scale << 4,
        };
    }

    /// Changes the state word.
    #[inline(always)]
    pub fn change(&mut self, change: impl FnOnce(&mut Word)) {
        let mut word = self.word();
        change(&mut word);
        self.word = word.0;
    }
}

#[cfg(test)]
mod tests;
