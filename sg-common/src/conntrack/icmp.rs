//! ICMP and ICMPv6: queries, and errors that quote a packet (`nf_conntrack_proto_icmp.c`,
//! `nf_conntrack_proto_icmpv6.c`).

use crate::addr::Family;
use crate::hook::Hook;
use crate::packet::{Opening, Transport};
use crate::policy::protocol;
use crate::reason::DropReason;
use crate::settings::{Settings, Ticks};
use crate::wire::icmp::{v4, v6};

/// A message that asks or answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Query {
    /// Type of the request, which names the query in both directions.
    pub request: u8,
    /// The VM asks.
    pub from_vm: bool,
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

/// What query a packet belongs to, if it is one.
#[inline(always)]
pub const fn query(
    family: Family,
    protocol: u8,
    hook: Hook,
    transport: &Transport,
) -> Option<Query> {
    if !is_icmp(family, protocol) || transport.cut_short {
        return None;
    }
    let kind = transport.icmp_type();
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
    Some(Query {
        request,
        from_vm: asks == matches!(hook, Hook::FromVm),
        asks,
    })
}

/// Whether a packet is an error that quotes another packet.
#[inline(always)]
pub const fn is_error(opening: &Opening) -> bool {
    if !is_icmp(opening.family(), opening.key.protocol) || opening.transport.cut_short {
        return false;
    }
    match opening.family() {
        Family::V4 => matches!(
            opening.icmp_type(),
            v4::UNREACHABLE
                | v4::SOURCE_QUENCH
                | v4::REDIRECT
                | v4::TIME_EXCEEDED
                | v4::PARAMETER_PROBLEM
        ),
        Family::V6 => opening.icmp_type() < v6::ECHO,
    }
}

/// Only a request opens a connection.
#[inline(always)]
pub const fn first(opening: &Opening, settings: &Settings) -> Result<Ticks, DropReason> {
    let Opening {
        key,
        hook,
        transport,
    } = opening;
    match query(key.family(), key.protocol, *hook, transport) {
        Some(Query { asks: true, .. }) => Ok(settings.icmp),
        _ => Err(DropReason::InvalidIcmp),
    }
}

/// ICMPv6 that is never tracked: multicast listeners, routers, neighbors.
#[inline(always)]
pub const fn is_untracked(opening: &Opening) -> bool {
    opening.is_icmpv6()
        && matches!(
            opening.icmp_type(),
            v6::MLD_QUERY
                ..=v6::NEIGHBOR_ADVERTISEMENT
                    | v6::MLD2_REPORT
                    | v6::MULTICAST_ROUTER_ADVERTISEMENT
                    | v6::MULTICAST_ROUTER_SOLICITATION
        )
}
