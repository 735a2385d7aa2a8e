//! Packets and bytes of each connection, where somebody asks for them.
//!
//! An entry of a connection has no room for them, and few ask. Where they are asked for, a port has a table of
//! its own for them, which user space makes, reads and clears.

use crate::hook::Direction;
use crate::layout::shared::shared;

shared! {
    /// Value of a port's table in `accounts`, by [`crate::layout::flow::FlowKey`]; arrays are by
    /// [`Direction`]. A cache line.
    pub struct Account: 64 {
        /// Packets of all connections of these addresses and ports, since it is there. Never goes back.
        pub packets: [u64; 2],
        /// Bytes of them, with Ethernet headers.
        pub bytes: [u64; 2],
        /// What `packets` was when the present connection was opened; 0 if it was there before.
        pub former_packets: [u64; 2],
        /// What `bytes` was then.
        pub former_bytes: [u64; 2],
    }
}

impl Account {
    /// With the first packet that is counted.
    #[inline(always)]
    pub const fn begun(direction: Direction, bytes: u32) -> Account {
        let (one, bytes) = (1, bytes as u64);
        let (packets, bytes) = match direction {
            Direction::Ingress => ([one, 0], [bytes, 0]),
            Direction::Egress => ([0, one], [0, bytes]),
        };
        Account {
            packets,
            bytes,
            former_packets: [0; 2],
            former_bytes: [0; 2],
        }
    }

    /// Packets and bytes of the present connection, by [`Direction`].
    #[inline(always)]
    pub const fn present(&self) -> ([u64; 2], [u64; 2]) {
        let Account {
            packets: [in_packets, out_packets],
            bytes: [in_bytes, out_bytes],
            former_packets,
            former_bytes,
        } = self;
        (
            [
                in_packets.wrapping_sub(former_packets[0]),
                out_packets.wrapping_sub(former_packets[1]),
            ],
            [
                in_bytes.wrapping_sub(former_bytes[0]),
                out_bytes.wrapping_sub(former_bytes[1]),
            ],
        )
    }
}
