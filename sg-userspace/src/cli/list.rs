//! `sgctl list`

use clap::{Args, ValueEnum};

use super::{
    Context, flows,
    table::{dash, table},
    troubles, unused,
};
use crate::{
    error::Result,
    exit::Exit,
    flows::FlowFilter,
    view::{GroupView, PortView},
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
    /// The rules of the ports on this node, what they have permitted, and when last
    Rules,
    /// The tracked connections; `flows list` does the same, and has filters
    Flows,
}

impl ListArgs {
    pub fn is_of_flows(&self) -> bool {
        matches!(self.what, What::Flows)
    }

    pub async fn run(self, context: &Context) -> Result<Exit> {
        match self.what {
            What::Ports => {
                let all = context.client.ports().await?;
                context.print(all.as_slice(), ports)?;
                if all.iter().any(|port| port.state.is_leaky()) {
                    return Ok(Exit::Leaky);
                }
            }
            What::Groups => context.print(context.client.groups().await?.as_slice(), groups)?,
            What::Rules => {
                let usage = context.client.usage(None, None).await?;
                context.print(usage.rules.as_slice(), |rules| unused::list(rules.iter()))?;
            }
            What::Flows => return flows::list(context, &FlowFilter::default()).await,
        }
        Ok(Exit::Ok)
    }
}

fn ports(ports: &[PortView]) -> String {
    let rows = ports.iter().map(|port| {
        [
            dash(port.id.clone()),
            dash(port.name.clone()),
            dash(port.interface.clone()),
            dash(port.vlan.map(|vlan| vlan.to_string()).unwrap_or_default()),
            dash(
                port.mac_address
                    .map(|mac| mac.to_string())
                    .unwrap_or_default(),
            ),
            dash(port.addresses.join(",")),
            dash(port.security_groups.join(",")),
            port.state.as_str().into(),
        ]
    });
    let all = ports.iter().flat_map(|port| port.troubles.clone());
    let all: Vec<_> = all.collect();
    let table = table(
        [
            "ID",
            "NAME",
            "INTERFACE",
            "VLAN",
            "MAC",
            "ADDRESSES",
            "GROUPS",
            "STATE",
        ],
        rows,
    );
    table + &troubles::lines(&all)
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

#[cfg(test)]
mod tests;
