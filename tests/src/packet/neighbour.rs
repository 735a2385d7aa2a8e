//! Neighbour discovery (RFC 4861).

use std::net::{IpAddr, Ipv6Addr};

use super::{Packet, icmp};
use crate::mac::Mac;

/// Who has `target`? asked by `source`, which is `::` when it looks for a duplicate (RFC 4862).
#[must_use]
pub fn neighbour_solicitation(source: &str, target: &str) -> Packet {
    let target = v6(target);
    let [.., a, b, c] = target.octets();
    let group = Ipv6Addr::from([0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, a, b, c]);
    let mut body = target.octets().to_vec();
    if !v6(source).is_unspecified() {
        body.extend(link_layer_option(1, Mac::of(IpAddr::V6(v6(source)))));
    }
    discovery(source, &group.to_string(), 135, &body)
}

/// `target` is at the MAC of that address; told by `source`, to all nodes, overriding.
#[must_use]
pub fn neighbour_advertisement(source: &str, target: &str) -> Packet {
    let target = v6(target);
    let mut body = target.octets().to_vec();
    body.extend(link_layer_option(2, Mac::of(IpAddr::V6(target))));
    discovery(source, "ff02::1", 136, &body).icmp_id(0x2000, 0)
}

/// A host looks for routers.
#[must_use]
pub fn router_solicitation(source: &str) -> Packet {
    discovery(source, "ff02::2", 133, &[])
}

/// `source` says that it is a router for the next half hour.
#[must_use]
pub fn router_advertisement(source: &str) -> Packet {
    let (hop_limit, seconds) = (64, 1800);
    discovery(source, "ff02::1", 134, &[0; 8]).icmp_id(hop_limit << 8, seconds)
}

fn discovery(source: &str, destination: &str, kind: u8, body: &[u8]) -> Packet {
    icmp(source, destination, kind, 0)
        .hop_limit(255)
        .payload(body)
}

fn link_layer_option(kind: u8, mac: Mac) -> Vec<u8> {
    [&[kind, 1], mac.0.as_slice()].concat()
}

fn v6(text: &str) -> Ipv6Addr {
    text.parse()
        .unwrap_or_else(|_| panic!("`{text}` is not an IPv6 address"))
}
