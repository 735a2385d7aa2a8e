//! `sgctl flows list`

use std::net::{IpAddr, SocketAddr};

use super::conntrack;
use crate::{
    cli::{
        Context, Format, output,
        table::{dash, table},
    },
    error::Result,
    exit::Exit,
    flows::FlowFilter,
    view::{FlowView, Way},
};

/// Prints the connections that meet a filter.
pub async fn list(context: &Context, filter: &FlowFilter) -> Result<Exit> {
    let flows = context.client.flows(filter).await?;
    print(context, &flows)?;
    if context.format == Format::Conntrack {
        // Where conntrack says it too.
        output::say(&format!("{} flow entries have been shown.", flows.len()));
    }
    Ok(Exit::Ok)
}

/// Prints connections in the form that was asked for.
pub(super) fn print(context: &Context, flows: &[FlowView]) -> Result<()> {
    match context.format {
        Format::Conntrack => output::write(&flows.iter().map(conntrack::line).collect::<String>()),
        _ => context.print(flows, text),
    }
}

/// A table, read from each connection's VM.
pub fn text(flows: &[FlowView]) -> String {
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

fn end(address: IpAddr, port: u16) -> String {
    match port {
        0 => address.to_string(),
        port => SocketAddr::new(address, port).to_string(),
    }
}

#[cfg(test)]
mod tests;
