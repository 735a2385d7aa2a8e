//! ARP (RFC 826).

use std::net::{IpAddr, Ipv4Addr};

use super::{Body, Packet};
use crate::mac::Mac;

/// Who has `target`? asked by `sender`, broadcast. An address conflict probe (RFC 5227) has the
/// sender 0.0.0.0, an announcement has sender and target alike.
#[must_use]
pub fn arp_request(sender: &str, target: &str) -> Packet {
    let (sender, target) = (v4(sender), v4(target));
    arp(1, sender, Mac::BROADCAST, Mac([0; 6]), target)
}

/// `sender` is at its MAC, told to `target` alone.
#[must_use]
pub fn arp_reply(sender: &str, target: &str) -> Packet {
    let (sender, target) = (v4(sender), v4(target));
    let target_mac = Mac::of(IpAddr::V4(target));
    arp(2, sender, target_mac, target_mac, target)
}

fn arp(operation: u8, sender: Ipv4Addr, to: Mac, target_mac: Mac, target: Ipv4Addr) -> Packet {
    let sender_mac = Mac::of(IpAddr::V4(sender));
    let payload = [
        [0, 1, 0x08, 0, 6, 4, 0, operation].as_slice(),
        &sender_mac.0,
        &sender.octets(),
        &target_mac.0,
        &target.octets(),
    ]
    .concat();
    Packet {
        source_mac: sender_mac,
        destination_mac: to,
        tags: Vec::new(),
        llc: Vec::new(),
        body: Body::Other {
            ether_type: 0x0806,
            payload,
        },
    }
}

fn v4(text: &str) -> Ipv4Addr {
    text.parse()
        .unwrap_or_else(|_| panic!("`{text}` is not an IPv4 address"))
}
