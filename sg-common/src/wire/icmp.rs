//! ICMP (RFC 792) and ICMPv6 (RFC 4443, RFC 4861) headers and the types that the filter knows.

use crate::wire::addr::Family;
use crate::wire::{header, protocol};

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
        pub target: [u8; 16],
    }

    /// The redirect, without its options (RFC 4861 4.5).
    pub struct Redirect: 40 {
        /// Type, code, checksum, and four reserved bytes.
        pub header: Header,
        /// A better first hop.
        pub target: [u8; 16],
        /// For what.
        pub destination: [u8; 16],
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
    pub const MLD_DONE: u8 = 132;
    pub const ROUTER_SOLICITATION: u8 = 133;
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

/// A message that asks or answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Query {
    /// Type of the request, which names the query in both directions.
    pub request: u8,
    /// This message is the request.
    pub asks: bool,
}

/// Whether a protocol is the ICMP of the family. ICMPv6 in IPv4, or the reverse, is a protocol like any.
#[inline(always)]
pub const fn is_icmp(family: Family, protocol: u8) -> bool {
    match family {
        Family::V4 => protocol == protocol::ICMP,
        Family::V6 => protocol == protocol::ICMPV6,
    }
}

/// What query a message of its family's ICMP belongs to, by its type, if to any.
#[inline(always)]
pub const fn query(family: Family, kind: u8) -> Option<Query> {
    let (request, asks) = match (family, kind) {
        (Family::V4, v4::ECHO | v4::TIMESTAMP | v4::INFORMATION | v4::ADDRESS_MASK) => (kind, true),
        (Family::V4, v4::ECHO_REPLY) => (v4::ECHO, false),
        (Family::V4, v4::TIMESTAMP_REPLY | v4::INFORMATION_REPLY | v4::ADDRESS_MASK_REPLY) => {
            (kind - 1, false)
        }
        (Family::V6, v6::ECHO | v6::NODE_INFORMATION) => (kind, true),
        (Family::V6, v6::ECHO_REPLY | v6::NODE_INFORMATION_REPLY) => (kind - 1, false),
        _ => return None,
    };
    Some(Query { request, asks })
}
