//! Security group rules (`neutron.extensions.securitygroup`, `neutron.db.securitygroups_db`).

use ipnet::IpNet;
use serde_json::Value;

use super::address;
use super::api;
use super::fault::Problem;
use super::fields::Fields;
use super::id::{AddressGroupId, GroupId, RuleId};
use super::protocol::{self, PortProtocol};
use sg_common::hook::Direction;
use sg_common::wire::addr::Family;

/// One rule. Rules only ever permit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// `id`.
    pub id: RuleId,
    /// `direction`.
    pub direction: Direction,
    /// `ethertype`.
    pub ethertype: Family,
    /// `protocol`, `port_range_min` and `port_range_max`, `source_port_range_min` and `source_port_range_max`.
    pub matches: Matches,
    /// `remote_ip_prefix`, `remote_group_id` or `remote_address_group_id`.
    pub remote: Remote,
}

/// What a rule permits, whoever the peer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Matches {
    /// Any protocol.
    Any,
    /// One whole protocol.
    Protocol(u8),
    /// Destination ports of one protocol, from any source port.
    Ports(PortProtocol, PortRange),
    /// Destination ports of one protocol, from some source ports.
    Pairs(PortProtocol, PortPair),
    /// One type of the family's ICMP, and one code of it or any.
    Icmp {
        /// The type.
        kind: u8,
        /// The code; `None` is any.
        code: Option<u8>,
    },
}

/// A range of ports, both ends included, never empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortRange {
    low: u16,
    high: u16,
}

/// Any of some source ports with any of some destination ports. The source is the packet's sender: the other
/// side for ingress, the VM for egress.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortPair {
    /// Where a packet may come from.
    pub source: PortRange,
    /// Where it may go to.
    pub destination: PortRange,
}

impl PortRange {
    /// All ports.
    pub const ALL: Self = Self {
        low: 0,
        high: u16::MAX,
    };

    /// The ports from `low` to `high`; `None` if there are none.
    pub fn new(low: u16, high: u16) -> Option<Self> {
        (low <= high).then_some(Self { low, high })
    }

    /// The first port.
    pub fn low(self) -> u16 {
        self.low
    }

    /// The last port.
    pub fn high(self) -> u16 {
        self.high
    }

    /// The range that ends no earlier than at `high`.
    pub fn to(self, high: u16) -> Self {
        Self {
            high: self.high.max(high),
            ..self
        }
    }

    /// Whether the port is in the range.
    pub fn contains(self, port: u16) -> bool {
        (self.low..=self.high).contains(&port)
    }

    /// Whether all of the other range is in this one.
    pub fn covers(self, other: Self) -> bool {
        self.low <= other.low && other.high <= self.high
    }
}

impl PortPair {
    /// Whether all of the other pair is in this one.
    pub fn covers(self, other: Self) -> bool {
        self.source.covers(other.source) && self.destination.covers(other.destination)
    }
}

/// The peers a rule is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remote {
    /// Everyone.
    Anyone,
    /// The addresses of a CIDR, of the rule's family.
    Prefix(IpNet),
    /// The members of a security group.
    Group(GroupId),
    /// The addresses of an address group.
    AddressGroup(AddressGroupId),
}

/// Reads one rule, and warns of what it will not do. `unnamed` is its id if it has none: the API's rules
/// always have one, but what a person writes need not.
pub(super) fn parse(
    fields: Fields<'_>,
    unnamed: RuleId,
) -> Result<(Rule, Option<Problem>), Problem> {
    api::RULE.check(fields)?;
    let ethertype = ethertype(fields)?;
    let protocol = protocol::parse(fields.get("protocol"), ethertype)?;
    let (matches, warning) = matches(fields, protocol, ethertype)?;
    let rule = Rule {
        id: id(fields, unnamed)?,
        direction: direction(fields)?,
        ethertype,
        matches,
        remote: remote(fields, ethertype)?,
    };
    Ok((rule, warning))
}

fn id(fields: Fields<'_>, unnamed: RuleId) -> Result<RuleId, Problem> {
    match fields.get("id") {
        Some(_) => super::parse_id(fields, "id"),
        None => Ok(unnamed),
    }
}

