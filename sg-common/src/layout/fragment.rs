//! Datagrams in fragments, as the filter remembers them.

use crate::layout::settings::Ticks;
use crate::layout::shared::shared;
use crate::wire::addr::Address;

shared! {
    /// Key of the `fragments` map: one datagram in fragments.
    pub struct FragmentKey: 44 {
        /// The port.
        pub slot: u32,
        /// Identification, unique to the two addresses and, in IPv4, the protocol.
        pub id: u32,
        /// Source.
        pub source: Address,
        /// Destination.
        pub destination: Address,
        /// Type of the datagram's first header.
        pub protocol: u8,
        /// Direction, as [`crate::hook::Direction`].
        pub direction: u8,
        /// 4 or 6.
        pub family: u8,
        /// Zero.
        pub reserved: u8,
    }

    /// Value of the `fragments` map: the first fragment was accepted.
    pub struct FragmentValue: 12 {
        /// Until when the later ones are.
        pub expires: Ticks,
        /// The port's generation at that time.
        pub generation: u32,
        /// How many of the datagram's bytes are extension headers and transport header: what was judged.
        pub judged: u32,
    }
}
