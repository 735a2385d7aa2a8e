//! The filter of a port as an ordered list, in the order in which a packet meets it
//! (`sg_common::filter`).

use sg_common::reason::{Accept, DropReason, Verdict};

use super::{PortCounts, phrase};
use crate::{
    model::{Direction, Family, Port},
    view::{Count, Outcome, RuleView, StageView},
};

/// One line of the list: name, sentence, and the verdicts that belong to it (all of one kind).
struct Line {
    stage: &'static str,
    text: &'static str,
    verdicts: &'static [Verdict],
}

const fn line(stage: &'static str, text: &'static str, verdicts: &'static [Verdict]) -> Line {
    Line {
        stage,
        text,
        verdicts,
    }
}

const UNFILTERED: &[Line] = &[line(
    "unfiltered",
    "port security is off or the port is trusted: everything passes",
    &[Ok(Accept::Unfiltered)],
)];

const CLOSED: &[Line] = &[line(
    "closed",
    "no port is applied to this interface: nothing passes",
    &[Err(DropReason::NoPort)],
)];

const MALFORMED: Line = line(
    "malformed",
    "frames that are cut short or contradict themselves",
    &[
        Err(DropReason::MalformedEthernet),
        Err(DropReason::MalformedArp),
        Err(DropReason::MalformedIpv4),
        Err(DropReason::MalformedIpv6),
        Err(DropReason::ExtensionHeaders),
    ],
);
const ENCAPSULATED: Line = line(
    "encapsulated",
    "IP, ARP or an ethertype behind LLC",
    &[Err(DropReason::Encapsulated)],
);
const ETHERTYPE: Line = line("ethertype", "neither IP nor ARP", &[Ok(Accept::Ethertype)]);
const REFUSED_ETHERTYPE: Line = line(
    "refused_ethertype",
    "neither IP nor ARP, unless the settings let it pass",
    &[Err(DropReason::RefusedEthertype)],
);
const VLAN: Line = line(
    "vlan",
    "VLAN tags that belong to no subport",
    &[Err(DropReason::Vlan)],
);
const TAGGED: Line = line(
    "tagged",
    "VLAN tags that belong to no subport, if the settings let them pass",
    &[Ok(Accept::Tagged)],
);
const ESTABLISHED: Line = line(
    "established",
    "established and related connections",
    &[
        Ok(Accept::Established),
        Ok(Accept::Related),
        Ok(Accept::Fragment),
    ],
);
const REVOKED: Line = line(
    "revoked",
    "connections that the rules no longer permit",
    &[Err(DropReason::Revoked)],
);
const FRAGMENTS: Line = line(
    "fragments",
    "fragments that hide their transport header, or belong to nothing",
    &[
        Err(DropReason::FragmentUnknown),
        Err(DropReason::FragmentTiny),
        Err(DropReason::FragmentOverlap),
    ],
);
const RULES: Line = line(
    "rules",
    "rules of the security groups",
    &[
        Ok(Accept::New),
        Ok(Accept::Stateless),
        Ok(Accept::InvalidPermitted),
    ],
);
const INVALID: Line = line(
    "invalid",
    "packets that fit no connection",
    &[
        Err(DropReason::InvalidTransport),
        Err(DropReason::InvalidTcpFlags),
        Err(DropReason::InvalidTcpState),
        Err(DropReason::InvalidTcpReset),
        Err(DropReason::InvalidTcpWindow),
        Err(DropReason::InvalidSctp),
        Err(DropReason::InvalidIcmp),
    ],
);
const AUDIT: Line = line(
    "audit",
    "everything else, because the port is in audit",
    &[Ok(Accept::Audit)],
);
const OTHERWISE: Line = line("otherwise", "everything else", &[Err(DropReason::NoRule)]);

const EGRESS: &[Line] = &[
    MALFORMED,
    VLAN,
    line(
        "source_mac",
        "a source MAC that is none of these",
        &[Err(DropReason::SpoofedMac)],
    ),
    TAGGED,
    ENCAPSULATED,
    REFUSED_ETHERTYPE,
    ETHERTYPE,
    line(
        "arp_spoof",
        "ARP with a sender that is none of these",
        &[Err(DropReason::SpoofedArp)],
    ),
    line("arp", "other ARP", &[Ok(Accept::Arp)]),
    FRAGMENTS,
    line(
        "source_family",
        "a source address of a family that the port has none of",
        &[Err(DropReason::OtherFamilySource)],
    ),
    line(
        "source_unspecified",
        "0.0.0.0 or :: as source, but for DHCP and the detection of an address",
        &[Err(DropReason::UnspecifiedSource)],
    ),
    line(
        "source_link_local",
        "a link-local source address that is none of the port's",
        &[Err(DropReason::LinkLocalSource)],
    ),
    line(
        "source_address",
        "any other source address that is none of these",
        &[Err(DropReason::SpoofedAddress)],
    ),
    line(
        "neighbor_spoof",
        "neighbor advertisements for an address that is none of these",
        &[Err(DropReason::SpoofedNeighbor)],
    ),
    line(
        "dhcp_server",
        "DHCP and DHCPv6 server",
        &[Err(DropReason::DhcpServer)],
    ),
    line(
        "router_advertisement",
        "router advertisements",
        &[Err(DropReason::RouterAdvertisement)],
    ),
    ESTABLISHED,
    REVOKED,
    line("dhcp", "DHCP and DHCPv6 client", &[Ok(Accept::Dhcp)]),
    line("icmpv6", "other ICMPv6", &[Ok(Accept::Icmpv6)]),
    RULES,
    INVALID,
    AUDIT,
    OTHERWISE,
];

