//! What would have to be otherwise for a packet that no rule permits: the rules that come nearest, and the one
//! that is missing.

use sg_common::{
    hook::Hook,
    packet::Opening,
    reason::{Accept, DropReason},
    wire::addr::to_ip,
};

use super::Walk;
use crate::{
    agent::{Agent, phrase},
    evaluate::{evaluate_for_other_ports, evaluate_for_others},
    model::{Family, Port, PortProtocol, protocol},
    view::{Differs, NearRule},
};

/// So many of each kind are told.
const MOST: usize = 5;

impl Agent {
    /// The rules that come nearest to a packet that falls for want of one.
    pub(super) fn near(&self, port: &Port, walk: &Walk) -> Vec<NearRule> {
        let Some(opening) = refused(walk) else {
            return Vec::new();
        };
        let inventory = &self.desired.inventory;
        let others = evaluate_for_others(inventory, port, opening);
        let others = others.map(|rule| (rule, Differs::Remote)).take(MOST);
        let ports = evaluate_for_other_ports(inventory, port, opening);
        let ports = ports.map(|rule| (rule, Differs::Port)).take(MOST);
        let near = others.chain(ports).filter_map(|(rule, differs)| {
            let rule = self.rule_view(port, rule.id, 0)?;
            Some(NearRule { rule, differs })
        });
        near.collect()
    }

    /// The command that makes the rule that is missing.
    pub(super) fn remedy(&self, port: &Port, walk: &Walk) -> Option<String> {
        let opening = refused(walk)?;
        let Some(group) = port.groups.first() else {
            return Some(format!(
                "openstack port set --security-group GROUP {}",
                port.id
            ));
        };
        let rule = missing(opening)?;
        let several = port.groups.len() > 1;
        let name = phrase::group(&self.desired.inventory, *group);
        // A name is what tenants chose, and no word of a command.
        let which = match several {
            true => format!("  # or another group of the port; this is {name}"),
            false => String::new(),
        };
        Some(format!(
            "openstack security group rule create {rule} {group}{which}"
        ))
    }
}

/// The packet that the rules were asked about and did not permit.
fn refused(walk: &Walk) -> Option<&Opening> {
    match walk.verdict {
        Err(DropReason::NoRule) | Ok(Accept::Audit) => Some(&walk.scratch.opening),
        Err(DropReason::Revoked) => Some(&walk.scratch.original),
        _ => None,
    }
}

/// The rule that permits this packet and no more, in the options of the client.
fn missing(opening: &Opening) -> Option<String> {
    let (number, transport) = (opening.key.protocol(), opening.transport);
    let (way, ethertype) = match (opening.hook, opening.family()) {
        (Hook::ToVm, Family::V4) => ("--ingress", "IPv4"),
        (Hook::ToVm, Family::V6) => ("--ingress", "IPv6"),
        (Hook::FromVm, Family::V4) => ("--egress", "IPv4"),
        (Hook::FromVm, Family::V6) => ("--egress", "IPv6"),
    };
    let what = if number == protocol::icmp(opening.family()) {
        let [kind, code] = transport.destination.to_be_bytes();
        format!(" --icmp-type {kind} --icmp-code {code}")
    } else if PortProtocol::of(number).is_some() && transport.destination != 0 {
        format!(" --dst-port {}", transport.destination)
    } else {
        String::new()
    };
    let remote = ipnet::IpNet::from(to_ip(&opening.key.remote, opening.family()));
    let name = phrase::protocol_name(number);
    (!transport.cut_short).then(|| {
        format!("{way} --ethertype {ethertype} --protocol {name}{what} --remote-ip {remote}")
    })
}
