//! Which events are shown: what the daemon is asked for, and what of its answer is passed on.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use clap::{Args, builder::PossibleValuesParser};
use ipnet::IpNet;

use crate::{
    api::Client,
    error::{Error, Result},
    flows::{net, protocol_number},
    model::{PortId, PortProtocol},
    named,
    view::{EventAction, EventsRequest, GroupView, PacketView},
};

/// What an event must be. Of several values of one filter it must have one; a filter that is not given is met
/// by every event.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Filters")]
pub struct EventFilter {
    /// Of a port, by id, interface, MAC, IP address or name; may be given several times, and beside --group
    #[arg(long = "port", value_name = "PORT")]
    ports: Vec<String>,
    /// Of the ports that a security group has now, by its id or name; may be given several times
    #[arg(long = "group", value_name = "GROUP")]
    groups: Vec<String>,
    /// Of these kinds (default: accept,drop,audit)
    #[arg(
        long = "action",
        value_delimiter = ',',
        ignore_case = true,
        value_name = "ACTION,…"
    )]
    actions: Vec<EventAction>,
    /// For these reasons, by their names in `sgctl counters`; of ends closed, reset, timed_out, revoked, gave_way
    #[arg(
        long = "reason",
        value_delimiter = ',',
        value_name = "REASON,…",
        hide_possible_values = true,
        value_parser = PossibleValuesParser::new(reasons())
    )]
    reasons: Vec<String>,
    /// Of packets to the VM
    #[arg(long, conflicts_with = "egress")]
    ingress: bool,
    /// Of packets from the VM
    #[arg(long)]
    egress: bool,
    /// From or to an address or a CIDR
    #[arg(short, long, value_name = "ADDRESS", value_parser = net)]
    address: Option<IpNet>,
    /// From an address or a CIDR
    #[arg(short, long, value_name = "ADDRESS", value_parser = net)]
    src: Option<IpNet>,
    /// To an address or a CIDR
    #[arg(short, long, value_name = "ADDRESS", value_parser = net)]
    dst: Option<IpNet>,
    /// Of a protocol, by name or number
    #[arg(short, long = "proto", value_name = "PROTOCOL", value_parser = protocol_number)]
    protocol: Option<u8>,
    /// From a port number
    #[arg(long, value_name = "NUMBER")]
    sport: Option<u16>,
    /// To a port number
    #[arg(long, value_name = "NUMBER")]
    dport: Option<u16>,
    /// Count packets and bytes of each connection from now on, and show them with its end (--action end)
    #[arg(long)]
    counts: bool,
}

impl EventFilter {
    /// What the daemon is to be asked for, at a rate of its choice.
    ///
    /// # Errors
    ///
    /// When no event can ever meet the filter: [`Error::Usage`] if its parts contradict each other, and what the
    /// daemon says of ports and groups that are not there.
    pub async fn request(&self, client: &Client) -> Result<EventsRequest> {
        let actions: Vec<_> = self.actions()?.into_iter().collect();
        self.check_numbers()?;
        if self.counts && !actions.contains(&EventAction::End) {
            return Err(Error::Usage(
                "--counts: they are shown with the ends of connections; add --action end".into(),
            ));
        }
        if self.ports.is_empty() && self.groups.is_empty() {
            return Ok(EventsRequest {
                all: actions,
                counts: self.counts,
                ..EventsRequest::default()
            });
        }
        let mut ids = BTreeSet::new();
        for reference in &self.ports {
            let port = client.port(reference).await?.port;
            let is_told = port.id.parse::<PortId>().is_ok();
            if !is_told {
                return Err(Error::Usage(format!(
                    "port {reference}: nothing is told of it, because its id {:?} is not a UUID",
                    port.id
                )));
            }
            ids.insert(port.id);
        }
        if !self.groups.is_empty() {
            let groups = client.groups().await?;
            for reference in &self.groups {
                ids.extend(ports_of(&groups, reference)?.iter().cloned());
            }
        }
        let ports: BTreeMap<_, _> = ids.into_iter().map(|id| (id, actions.clone())).collect();
        Ok(EventsRequest {
            ports,
            counts: self.counts,
            ..EventsRequest::default()
        })
    }

