//! `sgctl flows adopt`

use std::collections::BTreeMap;

use clap::Args;

use super::list;
use crate::{
    cli::{
        Context,
        table::{dash, table},
    },
    error::Result,
    exit::Exit,
    view::{AdoptReport, AdoptRequest, AdoptedPort, FlowView, RefusedFlow},
};

/// Take over connections from the kernel's own tracker, where another filter was in force
///
/// For a node whose ports were filtered by iptables or Open vSwitch: what nf_conntrack has of a port goes on
/// under this filter, also what is idle and what the rules let only the other side open. The daemon asks the
/// kernel, in its network namespace, and judges each connection as `flows import` does: those whose first packet
/// the port would drop are refused and listed (exit code 4). Connections that the port tracks already stay, but
/// for those that it has met in the middle and taken for opened by the wrong side. nf_conntrack itself is only read, and
/// it may be done again at any time.
///
/// nf_conntrack keeps connections in zones: Neutron's hybrid iptables driver has one for each port, its Open
/// vSwitch driver one for each network, and what is in none is in zone 0. Without --zone, the zone of a port is the
/// one with every answered connection of the port's addresses that any zone has: what two VMs of a node say to
/// each other is in the zones of both, and all else in the port's alone. If no zone has them all, as where two
/// networks of the node have the same addresses, nothing is taken over, and the zones are listed (exit code 4).
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct AdoptArgs {
    /// Of one port, by id, interface, MAC, IP address or name; otherwise of every filtered port that has an
    /// interface here
    #[arg(long)]
    port: Option<String>,
    /// Of this zone of nf_conntrack
    #[arg(long, value_name = "NUMBER", requires = "port")]
    zone: Option<u16>,
}

const EXAMPLES: &str = "\
Examples:
  sgctl flows adopt
  sgctl flows adopt --port tap11111111-11
  sgctl flows adopt --port tap11111111-11 --zone 4097

The zone of a port, by Neutron's hybrid iptables driver and by its Open vSwitch driver:
  iptables -t raw -S neutron-openvswi-PREROUTING | grep tap11111111-11
  ovs-vsctl get port tap11111111-11 tag";

impl AdoptArgs {
    pub async fn run(self, context: &Context) -> Result<Exit> {
        let Self { port, zone } = self;
        let request = AdoptRequest { port, zone };
        let report = context.client.adopt_flows(&request).await?;
        context.print(&report, text)?;
        Ok(exit(&report))
    }
}

fn exit(report: &AdoptReport) -> Exit {
    let incomplete = report.ports.iter().any(|port| port.incomplete);
    match incomplete || report.unreadable > 0 {
        true => Exit::LeftOut,
        false => Exit::Ok,
    }
}

fn text(report: &AdoptReport) -> String {
    let mut text = table(
        [
            "PORT",
            "NAME",
            "ZONE",
            "ADOPTED",
            "HERE ALREADY",
            "ENDED",
            "REFUSED",
            "NOT UNDERSTOOD",
        ],
        report.ports.iter().map(row),
    );
    if report.ports.is_empty() {
        text = "no port of the inventory is filtered and has an interface here\n".into();
    }
    for port in &report.ports {
        text += &notes(port);
    }
    if report.unreadable > 0 {
        text += &format!(
            "{} connections of nf_conntrack could not be read\n",
            report.unreadable
        );
    }
    if report
        .ports
        .iter()
        .all(|port| port.adopted + port.existing == 0)
    {
        text += &format!(
            "nf_conntrack of the daemon's network namespace has {}\n",
            all(&report.zones)
        );
    }
    text + &refused(report)
}

/// What was refused, by reasons.
fn refused(report: &AdoptReport) -> String {
    let mut reasons = BTreeMap::<&str, Vec<FlowView>>::new();
    for RefusedFlow { flow, reason } in report.ports.iter().flat_map(|port| &port.refused) {
        reasons.entry(reason).or_default().push(flow.clone());
    }
    let each = reasons.iter().map(|(reason, flows)| {
        let flows = list::text(flows);
        format!("refused, because the port would drop their first packet ({reason}):\n{flows}")
    });
    each.collect()
}

fn row(port: &AdoptedPort) -> [String; 8] {
    let zone = port.zone.map(|zone| zone.to_string());
    [
        port.port.clone(),
        dash(port.name.clone()),
        dash(zone.unwrap_or_default()),
        port.adopted.to_string(),
        port.existing.to_string(),
        port.expired.to_string(),
        port.refused.len().to_string(),
        port.not_understood.len().to_string(),
    ]
}

/// What there is to be said of a port beside its row.
fn notes(port: &AdoptedPort) -> String {
    let mut notes: Vec<String> = port.note.iter().cloned().collect();
    if port.evictable > 0 {
        notes.push(format!(
            "{} of those adopted are no longer assured: the table or the port's share is full",
            port.evictable
        ));
    }
    if port.no_room > 0 {
        notes.push(format!(
            "{} were not stored: the tables are full (see `sgctl status`)",
            port.no_room
        ));
    }
    let strange = port.not_understood.iter();
    notes.extend(
        strange.map(|strange| format!("not understood: {}: {}", strange.flow, strange.reason)),
    );
    let lines = notes
        .iter()
        .map(|note| format!("port {}: {note}\n", port.port));
    lines.collect()
}

fn all(zones: &BTreeMap<u16, u64>) -> String {
    let each = zones
        .iter()
        .map(|(zone, count)| format!("{count} connections in zone {zone}"));
    match zones.is_empty() {
        true => "no connection at all".into(),
        false => each.collect::<Vec<_>>().join(", "),
    }
}

#[cfg(test)]
mod tests;
