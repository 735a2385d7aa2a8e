//! What the filter reads of transport headers: TCP (RFC 9293), UDP (RFC 768), and the two ports that
//! SCTP, DCCP and UDP-Lite begin with.

use crate::wire::header;

header! {
    /// The two ports.
    pub struct Ports: 4 {
        /// Source port.
        pub source: [u8; 2],
        /// Destination port.
        pub destination: [u8; 2],
    }

    /// The UDP header.
    pub struct Udp: 8 {
        /// The ports.
        pub ports: Ports,
        /// Length of header and data.
        pub length: [u8; 2],
        /// Checksum.
        pub checksum: [u8; 2],
    }

    /// The TCP header without options.
    pub struct Tcp: 20 {
        /// The ports.
        pub ports: Ports,
        /// Sequence number of the first byte.
        pub sequence: [u8; 4],
        /// Next byte expected from the other side.
        pub acknowledgement: [u8; 4],
        /// Header length in words, in the upper four bits.
        pub data_offset: u8,
        /// Flags, see [`tcp_flags`].
        pub flags: u8,
        /// Window, not scaled.
        pub window: [u8; 2],
        /// Checksum.
        pub checksum: [u8; 2],
        /// Urgent pointer.
        pub urgent: [u8; 2],
    }
}

/// Bits of [`Tcp::flags`].
pub mod tcp_flags {
    #![expect(missing_docs, reason = "the names are RFC 9293's")]
    pub const FIN: u8 = 0x01;
    pub const SYN: u8 = 0x02;
    pub const RST: u8 = 0x04;
    pub const PSH: u8 = 0x08;
    pub const ACK: u8 = 0x10;
    pub const URG: u8 = 0x20;
    pub const ECE: u8 = 0x40;
    pub const CWR: u8 = 0x80;
}