fn direction(fields: Fields<'_>) -> Result<Direction, Problem> {
    let advice = "write ingress or egress";
    let text = Fields::required("direction", fields.text("direction")?, advice)?;
    match text.to_ascii_lowercase().as_str() {
        "ingress" => Ok(Direction::Ingress),
        "egress" => Ok(Direction::Egress),
        _ => Err(Problem::new(
            "direction",
            quoted(text),
            "is not a direction",
            advice,
        )),
    }
}

fn ethertype(fields: Fields<'_>) -> Result<Family, Problem> {
    let Some(text) = fields.text("ethertype")? else {
        return Ok(Family::V4);
    };
    match text.to_ascii_lowercase().as_str() {
        "ipv4" => Ok(Family::V4),
        "ipv6" => Ok(Family::V6),
        _ => {
            let advice = "write IPv4 or IPv6";
            Err(Problem::new(
                "ethertype",
                quoted(text),
                "is not an ethertype of rules",
                advice,
            ))
        }
    }
}

fn matches(
    fields: Fields<'_>,
    protocol: Option<u8>,
    family: Family,
) -> Result<(Matches, Option<Problem>), Problem> {
    let range = match integers(fields, DESTINATION)? {
        // Neutron rewrites the full range to no range before it validates, for any protocol.
        (Some(1), Some(65535)) => (None, None),
        range => range,
    };
    let source = integers(fields, SOURCE)?;
    if range == (Some(0), Some(0)) && protocol != Some(protocol::icmp(family)) {
        return Err(unset());
    }
    let whole = protocol.map_or(Matches::Any, Matches::Protocol);
    if source != (None, None) {
        return Ok((pairs(protocol, source, range)?, None));
    }
    match (protocol, range) {
        (None, (None, None)) => Ok((whole, None)),
        (Some(number), (None, None)) => Ok((whole, warn_unmatched(fields, number, family))),
        (Some(number), range) if number == protocol::icmp(family) => icmp(family, range),
        (number, range) => match number.and_then(PortProtocol::of) {
            Some(protocol) => Ok((Matches::Ports(protocol, ports(DESTINATION, range)?), None)),
            None => Err(portless(DESTINATION, range)),
        },
    }
}

/// Rules of Neutron's agent can name source ports, those of its API cannot. Its drivers disagree about a range
/// of which an end is missing: one ignores it, the other makes a rule that iptables refuses.
fn pairs(protocol: Option<u8>, source: Range, destination: Range) -> Result<Matches, Problem> {
    let protocol = protocol
        .and_then(PortProtocol::of)
        .ok_or_else(|| portless(SOURCE, source))?;
    let source = ports(SOURCE, source)?;
    let destination = match destination {
        (None, None) => PortRange::ALL,
        range => ports(DESTINATION, range)?,
    };
    let pair = PortPair {
        source,
        destination,
    };
    Ok(Matches::Pairs(protocol, pair))
}

type Range = (Option<i64>, Option<i64>);

