//! What inventories and packets are made of.

use sg_common::hook::Direction;
use sg_common::wire::addr::Family;

use crate::model::PortProtocol;

/// The pieces that there are to choose from. Few, so that they meet.
#[derive(Debug)]
pub struct World {
    /// CIDRs of rules, pairs and address groups.
    pub nets: &'static [&'static str],
    /// The other sides of packets: the edges of the CIDRs.
    pub peers: &'static [&'static str],
    /// Fixed IPs.
    pub hosts: &'static [&'static str],
    /// Destination ports, of rules and of packets.
    pub ports: &'static [u16],
    /// Source ports, of rules and of packets.
    pub sources: &'static [u16],
    pub protocols: &'static [PortProtocol],
    pub families: &'static [Family],
    pub directions: &'static [Direction],
    /// Rules of a group, at most.
    pub rules: usize,
    /// How many of ten rules name no ports.
    pub portless: u32,
    /// How many of ten rules name source ports.
    pub paired: u32,
}

/// Everything there is, both families.
pub static BROAD: World = World {
    // Those of `::` hold the mapped form of IPv4, which must not make them hold IPv4.
    nets: &[
        "0.0.0.0/0",
        "10.0.0.0/8",
        "10.0.0.0/24",
        "10.0.0.0/30",
        "10.0.0.1/32",
        "10.0.0.2/32",
        "192.0.2.0/25",
        "::/0",
        "::/64",
        "::ffff:10.0.0.0/104",
        "2001:db8::/32",
        "2001:db8::/64",
        "2001:db8::1/128",
        "2001:db8::2/128",
    ],
    peers: &[
        "10.0.0.0",
        "10.0.0.1",
        "10.0.0.2",
        "10.0.0.3",
        "10.0.0.4",
        "10.0.1.0",
        "11.0.0.0",
        "192.0.2.127",
        "192.0.2.128",
        "::1",
        "::ffff:10.0.0.1",
        "2001:db8::1",
        "2001:db8::2",
        "2001:db8::3",
        "2001:db8:0:1::",
        "2001:db9::",
    ],
    hosts: &[
        "10.0.0.1",
        "10.0.0.2",
        "192.0.2.1",
        "2001:db8::1",
        "2001:db8::2",
    ],
    ports: &[1, 79, 80, 81, 443, 444, 1024, u16::MAX],
    sources: &[1, 53, 54, 40_000, u16::MAX],
    protocols: &[PortProtocol::Tcp, PortProtocol::Udp, PortProtocol::Sctp],
    families: &Family::ALL,
    directions: &Direction::ALL,
    rules: 3,
    portless: 4,
    paired: 2,
};

/// Little, so that a rule, a member and a packet nearly always meet.
pub static CROWDED: World = World {
    nets: &[
        "0.0.0.0/0",
        "10.0.0.0/8",
        "10.0.0.0/24",
        "10.0.0.0/30",
        "10.0.0.1/32",
        "10.0.0.2/32",
    ],
    peers: &["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.9", "10.1.0.0"],
    hosts: &["10.0.0.1", "10.0.0.2"],
    ports: &[80, 81, 443],
    sources: &[53, 54, 40_000],
    protocols: &[PortProtocol::Tcp],
    families: &[Family::V4],
    directions: &[Direction::Ingress],
    rules: 5,
    portless: 0,
    paired: 4,
};
