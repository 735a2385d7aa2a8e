//! IP protocols by Neutron's names (`neutron_lib.constants.IP_PROTOCOL_MAP`) and by number.

use serde::Serialize;
use serde_json::Value;

use super::fault::Problem;
use sg_common::wire::addr::Family;

/// ICMP (RFC 792).
pub const ICMP: u8 = 1;
/// ICMPv6 (RFC 4443).
pub const ICMPV6: u8 = 58;

/// Neutron's names. `ip` and `hopopt` are number 0, which means any protocol.
const NAMES: [(&str, u8); 26] = [
    ("ah", 51),
    ("dccp", 33),
    ("egp", 8),
    ("esp", 50),
    ("gre", 47),
    ("hopopt", 0),
    ("icmp", ICMP),
    ("icmpv6", ICMPV6),
    ("igmp", 2),
    ("ip", 0),
    ("ipip", 4),
    ("ipv6-encap", 41),
    ("ipv6-frag", 44),
    ("ipv6-icmp", ICMPV6),
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
    ("any", 0),
];

/// The protocols of IPv6 that the API refuses on an IPv4 rule.
const IPV6_ONLY: [u8; 6] = [41, 43, 44, ICMPV6, 59, 60];

/// Extension headers of IPv6: the upper-layer protocol is what follows them, so none of them is
/// ever the protocol of a packet.
const IPV6_HEADERS: [u8; 3] = [43, 44, 60];

/// The protocols whose rules can name destination ports (`neutron.db.securitygroups_db`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the names are IANA's")]
pub enum PortProtocol {
    Tcp,
    Udp,
    Sctp,
    Dccp,
    Udplite,
}

impl PortProtocol {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Tcp, Self::Udp, Self::Sctp, Self::Dccp, Self::Udplite];

    /// The protocol's number.
    pub fn number(self) -> u8 {
        match self {
            Self::Tcp => 6,
            Self::Udp => 17,
            Self::Sctp => 132,
            Self::Dccp => 33,
            Self::Udplite => 136,
        }
    }

    /// The protocol of that number, if it has ports.
    pub fn of(number: u8) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|protocol| protocol.number() == number)
    }
}

/// The number of ICMP in a family.
pub fn icmp(family: Family) -> u8 {
    match family {
        Family::V4 => ICMP,
        Family::V6 => ICMPV6,
    }
}

/// The name a person would use for a protocol number, e.g. in `show port`.
pub fn name(number: u8) -> Option<&'static str> {
    let preferred = |name: &str| !matches!(name, "hopopt" | "ip" | "icmpv6" | "any");
    NAMES
        .iter()
        .find(|(name, n)| *n == number && preferred(name))
        .map(|(name, _)| *name)
}

/// Whether no packet of the family ever has this protocol.
pub(super) fn never_matches(number: u8, family: Family) -> bool {
    family == Family::V6 && IPV6_HEADERS.contains(&number)
}

/// A rule's `protocol`: `None` is any protocol.
pub(super) fn parse(value: Option<&Value>, family: Family) -> Result<Option<u8>, Problem> {
    let Some(value) = value else {
        return Ok(None);
    };
    let number = number(value).ok_or_else(|| {
        let advice =
            "write a number from 0 to 255, a name such as tcp, udp or icmp, or null for any";
        Problem::new("protocol", value, "is not a protocol", advice)
    })?;
    match (number, family) {
        (0, _) => Ok(None),
        // neutron.db.securitygroups_db: ICMP of an IPv6 rule is ICMPv6, whatever it is called.
        (ICMP, Family::V6) => Ok(Some(ICMPV6)),
        (number, Family::V4) if IPV6_ONLY.contains(&number) => Err(Problem::new(
            "protocol",
            value,
            "is a protocol of IPv6 in a rule for IPv4",
            "set ethertype to IPv6 or name a protocol of IPv4",
        )),
        _ => Ok(Some(number)),
    }
}

fn number(value: &Value) -> Option<u8> {
    match value {
        Value::Number(number) => number.as_u64().and_then(|number| u8::try_from(number).ok()),
        Value::String(text) => number_of(text),
        _ => None,
    }
}

/// The number of a protocol given by name or by number; 0 means any.
pub fn number_of(text: &str) -> Option<u8> {
    let text = text.trim().to_ascii_lowercase();
    let named = NAMES
        .iter()
        .find(|(name, _)| *name == text)
        .map(|(_, number)| *number);
    named.or_else(|| text.parse().ok())
}
