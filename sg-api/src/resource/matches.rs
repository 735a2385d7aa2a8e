//! What a rule may match, how it is brought into one form, and which rules are the same.

use std::net::IpAddr;

use crate::attributes::{Attrs, protocols};
use crate::error::{ApiError, Result};
use crate::objects::Match;
use crate::{net, python};

/// Protocols that have ports, as they are told.
const WITH_PORTS: [(u8, &str); 5] = [
    (33, "DCCP"),
    (132, "SCTP"),
    (6, "TCP"),
    (17, "UDP"),
    (136, "UDPLITE"),
];

/// What belongs to IPv6 alone.
const IPV6_ONLY: [&str; 13] = [
    "ipv6-encap",
    "ipv6-frag",
    "ipv6-icmp",
    "icmpv6",
    "ipv6-nonxt",
    "ipv6-opts",
    "ipv6-route",
    "41",
    "44",
    "58",
    "59",
    "60",
    "43",
];

/// What is asked of the matches of a rule.
pub trait Matches: Sized {
    /// Reads them, in their canonical form.
    ///
    /// # Errors
    ///
    /// They contradict themselves.
    fn read(attributes: &Attrs) -> Result<Self>;

    /// The prefix without its host bits.
    fn normalized(&self) -> Option<String>;

    /// Equal for those that match the same.
    fn same(&self) -> Same;
}

/// What makes two rules the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Same(Vec<Option<String>>);

impl Matches for Match {
    fn read(attributes: &Attrs) -> Result<Self> {
        let number = |name: &str| attributes.get(name).and_then(serde_json::Value::as_i64);
        let text = |name: &str| attributes.text(name).map(str::to_owned);
        // Whatever it is called, it is looked for.
        let named = |name: &str| {
            let name = attributes.get(name).filter(|name| !name.is_null());
            name.map(python::str)
        };
        let mut read = Self {
            direction: attributes.string("direction"),
            ethertype: attributes.string("ethertype"),
            protocol: text("protocol"),
            port_range_min: number("port_range_min"),
            port_range_max: number("port_range_max"),
            remote_ip_prefix: text("remote_ip_prefix"),
            remote_group_id: named("remote_group_id"),
            remote_address_group_id: named("remote_address_group_id"),
        };
        read.make_canonical();
        read.check_ports()?;
        read.check_prefix()?;
        read.check_ethertype()?;
        read.check_remotes()?;
        Ok(read)
    }

    fn normalized(&self) -> Option<String> {
        let network = net::network(self.remote_ip_prefix.as_deref()?)?;
        Some(network.trunc().to_string())
    }

    fn same(&self) -> Same {
        let prefix = self.remote_ip_prefix.clone();
        Same(vec![
            Some(self.direction.clone()),
            Some(self.ethertype.clone()),
            self.port_range_max.map(|port| port.to_string()),
            self.port_range_min.map(|port| port.to_string()),
            self.protocol_number(),
            self.remote_group_id.clone(),
            self.remote_address_group_id.clone(),
            prefix.filter(|prefix| prefix != "0.0.0.0/0" && prefix != "::/0"),
        ])
    }
}

/// The steps. Their order is Neutron's.
impl Match {
    fn is_v6(&self) -> bool {
        self.ethertype == "IPv6"
    }

    fn make_canonical(&mut self) {
        if self.is_v6() {
            match self.protocol.as_deref() {
                Some("icmp" | "icmpv6") => self.protocol = Some("ipv6-icmp".into()),
                Some("1") => self.protocol = Some("58".into()),
                _ => {}
            }
        }
        if (self.port_range_min, self.port_range_max) == (Some(1), Some(65535)) {
            (self.port_range_min, self.port_range_max) = (None, None);
        }
    }

