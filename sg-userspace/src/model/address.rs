//! IP addresses and CIDRs as Neutron writes them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::fault::Problem;
use sg_common::wire::addr::Family;

/// An address that a host can have.
pub(super) fn ip(field: &str, text: &str) -> Result<IpAddr, Problem> {
    let text = text.trim();
    let ip: IpAddr = text.parse().map_err(|_| {
        let advice = "write one address, e.g. 10.0.0.5 or 2001:db8::5";
        unreadable(field, text, "is not an IP address", advice)
    })?;
    source(field, text, &ip.into())?;
    Ok(ip)
}

/// A CIDR, or an address standing for itself alone. Host bits are masked, as in Neutron's
/// `normalized_cidr`.
pub(super) fn cidr(field: &str, text: &str) -> Result<IpNet, Problem> {
    let text = text.trim();
    net(text).map(|net| net.trunc()).ok_or_else(|| {
        let advice = "write an address and its prefix length, e.g. 10.0.0.0/24 or 2001:db8::/64";
        unreadable(field, text, "is not a CIDR", advice)
    })
}

/// Addresses are read by the standard library, which takes no leading zeros.
fn net(text: &str) -> Option<IpNet> {
    let Some((address, length)) = text.split_once('/') else {
        return text.parse::<IpAddr>().ok().map(IpNet::from);
    };
    let is_plain = length.bytes().all(|digit| digit.is_ascii_digit()) && !leads_with_zero(length);
    let length = length.parse().ok().filter(|_| is_plain)?;
    IpNet::new(address.parse().ok()?, length).ok()
}

fn unreadable(field: &str, text: &str, problem: &str, advice: &str) -> Problem {
    let numbers = || text.split(['.', '/']);
    let is_decimal = numbers().all(|number| number.bytes().all(|digit| digit.is_ascii_digit()));
    let (problem, advice) = if is_decimal && numbers().any(leads_with_zero) {
        let problem = "has a number with a leading zero, which some read as octal";
        (problem, "write decimal numbers without leading zeros")
    } else {
        (problem, advice)
    };
    Problem::new(field, format_args!("{text:?}"), problem, advice)
}

fn leads_with_zero(number: &str) -> bool {
    number.len() > 1 && number.starts_with('0')
}

/// Refuses what no host has for its address, wholly. Neutron takes most of it, as it is; a prefix with
/// others among its addresses permits these, and as under iptables what else is in it.
pub(super) fn source(field: &str, text: &str, net: &IpNet) -> Result<(), Problem> {
    let within = NO_HOSTS.iter().find(|(none, _)| none.contains(net));
    within.map_or(Ok(()), |(_, what)| {
        let advice = "write unicast addresses that the VM has; 0.0.0.0/0 and ::/0 are any";
        let problem = format!("is {what}");
        Err(Problem::new(
            field,
            format_args!("{text:?}"),
            problem,
            advice,
        ))
    })
}

/// What no host has for its address.
const NO_HOSTS: [(IpNet, &str); 8] = [
    (v4([0; 4], 32), "the unspecified address"),
    // RFC 1122, 3.2.1.3.
    (v4([127, 0, 0, 0], 8), "a loopback address"),
    // RFC 5771.
    (v4([224, 0, 0, 0], 4), "multicast"),
    (v4([255; 4], 32), "the broadcast address"),
    // RFC 4291, 2.5.2, 2.5.3, 2.7 and 2.5.5.2.
    (v6([0; 8], 128), "the unspecified address"),
    (v6([0, 0, 0, 0, 0, 0, 0, 1], 128), "a loopback address"),
    (v6([0xff00, 0, 0, 0, 0, 0, 0, 0], 8), "multicast"),
    (
        v6([0, 0, 0, 0, 0, 0xffff, 0, 0], 96),
        "an IPv4 address in the form of IPv6",
    ),
];

const fn v4([a, b, c, d]: [u8; 4], length: u8) -> IpNet {
    IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), length))
}

const fn v6([a, b, c, d, e, f, g, h]: [u16; 8], length: u8) -> IpNet {
    IpNet::V6(Ipv6Net::new_assert(
        Ipv6Addr::new(a, b, c, d, e, f, g, h),
        length,
    ))
}

/// The family of a CIDR.
pub fn family(net: &IpNet) -> Family {
    match net {
        IpNet::V4(_) => Family::V4,
        IpNet::V6(_) => Family::V6,
    }
}

/// The CIDR that holds every address of a family.
pub fn everyone(family: Family) -> IpNet {
    match family {
        Family::V4 => Ipv4Net::default().into(),
        Family::V6 => Ipv6Net::default().into(),
    }
}
