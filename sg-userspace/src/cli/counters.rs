//! `sgctl counters`

use clap::Args;

use super::{
    Context,
    table::{dash, table},
};
use crate::{error::Result, exit::Exit, view::PortCounters};

/// Show what was counted, by direction and reason
#[derive(Debug, Args)]
pub struct CountersArgs {
    /// Id, interface, MAC, IP address or name; all ports if not given
    port: Option<String>,
}

impl CountersArgs {
    pub async fn run(self, context: &Context) -> Result<Exit> {
        context.print(
            context
                .client
                .counters(self.port.as_deref())
                .await?
                .as_slice(),
            text,
        )?;
        Ok(Exit::Ok)
    }
}

/// What was counted at all; JSON has the zeros too.
fn text(ports: &[PortCounters]) -> String {
    let rows = ports.iter().flat_map(|port| {
        let interface = match port.vlan {
            Some(vlan) if !port.interface.is_empty() => format!("{}.{vlan}", port.interface),
            _ => port.interface.clone(),
        };
        let called = [&port.name, &interface, &port.port];
        let called = called
            .into_iter()
            .find(|name| !name.is_empty())
            .cloned()
            .unwrap_or_default();
        let directions = [
            ("egress", &port.counters.egress),
            ("ingress", &port.counters.ingress),
        ];
        let counts = directions.into_iter().flat_map(|(direction, counts)| {
            counts
                .iter()
                .map(move |(reason, count)| (direction, reason, count))
        });
        counts
            .filter(|(.., count)| count.packets > 0)
            .map(move |(direction, reason, count)| {
                let (packets, bytes) = (count.packets.to_string(), count.bytes.to_string());
                [
                    dash(called.clone()),
                    direction.into(),
                    reason.clone(),
                    packets,
                    bytes,
                ]
            })
    });
    table(["PORT", "DIRECTION", "REASON", "PACKETS", "BYTES"], rows)
}
