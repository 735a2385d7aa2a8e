//! Rates, printed once.

use std::time::Duration;

use tokio::time::sleep;

use super::{
    number::percent,
    order::Order,
    rates::{DropRate, PortRates, Rates},
    scope::Scope,
};
use crate::{
    api::Client,
    cli::{
        Context, output,
        table::{dash, table},
    },
    error::Result,
};

/// What two samples differ by that are taken so far apart.
pub async fn rates(client: &Client, scope: &Scope, interval: Duration) -> Result<Rates> {
    let before = scope.of(client.sample().await?);
    sleep(interval).await;
    let after = scope.of(client.sample().await?);
    Ok(Rates::between(Some(&before), &after))
}

/// Prints them, and says so if there are none.
pub fn print(
    context: &Context,
    mut rates: Rates,
    order: Order,
    limit: Option<usize>,
) -> Result<()> {
    if rates.ports.is_empty() {
        output::say("no port of this node is what was asked for");
    }
    let mut ports: Vec<_> = rates.ports.iter().collect();
    order.sort(&mut ports);
    ports.truncate(limit.unwrap_or(usize::MAX));
    rates.ports = ports.into_iter().cloned().collect();
    context.print(&rates, text)
}

/// The ports, and then, if anything was ever refused, what.
pub(super) fn text(rates: &Rates) -> String {
    let mut text = ports(&rates.ports);
    if !rates.drops.is_empty() {
        text.push('\n');
        text.push_str(&drops(&rates.drops));
    }
    text
}

fn ports(ports: &[PortRates]) -> String {
    let rows = ports.iter().map(|port| {
        let rates = port.per_second;
        let held = port.connections;
        [
            dash(port.called()),
            dash(port.place()),
            port.state.as_str().into(),
            rate(rates.map(|rates| rates.packets)),
            rate(rates.map(|rates| rates.bytes)),
            rate(rates.map(|rates| rates.drops)),
            rate(rates.map(|rates| rates.new_connections)),
            dash(
                held.map(|held| held.assured.to_string())
                    .unwrap_or_default(),
            ),
            percent(port.share()),
        ]
    });
    table(
        [
            "PORT",
            "INTERFACE",
            "STATE",
            "PACKETS/S",
            "BYTES/S",
            "DROPS/S",
            "NEW/S",
            "CONNS",
            "QUOTA",
        ],
        rows,
    )
}

fn drops(drops: &[DropRate]) -> String {
    let rows = drops.iter().map(|drop| {
        [
            drop.direction.clone(),
            drop.reason.clone(),
            rate(drop.per_second),
            drop.total.to_string(),
        ]
    });
    table(["DIRECTION", "REASON", "DROPS/S", "TOTAL"], rows)
}

/// For `awk`: no units.
fn rate(rate: Option<f64>) -> String {
    rate.map_or("-".into(), |rate| format!("{rate:.1}"))
}
