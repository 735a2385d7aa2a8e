//! Random rules that Neutron's API takes, and some of source ports, which only its agent does.

use super::world::{GROUPS, LISTS};
use crate::parity::random::Random;

const PORTS: [u16; 12] = [1, 22, 53, 67, 80, 81, 443, 546, 1000, 1024, 65_534, 65_535];

/// Ranges of source ports: those of conversations are from 20,000 to 40,000.
const SOURCES: [(u16, u16); 5] = [
    (20_000, 29_999),
    (30_000, 39_999),
    (25_000, 35_000),
    (53, 53),
    (1, 65_535),
];

/// CIDRs by family: so few that they nest and overlap. Two have host bits.
pub const PREFIXES: [[&str; 8]; 2] = [
    [
        "0.0.0.0/0",
        "10.0.0.0/24",
        "10.0.0.0/8",
        "10.1.2.3/16",
        "198.51.100.0/24",
        "198.51.100.7/32",
        "198.51.100.128/25",
        "10.0.0.6/31",
    ],
    [
        "::/0",
        "2001:db8::/64",
        "2001:db8::/32",
        "2001:db8:1::1/48",
        "2001:db8:ff::/64",
        "2001:db8:ff::7/128",
        "2001:db8:ff::8000/113",
        "fe80::/64",
    ],
];

/// The protocols that are used most: by name and number, with what they are.
const COMMON: [(&str, u8); 8] = [
    ("tcp", 6),
    ("tcp", 6),
    ("udp", 17),
    ("udp", 17),
    ("icmp", 1),
    ("sctp", 132),
    ("udplite", 136),
    ("dccp", 33),
];

/// All other ways of naming a protocol, for both families. 0 is any.
const RARE: [(&str, u8); 24] = [
    ("", 0),
    ("", 0),
    ("0", 0),
    ("any", 0),
    ("ip", 0),
    ("hopopt", 0),
    ("6", 6),
    ("17", 17),
    ("132", 132),
    ("gre", 47),
    ("47", 47),
    ("esp", 50),
    ("ah", 51),
    ("egp", 8),
    ("igmp", 2),
    ("ospf", 89),
    ("pgm", 113),
    ("rsvp", 46),
    ("vrrp", 112),
    ("4", 4),
    ("94", 94),
    ("253", 253),
    ("254", 254),
    ("255", 255),
];

/// Names that only a rule of IPv6 can have.
const RARE_V6: [(&str, u8); 10] = [
    ("ipv6-icmp", 58),
    ("icmpv6", 58),
    ("58", 58),
    ("ipv6-route", 43),
    ("ipv6-frag", 44),
    ("ipv6-opts", 60),
    ("ipv6-nonxt", 59),
    ("ipv6-encap", 41),
    ("43", 43),
    ("59", 59),
];

/// Whom a rule is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remote {
    Anyone,
    Prefix(&'static str),
    Group(&'static str),
    /// A1 or A2.
    Addresses(usize),
}

/// A rule, and what it aims at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// In the words of [`crate::inventory::Group::rule`].
    pub words: String,
    pub ingress: bool,
    pub v6: bool,
    /// Number of the protocol, that of ICMP by family; 0 for any.
    pub protocol: u8,
    /// Ports, or type and code of ICMP, where code 256 is any.
    pub range: Option<(u16, u16)>,
    pub remote: Remote,
}

impl Rule {
    pub fn random(random: &mut Random) -> Self {
        let (ingress, v6) = (random.percent(60), random.percent(45));
        let (name, mut protocol) = match random.below(100) {
            0..75 => random.pick(&COMMON),
            75..90 => random.pick(&RARE),
            _ if v6 => random.pick(&RARE_V6),
            _ => random.pick(&RARE),
        };
        if protocol == 1 && v6 {
            protocol = 58;
        }
        let range = range(random, protocol);
        let mut words = format!(
            "{} {} {name}",
            if ingress { "ingress" } else { "egress" },
            if v6 { "IPv6" } else { "IPv4" }
        );
        match range {
            Some((kind, 256)) if is_icmp(protocol) => words += &format!(" {kind}"),
            Some((kind, code)) if is_icmp(protocol) => words += &format!(" {kind}/{code}"),
            Some((low, high)) => words += &format!(" {low}-{high}"),
            None => {}
        }
        if has_ports(protocol) && random.percent(12) {
            let (low, high) = random.pick(&SOURCES);
            words += &format!(" sport {low}-{high}");
        }
        let remote = Remote::random(random, v6);
        words += &match remote {
            Remote::Anyone => String::new(),
            Remote::Prefix(cidr) => format!(" from {cidr}"),
            Remote::Group(name) => format!(" from group {name}"),
            Remote::Addresses(at) => format!(" from addresses {}", LISTS[at]),
        };
        Self {
            words,
            ingress,
            v6,
            protocol,
            range,
            remote,
        }
    }
}

impl Remote {
    fn random(random: &mut Random, v6: bool) -> Self {
        match random.below(100) {
            0..30 => Self::Anyone,
            30..65 => Self::Prefix(random.pick(&PREFIXES[usize::from(v6)])),
            65..88 => Self::Group(random.pick(&GROUPS)),
            _ => Self::Addresses(random.below(LISTS.len())),
        }
    }
}

fn range(random: &mut Random, protocol: u8) -> Option<(u16, u16)> {
    match protocol {
        number if has_ports(number) && random.percent(80) => {
            let (a, b) = (random.pick(&PORTS), random.pick(&PORTS));
            Some(match random.percent(50) {
                true => (a, a),
                false => (a.min(b), a.max(b)),
            })
        }
        1 if random.percent(70) => {
            let kind = random.pick(&[8, 0, 3, 11, 13, 5, 255]);
            Some((kind, random.pick(&[256, 256, 0, 1, 4])))
        }
        58 if random.percent(70) => {
            let kind = random.pick(&[128, 129, 1, 2, 137, 139, 255]);
            Some((kind, random.pick(&[256, 256, 0, 1, 4])))
        }
        _ => None,
    }
}

fn has_ports(protocol: u8) -> bool {
    matches!(protocol, 6 | 17 | 33 | 132 | 136)
}

/// Whether it is ICMP, of either family.
pub fn is_icmp(protocol: u8) -> bool {
    matches!(protocol, 1 | 58)
}
