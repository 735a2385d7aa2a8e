//! ICMP and ICMPv6: queries, and errors that quote a packet (`nf_conntrack_proto_icmp.c`,
//! `nf_conntrack_proto_icmpv6.c`).

use crate::addr::Family;
use crate::frame::Frame;
use crate::hook::Hook;
use crate::packet::{Ip, Opening, Transport};
use crate::policy::protocol;
use crate::reason::DropReason;
use crate::settings::{Settings, Ticks};
use crate::wire::icmp::{Header, NdOption, Redirect, v4, v6};

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
        Family::V6 => opening.icmp_type() < v6::ECHO || opening.icmp_type() == v6::REDIRECT,
    }
}

/// Where the packet is that an error quotes. An ICMPv6 redirect has it in its first option, and must come
/// from a router of the link (`nf_conntrack_icmpv6_redirect`, RFC 4861 8.1).
#[inline(always)]
pub fn quotation<F: Frame + ?Sized>(frame: &F, ip: &Ip, kind: u8) -> Option<u32> {
    if matches!(ip.family, Family::V4) || kind != v6::REDIRECT {
        return Some(ip.payload + size_of::<Header>() as u32);
    }
    let option_at = ip.payload + size_of::<Redirect>() as u32;
    let (redirect, option) = (
        frame.read::<Redirect>(ip.payload)?,
        frame.read::<NdOption>(option_at)?,
    );
    let from_link = ip.hops == u8::MAX && ip.source[0] == 0xfe && ip.source[1] & 0xc0 == 0x80;
    let quotes = option.kind == NdOption::REDIRECTED_HEADER && option.length != 0;
    let whole = ip.payload_length >= (size_of::<Redirect>() + size_of::<NdOption>()) as u32;
    (from_link && quotes && whole && redirect.header.code == 0)
        .then_some(option_at + size_of::<NdOption>() as u32)
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
        Some(Query { asks: true, .. }) => Ok(lifetime(key.family(), settings)),
        _ => Err(DropReason::InvalidIcmp),
    }
}

/// How long a query lives after each of its packets.
#[inline(always)]
pub const fn lifetime(family: Family, settings: &Settings) -> Ticks {
    match family {
        Family::V4 => settings.icmp,
        Family::V6 => settings.icmpv6,
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