    fn check_ports(&self) -> Result<()> {
        let (min, max) = (self.port_range_min, self.port_range_max);
        if min.is_none() && max.is_none() {
            return Ok(());
        }
        let Some(protocol) = self.protocol.as_deref() else {
            return Err(ApiError::bad(
                "SecurityGroupProtocolRequiredWithPorts",
                "Must also specify protocol if port range is given.",
            ));
        };
        let number = protocols::number(protocol);
        if WITH_PORTS.iter().any(|(of, _)| Some(*of) == number) {
            return check_range(min, max);
        }
        if matches!(number, Some(1 | 58)) {
            return check_icmp(min, max);
        }
        let names = WITH_PORTS.map(|(_, name)| name).join(", ");
        let protocol = number.map_or_else(|| protocol.to_owned(), |number| number.to_string());
        Err(ApiError::bad(
            "SecurityGroupInvalidProtocolForPort",
            format!(
                "Ports cannot be specified for protocol {protocol}. Ports are only supported for {names}."
            ),
        ))
    }

    fn check_prefix(&self) -> Result<()> {
        let prefix = self.remote_ip_prefix.as_deref().unwrap_or_default();
        let Some(network) = net::network(prefix) else {
            return Ok(());
        };
        match matches!(network.addr(), IpAddr::V6(_)) == self.is_v6() {
            true => Ok(()),
            false => Err(ApiError::bad(
                "SecurityGroupRuleParameterConflict",
                format!(
                    "Conflicting value ethertype {} for CIDR {prefix}",
                    self.ethertype
                ),
            )),
        }
    }

    fn check_ethertype(&self) -> Result<()> {
        let protocol = self.protocol.as_deref().unwrap_or_default();
        match !self.is_v6() && IPV6_ONLY.contains(&protocol) {
            false => Ok(()),
            true => Err(ApiError::bad(
                "SecurityGroupEthertypeConflictWithProtocol",
                format!(
                    "Invalid ethertype {} for protocol {protocol}.",
                    self.ethertype
                ),
            )),
        }
    }

    fn check_remotes(&self) -> Result<()> {
        let remotes = [
            &self.remote_ip_prefix,
            &self.remote_group_id,
            &self.remote_address_group_id,
        ];
        match remotes.into_iter().flatten().count() {
            0 | 1 => Ok(()),
            _ => Err(ApiError::bad(
                "SecurityGroupMultipleRemoteEntites",
                "Only one of remote_ip_prefix or remote_group_id or remote_address_group_id may be provided.",
            )),
        }
    }

    /// The number, by which protocols are the same; 0 is one, no protocol another.
    fn protocol_number(&self) -> Option<String> {
        let protocol = self.protocol.as_deref()?;
        let (name, number) = protocols::name_and_number(protocol);
        Some(format!("{name} {number}"))
    }
}

fn check_range(min: Option<i64>, max: Option<i64>) -> Result<()> {
    if min == Some(0) || max == Some(0) {
        return Err(ApiError::bad(
            "SecurityGroupInvalidPortValue",
            "Invalid value for port 0",
        ));
    }
    match (min, max) {
        (Some(min), Some(max)) if min <= max => Ok(()),
        _ => Err(ApiError::bad(
            "SecurityGroupInvalidPortRange",
            "For TCP/UDP protocols, port_range_min must be <= port_range_max",
        )),
    }
}

