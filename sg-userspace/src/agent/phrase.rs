//! Rules, protocols and addresses in words.

use std::fmt::Write;

use ipnet::IpNet;
use sg_common::wire::addr;

use crate::model::{
    AddressPair, Direction, Family, GroupId, Inventory, Mac, Matches, Port, PortRange, Remote,
    Rule, address, protocol,
};

/// A rule in words, e.g. `IPv4 tcp 80-443 from 10.0.0.0/8`.
pub fn rule(inventory: &Inventory, rule: &Rule) -> String {
    let mut text = String::from(match rule.ethertype {
        Family::V4 => "IPv4",
        Family::V6 => "IPv6",
    });
    // Writing to a string cannot fail.
    let _ = match rule.matches {
        Matches::Any => write!(text, " any protocol"),
        Matches::Protocol(number) => write!(text, " {}", protocol_name(number)),
        Matches::Ports(protocol, range) => {
            let name = protocol_name(protocol.number());
            write!(text, " {name} {}", ports(range))
        }
        Matches::Pairs(protocol, pair) => {
            let name = protocol_name(protocol.number());
            let to = match pair.destination {
                PortRange::ALL => String::new(),
                range => format!(" {}", ports(range)),
            };
            write!(text, " {name}{to} source port {}", ports(pair.source))
        }
        Matches::Icmp { kind, code: None } => write!(text, " icmp type {kind}"),
        Matches::Icmp {
            kind,
            code: Some(code),
        } => write!(text, " icmp type {kind} code {code}"),
    };
    text.push_str(match rule.direction {
        Direction::Ingress => " from ",
        Direction::Egress => " to ",
    });
    let _ = match rule.remote {
        Remote::Anyone => write!(text, "anyone"),
        Remote::Prefix(net) => write!(text, "{net}"),
        Remote::Group(id) => write!(text, "group {}", group(inventory, id)),
        Remote::AddressGroup(id) => match inventory.address_groups.get(&id) {
            Some(group) if !group.name.is_empty() => write!(text, "address group {}", group.name),
            _ => write!(text, "address group {id}"),
        },
    };
    text
}

fn ports(range: PortRange) -> String {
    match (range.low(), range.high()) {
        (low, high) if low == high => low.to_string(),
        (low, high) => format!("{low}-{high}"),
    }
}

/// The name of a security group, or its id if it has none.
pub fn group(inventory: &Inventory, id: GroupId) -> String {
    match inventory.groups.get(&id) {
        Some(group) if !group.name.is_empty() => group.name.clone(),
        _ => id.to_string(),
    }
}

/// The name of a protocol, or its number if it has none.
pub fn protocol_name(number: u8) -> String {
    protocol::name(number).map_or_else(|| number.to_string(), str::to_owned)
}

/// The addresses a port may use.
pub fn addresses(port: &Port) -> Vec<String> {
    let fixed = port.fixed_ips.iter().map(ToString::to_string);
    fixed
        .chain(port.pairs.iter().map(|pair| address_pair(pair, port.mac)))
        .collect()
}

/// What a port may send from, in one family or in both. A port without fixed addresses may send
/// from any, and one of IPv6 also from the link-local addresses of its MACs.
pub fn source_addresses(port: &Port, family: Option<Family>) -> Vec<String> {
    if port.fixed_ips.is_empty() {
        return vec![format!("any with {}", port.mac)];
    }
    let of_family = |net: &IpNet| family.is_none_or(|family| address::family(net) == family);
    let fixed = port.fixed_ips.iter().map(|ip| AddressPair {
        net: IpNet::from(*ip),
        mac: port.mac,
    });
    let pairs = fixed.chain(port.pairs.iter().copied());
    let pairs: Vec<_> = pairs.filter(|pair| of_family(&pair.net)).collect();
    let mut texts: Vec<_> = pairs
        .iter()
        .map(|pair| address_pair(pair, port.mac))
        .collect();
    for pair in pairs
        .iter()
        .filter(|pair| address::family(&pair.net) == Family::V6)
    {
        let own = addr::link_local(&addr::Mac::new(pair.mac.0));
        let text = address_pair(
            &AddressPair {
                net: addr::to_ip(&own, Family::V6).into(),
                ..*pair
            },
            port.mac,
        );
        if !texts.contains(&text) {
            texts.push(text);
        }
    }
    texts
}

fn address_pair(pair: &AddressPair, port_mac: Mac) -> String {
    // A prefix as long as the address is the address.
    let net = if pair.net.prefix_len() == pair.net.max_prefix_len() {
        pair.net.addr().to_string()
    } else {
        pair.net.to_string()
    };
    if pair.mac == port_mac {
        net
    } else {
        format!("{net} via {}", pair.mac)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::parse;

    #[test]
    fn source_ports_are_said_after_the_ports_that_they_go_to() {
        let text = |destination: &str| {
            let document = format!(
                r#"{{"ports": [], "security_groups": [{{
                    "id": "5a000000-0000-4000-8000-000000000001", "security_group_rules": [{{
                        "direction": "egress", "protocol": "udp", {destination}
                        "source_port_range_min": 53, "source_port_range_max": 54}}]}}]}}"#
            );
            let inventory = parse(document.as_bytes()).unwrap().inventory;
            let group = inventory.groups.values().next().unwrap();
            rule(&inventory, &group.rules[0])
        };
        assert_eq!(
            text(r#""port_range_min": 80, "port_range_max": 80,"#),
            "IPv4 udp 80 source port 53-54 to anyone"
        );
        assert_eq!(text(""), "IPv4 udp source port 53-54 to anyone");
    }
}
