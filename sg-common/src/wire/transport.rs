//! What the filter reads of transport headers: TCP (RFC 9293), UDP (RFC 768), UDP-Lite (RFC 3828), SCTP
//! (RFC 9260), GRE (RFC 2637), and the two ports that all but GRE and DCCP (RFC 4340) begin with, which
//! are all that is read of DCCP.

use crate::wire::header;

header! {
    /// The two ports.
    pub struct Ports: 4 {
        /// Source port.
        pub source: [u8; 2],
        /// Destination port.
        pub destination: [u8; 2],
    }

    /// The header of UDP and UDP-Lite.
    pub struct Udp: 8 {
        /// The ports.
        pub ports: Ports,
        /// Length of header and data; for UDP-Lite, how much of them the checksum covers.
        pub length: [u8; 2],
        /// Checksum.
        pub checksum: [u8; 2],
    }

    /// The SCTP common header.
    pub struct SctpHeader: 12 {
        /// The ports.
        pub ports: Ports,
        /// Verification tag.
        pub tag: [u8; 4],
        /// Checksum.
        pub checksum: [u8; 4],
    }

    /// The header of an SCTP chunk.
    pub struct SctpChunk: 4 {
        /// Type.
        pub kind: u8,
        /// Flags, by type.
        pub flags: u8,
        /// Length with this header, without padding.
        pub length: [u8; 2],
    }

    /// The fixed part of INIT and INIT ACK.
    pub struct SctpInit: 16 {
        /// The verification tag that the other side is to send.
        pub tag: [u8; 4],
        /// Receive window.
        pub window: [u8; 4],
        /// Outbound and inbound streams.
        pub streams: [u8; 4],
        /// First transmission sequence number.
        pub sequence: [u8; 4],
    }

    /// The GRE header as version 1 has it.
    pub struct Gre: 8 {
        /// Flags and, in the lowest three bits, the version.
        pub flags_version: [u8; 2],
        /// Ethertype of the payload.
        pub protocol: [u8; 2],
        /// Length of the payload.
        pub length: [u8; 2],
        /// Which call of the receiver the packet belongs to.
        pub call_id: [u8; 2],
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
