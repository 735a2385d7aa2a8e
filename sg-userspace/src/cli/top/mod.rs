//! `sgctl top`

mod draw;
mod number;
mod once;
mod order;
mod rates;
mod scope;
mod screen;
mod state;

use std::time::Duration;

use clap::Args;

use self::{
    order::{Column, Order},
    scope::ScopeArgs,
    state::State,
};
use super::{Context, Format, output};
use crate::{error::Result, exit::Exit};

/// Show which ports are busy, on a screen that follows
///
/// On a terminal, until q is typed: ports by packets, bytes, refused packets and new connections a second and by
/// their share of the quota of connections, and below what is refused, by reason. Keys: < and > choose the column
/// to sort by (or o, p, b, d, n, c and u: pOrt, Packets, Bytes, Drops, New connections, Connections, qUota), r
/// reverses, / narrows to ports that have what is then typed in their name, id, interface, groups or in a reason
/// for which they refuse now, Enter shows the drops of the port at the cursor, Esc those of all again and takes the
/// filter off, the space bar pauses, + and - change the interval.
///
/// Elsewhere, and with -o json, it takes two samples and prints once what they differ by. Packets are counted as the
/// filter sees them: what is sent between two ports of the node counts at both, and many segments that the kernel
/// carries as one are one packet.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct TopArgs {
    /// What is sorted by
    #[arg(long, value_name = "COLUMN", default_value = "packets")]
    sort: Column,
    /// The other way round
    #[arg(short, long)]
    reverse: bool,
    /// How many ports at most
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u16).range(1..))]
    limit: Option<u16>,
    /// Time between samples, e.g. 500ms or 10s
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = interval)]
    interval: Duration,
    #[command(flatten)]
    scope: ScopeArgs,
}

const EXAMPLES: &str = "\
Examples:
  sgctl top
  sgctl top --sort drops --group WEB_SERVERS
  sgctl top --interval 10s --limit 5 | cat
  sgctl top --port WEB1 -o json";

/// The daemon has other things to do as well.
const SHORTEST: Duration = Duration::from_millis(100);

impl TopArgs {
    pub async fn run(self, context: &Context) -> Result<Exit> {
        let scope = self.scope.resolve(&context.client).await?;
        let order = Order {
            column: self.sort,
            is_reversed: self.reverse,
        };
        let limit = self.limit.map(usize::from);
        if context.format == Format::Table && output::is_terminal() {
            let mut state = State::new(scope, order, limit, self.interval);
            // Where there is nothing to show there is no screen.
            state.take(Ok(context.client.sample().await?));
            screen::run(&context.client, state).await?;
        } else {
            let rates = once::rates(&context.client, &scope, self.interval).await?;
            once::print(context, rates, order, limit)?;
        }
        Ok(Exit::Ok)
    }
}

fn interval(text: &str) -> std::result::Result<Duration, String> {
    let interval = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    match interval < SHORTEST {
        true => Err(format!(
            "{text} is too short; {} is the least",
            humantime::format_duration(SHORTEST)
        )),
        false => Ok(interval),
    }
}

#[cfg(test)]
mod tests;