    /// Whether an event that was asked for is to be shown.
    pub fn matches(&self, event: &PacketView) -> bool {
        let (source, destination) = (address(&event.source), address(&event.destination));
        let is_in =
            |net: &IpNet, address: Option<IpAddr>| address.is_some_and(|a| net.contains(&a));
        let is_or_any = |wanted: Option<u16>, found| wanted.is_none() || wanted == found;
        (self.reasons.is_empty() || self.reasons.contains(&event.reason))
            && (!self.ingress || event.direction == "ingress")
            && (!self.egress || event.direction == "egress")
            && self.src.as_ref().is_none_or(|net| is_in(net, source))
            && self.dst.as_ref().is_none_or(|net| is_in(net, destination))
            && self
                .address
                .as_ref()
                .is_none_or(|net| is_in(net, source) || is_in(net, destination))
            && (self.protocol.is_none() || self.protocol == event.protocol)
            && is_or_any(self.sport, event.source_port)
            && is_or_any(self.dport, event.destination_port)
    }

    /// What is asked for: what was named, or else what the reasons are of.
    fn actions(&self) -> Result<BTreeSet<EventAction>> {
        let named: BTreeSet<_> = match self.actions.as_slice() {
            [] => DEFAULT.into(),
            named => named.iter().copied().collect(),
        };
        let mut needed = BTreeSet::new();
        for reason in &self.reasons {
            let all = EventAction::ALL.into_iter();
            let its: Vec<_> = all.filter(|action| has(*action, reason)).collect();
            let possible = its.iter().any(|action| named.contains(action));
            match self.actions.is_empty() || possible {
                true => needed.extend(its),
                false => {
                    let other = its.iter().map(|action| action.as_str());
                    return Err(Error::Usage(format!(
                        "--reason {reason}: no event that --action asks for has it; add {}, or leave --action out",
                        other.collect::<Vec<_>>().join(" or ")
                    )));
                }
            }
        }
        Ok(match (self.reasons.is_empty(), self.actions.is_empty()) {
            (true, _) => named,
            (false, true) => needed,
            (false, false) => needed.intersection(&named).copied().collect(),
        })
    }

    /// A port number goes with protocols that have ports.
    fn check_numbers(&self) -> Result<()> {
        let (Some(number), Some(option)) = (
            self.protocol,
            [("--sport", self.sport), ("--dport", self.dport)]
                .into_iter()
                .find_map(|(option, port)| port.map(|_| option)),
        ) else {
            return Ok(());
        };
        match PortProtocol::of(number) {
            Some(_) => Ok(()),
            None => Err(Error::Usage(format!(
                "{option}: protocol {number} has no port numbers; leave one of the two out"
            ))),
        }
    }
}

/// What is shown if nothing is named.
const DEFAULT: [EventAction; 3] = [EventAction::Accept, EventAction::Drop, EventAction::Audit];

fn reasons() -> Vec<&'static str> {
    let reasons = EventAction::ALL.into_iter().flat_map(EventAction::reasons);
    let names: BTreeSet<_> = reasons.map(|(name, _)| name).collect();
    names.into_iter().collect()
}

fn has(action: EventAction, reason: &str) -> bool {
    action.reasons().iter().any(|(name, _)| *name == reason)
}

/// The ports of a group, of which there must be some.
fn ports_of<'a>(groups: &'a [GroupView], reference: &str) -> Result<&'a [String]> {
    match group_of(groups, reference)? {
        group if group.ports.is_empty() => Err(Error::NoPortsOfGroup(reference.into())),
        group => Ok(&group.ports),
    }
}

/// The group with this id, or else with this name.
///
/// # Errors
///
/// There is none, or there are several.
pub fn group_of<'a>(groups: &'a [GroupView], reference: &str) -> Result<&'a GroupView> {
    let of = |group: &'a GroupView| (group.id.parse().unwrap_or_default(), group.name.as_str());
    named::group(groups, of, reference)
}

fn address(text: &Option<String>) -> Option<IpAddr> {
    text.as_ref()?.parse().ok()
}

#[cfg(test)]
mod tests;