const INGRESS: &[Line] = &[
    MALFORMED,
    VLAN,
    TAGGED,
    ENCAPSULATED,
    REFUSED_ETHERTYPE,
    ETHERTYPE,
    line("arp", "ARP", &[Ok(Accept::Arp)]),
    FRAGMENTS,
    ESTABLISHED,
    REVOKED,
    line(
        "icmpv6",
        "ICMPv6 that IPv6 needs: MLD queries, neighbor discovery, router advertisements",
        &[Ok(Accept::Icmpv6)],
    ),
    line(
        "dhcp",
        "answers of DHCP and DHCPv6 servers",
        &[Ok(Accept::Dhcp)],
    ),
    RULES,
    INVALID,
    AUDIT,
    OTHERWISE,
];

/// The list of a filtered port. `rules` go into the stage that asks them.
pub fn filtered(
    port: &Port,
    is_audited: bool,
    direction: Direction,
    counts: &PortCounts,
    rules: Vec<RuleView>,
) -> Vec<StageView> {
    let lines = match direction {
        Direction::Ingress => INGRESS,
        Direction::Egress => EGRESS,
    };
    let mut stages = views(lines, direction, counts);
    for stage in &mut stages {
        stage.values = values(&stage.stage, port);
    }
    if let Some(stage) = stages.iter_mut().find(|stage| stage.stage == RULES.stage) {
        stage.rules = rules;
    }
    if !is_audited {
        // What it has passed before is told; otherwise nobody has to know of it.
        stages.retain(|stage| stage.stage != AUDIT.stage || stage.count.packets > 0);
    }
    stages
}

/// The list of a port that is not filtered.
pub fn unfiltered(direction: Direction, counts: &PortCounts) -> Vec<StageView> {
    views(UNFILTERED, direction, counts)
}

/// The list of a port that is closed.
pub fn closed(direction: Direction, counts: &PortCounts) -> Vec<StageView> {
    views(CLOSED, direction, counts)
}

fn views(lines: &[Line], direction: Direction, counts: &PortCounts) -> Vec<StageView> {
    lines
        .iter()
        .map(|line| line.view(direction, counts))
        .collect()
}

impl Line {
    fn view(&self, direction: Direction, counts: &PortCounts) -> StageView {
        let mut count = Count::default();
        for verdict in self.verdicts {
            count += counts.verdict(direction, *verdict).into();
        }
        let accepts = self.verdicts.iter().all(Result::is_ok);
        StageView {
            stage: self.stage.into(),
            text: self.text.into(),
            outcome: if accepts {
                Outcome::Accept
            } else {
                Outcome::Drop
            },
            reasons: self
                .verdicts
                .iter()
                .map(|verdict| name(verdict).into())
                .collect(),
            count,
            values: Vec::new(),
            rules: Vec::new(),
        }
    }
}

/// The name of a verdict in the counters.
pub fn name(verdict: &Verdict) -> &'static str {
    match verdict {
        Ok(accept) => accept.as_str(),
        Err(reason) => reason.as_str(),
    }
}

/// The stage that gives a verdict.
pub fn of(verdict: &Verdict) -> &'static str {
    let lines = [EGRESS, INGRESS, CLOSED, UNFILTERED].into_iter().flatten();
    let mut lines = lines.filter(|line| line.verdicts.contains(verdict));
    lines.next().map_or("otherwise", |line| line.stage)
}

/// What a stage compares with.
fn values(stage: &str, port: &Port) -> Vec<String> {
    match stage {
        "source_mac" => {
            let mut macs = vec![port.mac];
            for pair in &port.pairs {
                if !macs.contains(&pair.mac) {
                    macs.push(pair.mac);
                }
            }
            macs.iter().map(ToString::to_string).collect()
        }
        "source_address" => phrase::source_addresses(port, None),
        "arp_spoof" => phrase::source_addresses(port, Some(Family::V4)),
        "neighbor_spoof" => phrase::source_addresses(port, Some(Family::V6)),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests;