/// The names of the two ends of a range.
type Ends = [&'static str; 2];

const DESTINATION: Ends = ["port_range_min", "port_range_max"];
const SOURCE: Ends = ["source_port_range_min", "source_port_range_max"];

fn integers(fields: Fields<'_>, [min, max]: Ends) -> Result<Range, Problem> {
    Ok((fields.integer(min)?, fields.integer(max)?))
}

fn ports([min, max]: Ends, range: Range) -> Result<PortRange, Problem> {
    let advice = format!("give both {min} and {max}, or neither for all ports");
    let low = Fields::required(min, range.0, &advice)?;
    let high = Fields::required(max, range.1, &advice)?;
    let (low, high) = (port(min, low)?, port(max, high)?);
    PortRange::new(low, high).ok_or_else(|| {
        let problem = format!("is greater than {max} {high}");
        Problem::new(min, low, problem, "swap the two")
    })
}

fn port(field: &str, value: i64) -> Result<u16, Problem> {
    u16::try_from(value)
        .ok()
        .filter(|port| *port != 0)
        .ok_or_else(|| {
            Problem::new(
                field,
                value,
                "is not a port",
                "write a number from 1 to 65535",
            )
        })
}

/// Of ICMP it is type 0 and code 0, the answer to an echo.
fn unset() -> Problem {
    let problem = "and port_range_max 0 are no ports; Terraform writes 0 for what is not set";
    let advice = "write null for both, or leave them out, if all ports are meant";
    Problem::new("port_range_min", 0, problem, advice)
}

fn portless([min, max]: Ends, (low, high): Range) -> Problem {
    let (field, value) = match low {
        Some(low) => (min, low),
        None => (max, high.unwrap_or_default()),
    };
    let advice = "ports go with tcp, udp, sctp, dccp and udplite, and a type with icmp, as port_range_min; \
                  remove the range or name one of these";
    Problem::new(
        field,
        value,
        "is given for a protocol without ports",
        advice,
    )
}

/// `port_range_min` is the type and `port_range_max` the code.
fn icmp(family: Family, range: Range) -> Result<(Matches, Option<Problem>), Problem> {
    let kind = Fields::required(
        "port_range_min",
        range.0,
        "give the ICMP type with the code",
    )?;
    let kind = octet("port_range_min", "an ICMP type", kind)?;
    let code = range
        .1
        .map(|code| octet("port_range_max", "an ICMP code", code))
        .transpose()?;
    // iptables reads type 255 of IPv4 as any ICMP, and ignores the code.
    if (kind, family) == (255, Family::V4) {
        let problem = "means any ICMP, whatever the code";
        let advice = "leave port_range_min out to say so plainly";
        let warning = Problem::new("port_range_min", kind, problem, advice);
        return Ok((Matches::Protocol(protocol::ICMP), Some(warning)));
    }
    Ok((Matches::Icmp { kind, code }, None))
}

fn octet(field: &str, what: &str, value: i64) -> Result<u8, Problem> {
    u8::try_from(value).map_err(|_| {
        Problem::new(
            field,
            value,
            format!("is not {what}"),
            "write a number from 0 to 255",
        )
    })
}

fn warn_unmatched(fields: Fields<'_>, number: u8, family: Family) -> Option<Problem> {
    protocol::never_matches(number, family).then(|| {
        let problem = "never matches: it is an extension header, not the protocol of a packet";
        let advice = "name the protocol that follows the header, or remove the rule";
        Problem::new(
            "protocol",
            fields.get("protocol").unwrap_or(&Value::Null),
            problem,
            advice,
        )
    })
}

fn remote(fields: Fields<'_>, family: Family) -> Result<Remote, Problem> {
    const REMOTES: [&str; 3] = [
        "remote_ip_prefix",
        "remote_group_id",
        "remote_address_group_id",
    ];
    let mut given = REMOTES
        .into_iter()
        .filter(|field| fields.get(field).is_some());
    let Some(field) = given.next() else {
        return Ok(Remote::Anyone);
    };
    if let Some(other) = given.next() {
        let value = fields.get(other).unwrap_or(&Value::Null);
        let problem = format!("is given beside {field}");
        return Err(Problem::new(
            other,
            value,
            problem,
            "give at most one remote",
        ));
    }
    Ok(match field {
        "remote_group_id" => Remote::Group(super::parse_id(fields, field)?),
        "remote_address_group_id" => Remote::AddressGroup(super::parse_id(fields, field)?),
        _ => Remote::Prefix(prefix(fields, field, family)?),
    })
}

fn prefix(fields: Fields<'_>, field: &str, family: Family) -> Result<IpNet, Problem> {
    let text = fields.text(field)?.unwrap_or_default();
    let net = address::cidr(field, text)?;
    if address::family(&net) != family {
        let problem = format!("is not of the rule's ethertype {}", ethertype_name(family));
        let advice = "change the CIDR or the ethertype";
        return Err(Problem::new(field, quoted(text), problem, advice));
    }
    Ok(net)
}

fn ethertype_name(family: Family) -> &'static str {
    match family {
        Family::V4 => "IPv4",
        Family::V6 => "IPv6",
    }
}

fn quoted(text: &str) -> String {
    format!("{text:?}")
}
