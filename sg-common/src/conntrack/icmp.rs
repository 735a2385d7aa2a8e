//! ICMP and ICMPv6: queries, and errors that quote a packet (`nf_conntrack_proto_icmp.c`,
//! `nf_conntrack_proto_icmpv6.c`).

use crate::layout::settings::{Settings, Ticks};
use crate::packet::Opening;
use crate::reason::DropReason;
use crate::wire::addr::{Family, is_link_local_unicast};
use crate::wire::frame::Frame;
use crate::wire::icmp::{Header, NdOption, Query, Redirect, is_icmp, v4, v6};
use crate::wire::ip::Ip;

/// Whether a packet is an error that quotes another packet.
#[inline(always)]
pub const fn is_error(opening: &Opening) -> bool {
    is_icmp(opening.family(), opening.key.protocol())
        && !opening.transport.cut_short
        && is_error_type(opening.family(), opening.icmp_type())
}

/// Whether messages of a type of the family's ICMP are errors that quote another packet.
#[inline(always)]
pub const fn is_error_type(family: Family, kind: u8) -> bool {
    match family {
        Family::V4 => matches!(
            kind,
            v4::UNREACHABLE
                | v4::SOURCE_QUENCH
                | v4::REDIRECT
                | v4::TIME_EXCEEDED
                | v4::PARAMETER_PROBLEM
        ),
        Family::V6 => kind < v6::ECHO || kind == v6::REDIRECT,
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
    let from_link = ip.hops == u8::MAX && is_link_local_unicast(Family::V6, &ip.source);
    let quotes = option.kind == NdOption::REDIRECTED_HEADER && option.length != 0;
    let whole = ip.payload_length >= (size_of::<Redirect>() + size_of::<NdOption>()) as u32;
    (from_link && quotes && whole && redirect.header.code == 0)
        .then_some(option_at + size_of::<NdOption>() as u32)
}

/// Only a request opens a connection.
#[inline(always)]
pub const fn opens(opening: &Opening) -> Result<(), DropReason> {
    match opening.query() {
        Some(Query { asks: true, .. }) => Ok(()),
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
