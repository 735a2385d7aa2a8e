//! ICMP (RFC 792) and ICMPv6 (RFC 4443, RFC 4861) headers and the types that the filter knows.

use crate::addr::Address;
use crate::wire::header;

header! {
    /// The header that all messages share; queries have the identifier.
    pub struct Header: 8 {
        /// Type.
        pub kind: u8,
        /// Code.
        pub code: u8,
        /// Checksum.
        pub checksum: [u8; 2],
        /// Identifier of queries.
        pub id: [u8; 2],
        /// Sequence number of queries.
        pub sequence: [u8; 2],
    }

    /// The neighbor advertisement and solicitation (RFC 4861 4.3, 4.4).
    pub struct Neighbor: 24 {
        /// Type, code, checksum, flags.
        pub header: Header,
        /// The address asked for or advertised.
        pub target: Address,
    }

    /// The redirect, without its options (RFC 4861 4.5).
    pub struct Redirect: 40 {
        /// Type, code, checksum, and four reserved bytes.
        pub header: Header,
        /// A better first hop.
        pub target: Address,
        /// For what.
        pub destination: Address,
    }

    /// The redirected header option of neighbor discovery, without the packet (RFC 4861 4.6.3).
    pub struct NdOption: 8 {
        /// Type.
        pub kind: u8,
        /// Length in units of 8 bytes, with this header.
        pub length: u8,
        /// Zero.
        pub reserved: [u8; 6],
    }
}

impl NdOption {
    /// Type of the option that quotes the redirected packet.
    pub const REDIRECTED_HEADER: u8 = 4;
}

/// ICMP types.
pub mod v4 {
    #![expect(missing_docs, reason = "the names are IANA's")]
    pub const ECHO_REPLY: u8 = 0;
    pub const UNREACHABLE: u8 = 3;
    pub const SOURCE_QUENCH: u8 = 4;
    pub const REDIRECT: u8 = 5;
    pub const ECHO: u8 = 8;
    pub const TIME_EXCEEDED: u8 = 11;
    pub const PARAMETER_PROBLEM: u8 = 12;
    pub const TIMESTAMP: u8 = 13;
    pub const TIMESTAMP_REPLY: u8 = 14;
    pub const INFORMATION: u8 = 15;
    pub const INFORMATION_REPLY: u8 = 16;
    pub const ADDRESS_MASK: u8 = 17;
    pub const ADDRESS_MASK_REPLY: u8 = 18;
}

/// ICMPv6 types.
pub mod v6 {
    #![expect(missing_docs, reason = "the names are IANA's")]
    pub const ECHO: u8 = 128;
    pub const ECHO_REPLY: u8 = 129;
    pub const MLD_QUERY: u8 = 130;
    pub const MLD_REPORT: u8 = 131;
    pub const ROUTER_ADVERTISEMENT: u8 = 134;
    pub const NEIGHBOR_SOLICITATION: u8 = 135;
    pub const NEIGHBOR_ADVERTISEMENT: u8 = 136;
    pub const REDIRECT: u8 = 137;
    pub const NODE_INFORMATION: u8 = 139;
    pub const NODE_INFORMATION_REPLY: u8 = 140;
    pub const MLD2_REPORT: u8 = 143;
    pub const MULTICAST_ROUTER_ADVERTISEMENT: u8 = 151;
    pub const MULTICAST_ROUTER_SOLICITATION: u8 = 152;
}