fn check_icmp(kind: Option<i64>, code: Option<i64>) -> Result<()> {
    for (value, field, attribute) in [
        (kind, "type", "port_range_min"),
        (code, "code", "port_range_max"),
    ] {
        if let Some(value) = value.filter(|value| !(0..=255).contains(value)) {
            return Err(ApiError::bad(
                "SecurityGroupInvalidIcmpValue",
                format!(
                    "Invalid value for ICMP {field} ({attribute}) {value}. It must be 0 to 255."
                ),
            ));
        }
    }
    match (kind, code) {
        (None, Some(code)) => Err(ApiError::bad(
            "SecurityGroupMissingIcmpType",
            format!(
                "ICMP code (port-range-max) {code} is provided but ICMP type (port-range-min) is missing."
            ),
        )),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::attributes::{Verb, single, tables};

    fn read(said: Value) -> Result<Match> {
        let mut body = json!({"security_group_id": "g", "direction": "ingress"});
        for (name, value) in said.as_object().unwrap() {
            body[name] = value.clone();
        }
        let attributes = single(&body, "rule", tables::RULES, Verb::Post, "p")?;
        Match::read(&attributes)
    }

    fn refused(said: Value) -> &'static str {
        read(said).unwrap_err().kind
    }

    #[test]
    fn rules_are_the_same_by_the_number_of_their_protocol_and_whoever_is_everybody() {
        let same =
            |one: Value, other: Value| read(one).unwrap().same() == read(other).unwrap().same();
        assert!(same(json!({"protocol": "tcp"}), json!({"protocol": 6})));
        assert!(same(json!({"remote_ip_prefix": "0.0.0.0/0"}), json!({})));
        assert!(same(
            json!({"protocol": "udp", "port_range_min": 1, "port_range_max": 65535}),
            json!({"protocol": "udp"})
        ));
        assert!(same(
            json!({"ethertype": "IPv6", "protocol": "icmp"}),
            json!({"ethertype": "IPv6", "protocol": "58"})
        ));
        assert!(!same(json!({"protocol": 0}), json!({})));
        assert!(!same(
            json!({"remote_ip_prefix": "10.0.0.1/24"}),
            json!({"remote_ip_prefix": "10.0.0.0/24"})
        ));
    }

    #[test]
    fn icmp_of_ipv6_has_one_name() {
        for protocol in ["icmp", "icmpv6", "ICMPv6", "ipv6-icmp"] {
            let matches = read(json!({"ethertype": "IPv6", "protocol": protocol})).unwrap();
            assert_eq!(matches.protocol.as_deref(), Some("ipv6-icmp"), "{protocol}");
        }
        let matches = read(json!({"ethertype": "ipv6", "protocol": 1})).unwrap();
        assert_eq!(matches.protocol.as_deref(), Some("58"));
        assert_eq!(
            refused(json!({"protocol": "icmpv6"})),
            "SecurityGroupEthertypeConflictWithProtocol"
        );
    }

    #[test]
    fn ports_belong_to_protocols_that_have_some() {
        let ports = |protocol: Value, min: Value, max: Value| {
            refused(json!({"protocol": protocol, "port_range_min": min, "port_range_max": max}))
        };
        let (null, one, two) = (Value::Null, json!(1), json!(2));
        for (protocol, min, max, kind) in [
            (
                json!("tcp"),
                two.clone(),
                one.clone(),
                "SecurityGroupInvalidPortRange",
            ),
            (
                json!("tcp"),
                one.clone(),
                null.clone(),
                "SecurityGroupInvalidPortRange",
            ),
            (
                json!("tcp"),
                json!(0),
                one.clone(),
                "SecurityGroupInvalidPortValue",
            ),
            (
                null.clone(),
                one.clone(),
                two.clone(),
                "SecurityGroupProtocolRequiredWithPorts",
            ),
            (
                json!("gre"),
                one,
                two,
                "SecurityGroupInvalidProtocolForPort",
            ),
            (
                json!("icmp"),
                json!(256),
                null.clone(),
                "SecurityGroupInvalidIcmpValue",
            ),
            (
                json!("icmp"),
                null,
                json!(0),
                "SecurityGroupMissingIcmpType",
            ),
        ] {
            assert_eq!(ports(protocol, min, max), kind);
        }
        assert!(read(json!({"protocol": "icmp", "port_range_min": 8})).is_ok());
    }

    #[test]
    fn a_rule_has_one_remote_of_its_own_family() {
        assert_eq!(
            refused(json!({"remote_ip_prefix": "::/0"})),
            "SecurityGroupRuleParameterConflict"
        );
        assert_eq!(
            refused(json!({"remote_ip_prefix": "10.0.0.0/8", "remote_group_id": "x"})),
            "SecurityGroupMultipleRemoteEntites"
        );
        let matches = read(json!({"remote_ip_prefix": "10.1.2.3/16"})).unwrap();
        assert_eq!(matches.normalized().as_deref(), Some("10.1.0.0/16"));
    }
}
