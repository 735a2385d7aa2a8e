//! IP addresses and CIDRs as Neutron writes them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::fault::Problem;
use sg_common::wire::addr::Family;

/// One host address.
pub(super) fn ip(field: &str, text: &str) -> Result<IpAddr, Problem> {
    text.trim().parse().map_err(|_| {
        Problem::new(
            field,
            format_args!("{text:?}"),
            "is not an IP address",
            "write one address, e.g. 10.0.0.5 or 2001:db8::5",
        )
    })
}

/// A CIDR, or an address standing for itself alone. Host bits are masked, as in Neutron's
/// `normalized_cidr`.
pub(super) fn cidr(field: &str, text: &str) -> Result<IpNet, Problem> {
    let text = text.trim();
    text.parse::<IpNet>()
        .or_else(|_| text.parse::<IpAddr>().map(IpNet::from))
        .map(|net| net.trunc())
        .map_err(|_| {
            Problem::new(
                field,
                format_args!("{text:?}"),
                "is not a CIDR",
                "write an address and its prefix length, e.g. 10.0.0.0/24 or 2001:db8::/64",
            )
        })
}

/// The family of a CIDR.
pub fn family(net: &IpNet) -> Family {
    match net {
        IpNet::V4(_) => Family::V4,
        IpNet::V6(_) => Family::V6,
    }
}

/// Whether the CIDR holds group (multicast) addresses: 224.0.0.0/4, ff00::/8.
/// The whole family counts as unicast, as in Neutron.
pub(super) fn is_multicast(net: &IpNet) -> bool {
    let multicast = match net {
        IpNet::V4(_) => IpNet::from(IPV4_MULTICAST),
        IpNet::V6(_) => IpNet::from(IPV6_MULTICAST),
    };
    net.prefix_len() > 0 && (net.contains(&multicast) || multicast.contains(net))
}

/// RFC 5771.
const IPV4_MULTICAST: Ipv4Net = Ipv4Net::new_assert(Ipv4Addr::new(224, 0, 0, 0), 4);
/// RFC 4291 2.7.
const IPV6_MULTICAST: Ipv6Net = Ipv6Net::new_assert(Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0), 8);

/// The CIDR that holds every address of a family.
pub fn everyone(family: Family) -> IpNet {
    match family {
        Family::V4 => Ipv4Net::default().into(),
        Family::V6 => Ipv6Net::default().into(),
    }
}
