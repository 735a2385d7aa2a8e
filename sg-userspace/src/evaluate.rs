//! What the rules mean, said in the slow and obvious way: scan them in order.
//!
//! This is the documentation of the semantics, and what the compiled tables are tested against.
//! It is the policy alone: what Neutron builds in (anti-spoofing, DHCP, neighbor discovery) and
//! the state of connections come before it and are the filter's, in `sg-common`.

use std::net::IpAddr;

use sg_common::packet::Opening;
use sg_common::wire::addr::to_ip;

use crate::model::protocol;
use crate::model::{Inventory, Matches, Port, Rule};

/// The first rule that permits the packet, or `None`: it is refused, for rules only ever permit.
///
/// The order is that of Neutron's chains: the port's security groups in the port's order, each
/// group's rules in the group's order.
pub fn evaluate<'a>(
    inventory: &'a Inventory,
    port: &'a Port,
    opening: &Opening,
) -> Option<&'a Rule> {
    inventory
        .rules(&port.groups, opening.hook.direction(), opening.family())
        .find(|rule| permits(inventory, rule, opening))
}

/// Whether a rule of the packet's direction and family permits it.
pub fn permits(inventory: &Inventory, rule: &Rule, opening: &Opening) -> bool {
    let peer = to_ip(&opening.key.remote, opening.family());
    matches(rule, opening) && is_for(inventory, rule, peer)
}

/// The rules that would permit the packet if they were for its peer.
pub fn evaluate_for_others<'a>(
    inventory: &'a Inventory,
    port: &'a Port,
    opening: &Opening,
) -> impl Iterator<Item = &'a Rule> {
    let direction = opening.hook.direction();
    let rules = inventory.rules(&port.groups, direction, opening.family());
    rules.filter(move |rule| matches(rule, opening))
}

/// The rules that are for the packet's peer and its protocol, but for other ports of it, or another type.
pub fn evaluate_for_other_ports<'a>(
    inventory: &'a Inventory,
    port: &'a Port,
    opening: &Opening,
) -> impl Iterator<Item = &'a Rule> {
    let family = opening.family();
    let peer = to_ip(&opening.key.remote, family);
    let rules = inventory.rules(&port.groups, opening.hook.direction(), family);
    rules.filter(move |rule| {
        let protocol = match rule.matches {
            Matches::Any | Matches::Protocol(_) => return false,
            Matches::Ports(protocol, _) | Matches::Pairs(protocol, _) => protocol.number(),
            Matches::Icmp { .. } => protocol::icmp(rule.ethertype),
        };
        protocol == opening.key.protocol()
            && !matches(rule, opening)
            && is_for(inventory, rule, peer)
    })
}

/// Whether a rule is for a peer. A CIDR of length 0 holds every address of its family, in a rule as
/// in a pair or an address group: iptables leaves `-s 0.0.0.0/0` out, and ipset stores it as two
/// halves. A remote group stands for all its members, itself included.
fn is_for(inventory: &Inventory, rule: &Rule, peer: IpAddr) -> bool {
    inventory.peers(rule).iter().any(|net| net.contains(&peer))
}

fn matches(rule: &Rule, opening: &Opening) -> bool {
    let (protocol, transport) = (opening.key.protocol(), opening.transport);
    let named = |number| protocol == number && !transport.cut_short;
    match rule.matches {
        Matches::Any => true,
        Matches::Protocol(number) => protocol == number,
        Matches::Ports(protocol, range) => {
            named(protocol.number()) && range.contains(transport.destination)
        }
        Matches::Pairs(protocol, pair) => {
            named(protocol.number())
                && pair.source.contains(transport.source)
                && pair.destination.contains(transport.destination)
        }
        // ICMP of the rule's own family: over IPv6, protocol 1 is a protocol like any other.
        Matches::Icmp { kind, code } => {
            let [packet_kind, packet_code] = transport.destination.to_be_bytes();
            named(protocol::icmp(rule.ethertype))
                && packet_kind == kind
                && code.is_none_or(|code| packet_code == code)
        }
    }
}

#[cfg(test)]
mod tests;
