//! `sgctl list`

use clap::{Args, ValueEnum};

use super::{
    Context,
    show::state,
    table::{dash, table},
};
use crate::{
    api::{FlowView, GroupView, PortView, Way},
    error::Result,
    exit::Exit,
};

/// List objects
#[derive(Debug, Args)]
pub struct ListArgs {
    what: What,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum What {
    /// The ports of the inventory, and what their filters do
    Ports,
    /// The security groups, their rules and members
    Groups,
    /// The tracked connections
    Flows,
}

impl ListArgs {
    pub async fn run(self, context: &Context) -> Result<Exit> {
        match self.what {
            What::Ports => context.print(context.client.ports().await?.as_slice(), ports)?,
            What::Groups => context.print(context.client.groups().await?.as_slice(), groups)?,
            What::Flows => context.print(context.client.flows().await?.as_slice(), flows)?,
        }
        Ok(Exit::Ok)
    }
}

fn ports(ports: &[PortView]) -> String {
    let rows = ports.iter().map(|port| {
        [
            port.id.clone(),
            dash(port.name.clone()),
            dash(port.interface.clone()),
            dash(
                port.mac_address
                    .map(|mac| mac.to_string())
                    .unwrap_or_default(),
            ),
            dash(port.addresses.join(",")),
            dash(port.security_groups.join(",")),
            state(port.state).into(),
        ]
    });
    table(
        [
            "ID",
            "NAME",
            "INTERFACE",
            "MAC",
            "ADDRESSES",
            "GROUPS",
            "STATE",
        ],
        rows,
    )
}

fn groups(groups: &[GroupView]) -> String {
    let rows = groups.iter().map(|group| {
        let kind = if group.stateful {
            "stateful"
        } else {
            "stateless"
        };
        let (rules, ports) = (group.rules.len().to_string(), group.ports.len().to_string());
        [
            group.id.clone(),
            dash(group.name.clone()),
            kind.into(),
            rules,
            ports,
        ]
    });
    table(["ID", "NAME", "KIND", "RULES", "PORTS"], rows)
}

fn flows(flows: &[FlowView]) -> String {
    let rows = flows.iter().map(|flow| {
        let arrow = match flow.direction {
            Way::Ingress => "in",
            Way::Egress => "out",
        };
        let marks = [(flow.assured, "assured"), (flow.revoked, "revoked")];
        let marks = marks.iter().filter(|(set, _)| *set).map(|(_, mark)| *mark);
        [
            flow.port.clone(),
            arrow.into(),
            flow.protocol.clone(),
            end(flow.local, flow.local_port),
            end(flow.remote, flow.remote_port),
            dash(flow.state.clone()),
            dash(marks.collect::<Vec<_>>().join(",")),
            format!("{}s", flow.expires),
        ]
    });
    table(
        [
            "PORT", "WAY", "PROTOCOL", "LOCAL", "REMOTE", "STATE", "MARKS", "EXPIRES",
        ],
        rows,
    )
}

fn end(address: std::net::IpAddr, port: u16) -> String {
    match port {
        0 => address.to_string(),
        port => std::net::SocketAddr::new(address, port).to_string(),
    }
}

#[cfg(test)]
mod tests;
