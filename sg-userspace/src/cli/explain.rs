//! `sgctl explain`

use clap::Args;

use super::{Context, table::table};
use crate::{
    error::{Error, Result},
    exit::Exit,
    packet::PacketArgs,
    view::{ExplainRequest, ExplainView, Outcome, Way},
};

/// Walk a packet, given in words, through a port's filter
///
/// Builds the packet and walks it through the very code that runs in the kernel, over the tables
/// as they are, without sending it. Ends with 0 if it is accepted and with 10 if it is dropped.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct ExplainArgs {
    /// The port, by id, interface, MAC, IP address or name
    #[arg(long)]
    port: String,
    #[command(flatten)]
    direction: Direction,
    #[command(flatten)]
    packet: PacketArgs,
}

const EXAMPLES: &str = "\
Examples:
  sgctl explain --port WEB1 --ingress tcp 198.51.100.7:40000 10.0.0.5:80
  sgctl explain --port WEB1 --egress tcp 10.0.0.5:80 198.51.100.7:40000 --flags syn,ack
  sgctl explain --port WEB1 --ingress icmp 198.51.100.7 10.0.0.5 --type 8
  sgctl explain --port WEB1 --egress tcp [2001:db8::5]:40000 [2001:db8::1]:443
  sgctl explain --port WEB1 --egress arp 10.0.0.5 10.0.0.1 --sender-mac fa:16:3e:00:00:09
  sgctl explain --port WEB1 --egress tcp 10.0.0.5:80 198.51.100.7:40000 --src-mac fa:16:3e:00:00:09
  sgctl explain --port WEB1 --ingress udp 198.51.100.7:40000 10.0.0.5:53 --fragment later
  sgctl explain --port WEB1 --ingress icmp 192.0.2.1 10.0.0.5 --type 3 --code 4 \\
      --about tcp 10.0.0.5:80 198.51.100.7:40000
  sgctl explain --port WEB1 --ingress gre 198.51.100.7 10.0.0.5";

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Direction {
    /// The packet goes to the VM
    #[arg(long)]
    ingress: bool,
    /// The packet comes from the VM
    #[arg(long)]
    egress: bool,
}

impl ExplainArgs {
    pub async fn run(self, context: &Context) -> Result<Exit> {
        let view = context.client.explain(&self.request()?).await?;
        context.print(&view, text)?;
        Ok(match view.verdict {
            Outcome::Accept | Outcome::Continue => Exit::Ok,
            Outcome::Drop => Exit::Dropped,
        })
    }

    fn request(self) -> Result<ExplainRequest> {
        let packet = self
            .packet
            .parse()
            .map_err(|error| Error::Usage(error.to_string()))?;
        // The group has exactly one.
        let direction = if self.direction.ingress {
            Way::Ingress
        } else {
            Way::Egress
        };
        Ok(ExplainRequest {
            port: self.port,
            direction,
            packet,
        })
    }
}

fn text(view: &ExplainView) -> String {
    let rows = view.steps.iter().enumerate().map(|(place, step)| {
        let outcome = outcome(step.outcome).to_owned();
        [
            (place + 1).to_string(),
            step.stage.clone(),
            outcome,
            step.detail.clone(),
        ]
    });
    let mut text = table(["#", "STAGE", "OUTCOME", "DETAIL"], rows);
    let verdict = outcome(view.verdict);
    text.push_str(&format!(
        "\n{verdict}: {} ({})\n",
        view.sentence, view.reason
    ));
    if let Some(rule) = &view.rule {
        text.push_str(&format!(
            "rule {}: {} ({})\n",
            rule.id, rule.text, rule.security_group
        ));
    }
    for hint in &view.hints {
        text.push_str(&format!("hint: {hint}\n"));
    }
    text
}

fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Accept => "accept",
        Outcome::Drop => "drop",
        Outcome::Continue => "continue",
    }
}

#[cfg(test)]
mod tests;
