//! What everybody is to enforce: so many rules for so many ports, as an inventory and as nftables would have
//! it. The rule that matches is the last.

use std::fmt::Write;
use std::net::Ipv4Addr;

use crate::inventory::{Group, Inventory, Port, group, port};

/// The ports of the server that are open to peers.
pub const UDP: u16 = 5000;
/// As [`UDP`].
pub const TCP: u16 = 80;
/// One that is not.
pub const CLOSED: u16 = 7;

/// Where all peers are.
pub const PEERS: &str = "10.128.0.0/9";
/// The first of them.
pub const PEER: Ipv4Addr = Ipv4Addr::new(10, 128, 0, 0);
/// How many there are.
pub const PEER_COUNT: u32 = 1 << 23;

/// The server's address.
pub const SERVER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 5);

/// How much is enforced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size {
    /// Rules of each port in each direction.
    pub rules: u32,
    /// Ports on the node, of which one is measured.
    pub ports: u32,
}

/// A rule of either direction.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Rule {
    protocol: &'static str,
    port: u16,
    /// Nobody: everybody.
    peers: Option<String>,
}

/// The port that is measured.
#[must_use]
pub fn server() -> Port {
    at("WEB1", SERVER)
}

/// All ports of a node, the measured one first.
#[must_use]
pub fn ports(count: u32) -> Vec<Port> {
    let base = u32::from(Ipv4Addr::new(10, 1, 0, 0));
    let others = (1..count).map(|n| at(&format!("VM{n}"), Ipv4Addr::from(base + n)));
    [server()].into_iter().chain(others).collect()
}

/// The interface behind which the network is, for a port whose tap has this name (Neutron's hybrid wiring).
#[must_use]
pub fn beyond(tap: &str) -> String {
    tap.replacen("tap", "qvb", 1)
}

/// The inventory: all ports in one group.
#[must_use]
pub fn inventory(size: Size) -> Inventory {
    inventory_of(size.ports, group_of(size.rules))
}

/// So many ports in a group.
#[must_use]
pub fn inventory_of(count: u32, group: Group) -> Inventory {
    let ports = ports(count).into_iter();
    ports.fold(Inventory::new().group(group), Inventory::port)
}

/// The group of all ports, with so many rules in each direction.
#[must_use]
pub fn group_of(count: u32) -> Group {
    let mut open = group("OPEN");
    for Rule {
        protocol,
        port,
        peers,
    } in rules(count)
    {
        for (direction, word) in [("ingress", "from"), ("egress", "to")] {
            let peers = peers.as_deref().unwrap_or("0.0.0.0/0");
            open = open.rule(&format!(
                "{direction} IPv4 {protocol} {port} {word} {peers}"
            ));
        }
    }
    open
}

/// The same for nftables, as cheap as it can be written: one look-up for who may send from where, connection
/// tracking first, a verdict map to the port's chain, and sets in it.
#[must_use]
pub fn nftables(size: Size) -> String {
    let (mut own, mut marks, mut chains, mut verdicts) = <[String; 4]>::default().into();
    for (number, port) in ports(size.ports).iter().enumerate() {
        let (tap, mac) = (port.interface(), port.mac_address());
        let far = beyond(&tap);
        let (from, to) = (2 * number + 1, 2 * number + 2);
        for address in port.addresses() {
            let _ = write!(own, "\"{tap}\" . {mac} . {address}, ");
        }
        let _ = write!(marks, "\"{tap}\" : {from}, \"{far}\" : {to}, ");
        let _ = write!(
            verdicts,
            "{from} : goto from_{number}, {to} : goto to_{number}, "
        );
        let _ = writeln!(chains, "  chain from_{number} {{ jump out; drop; }}");
        let _ = writeln!(chains, "  chain to_{number} {{ jump in; drop; }}");
    }
    let (mut tcp, mut udp, mut limited) = <[String; 3]>::default().into();
    for rule in rules(size.rules) {
        let Rule { port, peers, .. } = &rule;
        let _ = match (peers, rule.protocol) {
            (Some(peers), _) => write!(limited, "{peers} . {port}, "),
            (None, "tcp") => write!(tcp, "{port}, "),
            (None, _) => write!(udp, "{port}, "),
        };
    }
    format!(
        "table bridge sg {{
  set own {{ type ifname . ether_addr . ipv4_addr; elements = {{ {own} }}; }}
  map sides {{ type ifname : mark; elements = {{ {marks} }}; }}
  chain prerouting {{
    type filter hook prerouting priority -250;
    ether type ip meta mark set iifname map @sides
    ether type ip meta mark & 1 == 1 iifname . ether saddr . ip saddr != @own drop
  }}
}}
table ip sg {{
  set tcp_ports {{ type inet_service; elements = {{ {tcp} }}; }}
  set udp_ports {{ type inet_service; elements = {{ {udp} }}; }}
  set limited {{ type ipv4_addr . inet_service; flags interval; elements = {{ {limited} }}; }}
  chain in {{
    tcp dport @tcp_ports accept
    udp dport @udp_ports accept
    meta l4proto udp ip saddr . udp dport @limited accept
  }}
  chain out {{
    tcp dport @tcp_ports accept
    udp dport @udp_ports accept
    meta l4proto udp ip daddr . udp dport @limited accept
  }}
{chains}  map verdicts {{ type mark : verdict; elements = {{ {verdicts} }}; }}
  chain forward {{
    type filter hook forward priority 0; policy drop;
    ct state vmap {{ established : accept, related : accept, invalid : drop }}
    meta mark vmap @verdicts
  }}
}}
"
    )
}

