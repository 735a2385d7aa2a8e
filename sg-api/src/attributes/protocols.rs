//! Names of protocols and their numbers, as Neutron knows them.

/// In the order in which Neutron tells them.
pub const PROTOCOLS: [(&str, u8); 25] = [
    ("ah", 51),
    ("dccp", 33),
    ("egp", 8),
    ("esp", 50),
    ("gre", 47),
    ("hopopt", 0),
    ("icmp", 1),
    ("igmp", 2),
    ("ip", 0),
    ("ipip", 4),
    ("ipv6-encap", 41),
    ("ipv6-frag", 44),
    ("ipv6-icmp", 58),
    ("icmpv6", 58),
    ("ipv6-nonxt", 59),
    ("ipv6-opts", 60),
    ("ipv6-route", 43),
    ("ospf", 89),
    ("pgm", 113),
    ("rsvp", 46),
    ("sctp", 132),
    ("tcp", 6),
    ("udp", 17),
    ("udplite", 136),
    ("vrrp", 112),
];

/// The number of a name, or of a number as a text.
pub fn number(protocol: &str) -> Option<u8> {
    let named = PROTOCOLS.iter().find(|(name, _)| *name == protocol);
    match named {
        Some((_, number)) => Some(*number),
        None => protocol.trim().parse().ok(),
    }
}

/// The pair by which Neutron takes protocols for the same. Two names of one number are not.
pub fn name_and_number(protocol: &str) -> (String, String) {
    if let Some((name, number)) = PROTOCOLS.iter().find(|(name, _)| *name == protocol) {
        return ((*name).into(), number.to_string());
    }
    // Of several names of a number Neutron takes the last.
    let named = PROTOCOLS
        .iter()
        .rfind(|(name, number)| number.to_string() == protocol && *name != "icmpv6");
    match named {
        Some((name, _)) => ((*name).into(), protocol.into()),
        None => (protocol.into(), protocol.into()),
    }
}