/// One third TCP to a port, one third UDP to a port, one third UDP to a port by peers of a CIDR; what the
/// traffic needs comes last.
fn rules(count: u32) -> Vec<Rule> {
    let decoys = (0..count.saturating_sub(2)).map(|number| {
        // Below the ephemeral ports, and none that is used.
        let port = 10_000 + (number % 20_000) as u16;
        let network = Ipv4Addr::from(u32::from(Ipv4Addr::new(172, 16, 0, 0)) + (number << 8));
        match number % 3 {
            0 => Rule::new("tcp", port, None),
            1 => Rule::new("udp", port, None),
            _ => Rule::new("udp", port, Some(format!("{network}/24"))),
        }
    });
    let needed = [
        Rule::new("tcp", TCP, None),
        Rule::new("udp", UDP, Some(PEERS.to_owned())),
    ];
    decoys.chain(needed).collect()
}

impl Rule {
    fn new(protocol: &'static str, port: u16, peers: Option<String>) -> Self {
        Self {
            protocol,
            port,
            peers,
        }
    }
}

fn at(name: &str, address: Ipv4Addr) -> Port {
    port(name).ip(&address.to_string()).groups(&["OPEN"])
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn there_are_as_many_rules_as_asked_for_and_the_one_that_matches_is_last() {
        for count in [10, 1000, 10_000] {
            let rules = rules(count);
            assert_eq!(rules.len(), count as usize);
            let last = Rule::new("udp", UDP, Some(PEERS.into()));
            assert_eq!(rules.last(), Some(&last));
            let distinct: BTreeSet<_> = rules.iter().map(|rule| format!("{rule:?}")).collect();
            assert_eq!(distinct.len(), count as usize, "no rule stands twice");
        }
    }

    #[test]
    fn no_rule_opens_the_closed_port_or_names_the_peers_but_the_last() {
        let rules = rules(10_000);
        assert!(rules.iter().all(|rule| rule.port != CLOSED));
        let (_, decoys) = rules.split_last().unwrap();
        assert!(decoys.iter().all(|rule| rule.port != UDP));
    }

    #[test]
    fn the_inventory_has_both_directions_of_each_rule_and_every_port() {
        let size = Size {
            rules: 10,
            ports: 3,
        };
        let inventory = inventory(size).json();
        let rules = &inventory["security_groups"][0]["security_group_rules"];
        assert_eq!(rules.as_array().unwrap().len(), 20);
        assert_eq!(inventory["ports"].as_array().unwrap().len(), 3);
    }

    #[test]
    fn nftables_gets_a_chain_for_each_side_of_each_port_and_one_element_for_each_rule() {
        let size = Size {
            rules: 100,
            ports: 2,
        };
        let text = nftables(size);
        assert_eq!(text.matches("chain from_").count(), 2);
        assert_eq!(text.matches("chain to_").count(), 2);
        assert!(text.contains("10.128.0.0/9 . 5000"));
        assert_eq!(text.matches("/24 . ").count(), 32);
        let tap = server().interface();
        assert!(text.contains(&format!("\"{tap}\" : 1, \"{}\" : 2", beyond(&tap))));
    }
}
