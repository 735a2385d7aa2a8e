//! `sgctl explain`

mod last_drop;

use std::{path::PathBuf, time::Duration};

use clap::{ArgGroup, Args};

use super::{
    Context,
    event::{local_time, packet_text},
    output,
    table::table,
};
use crate::{
    error::{Error, Result},
    exit::Exit,
    packet::{PacketArgs, packet_of, to_hex},
    view::{
        Differs, EventAction, ExplainRequest, ExplainView, FrameView, Outcome, PacketView,
        RuleView, Way,
    },
};

/// Walk a packet through a port's filter
///
/// Builds the packet that the words name, or takes one that was captured, and walks it through the very
/// code that runs in the kernel, over the tables as they are, without sending it. With --last-drop it is the
/// last packet of the port that was refused: one that was told to anybody since the daemon runs, or else the
/// next, which is waited for, because the kernel tells nothing while nobody asks. If no rule permits the packet,
/// the rules that come nearest are shown, and the command that makes the one that is missing. Ends with 0 if
/// the packet is accepted and with 10 if it is dropped; with 7 if --last-drop has waited for nothing.
#[derive(Debug, Args)]
#[command(
    after_help = EXAMPLES,
    group = ArgGroup::new("what").required(true).args(["protocol", "hex", "pcap", "last_drop"])
)]
pub struct ExplainArgs {
    /// The port, by id, interface, MAC, IP address or name
    #[arg(long, required_unless_present = "last_drop")]
    port: Option<String>,
    #[command(flatten)]
    direction: Direction,
    #[command(flatten)]
    packet: PacketArgs,
    /// The packet as a frame in hexadecimal digits, from its Ethernet header on; white space and colons between
    /// them are passed over
    #[arg(long, value_name = "DIGITS")]
    hex: Option<String>,
    /// A packet of a capture, pcap or pcapng
    #[arg(long, value_name = "FILE")]
    pcap: Option<PathBuf>,
    /// Which packet of the capture, counted from 1
    #[arg(
        long = "packet",
        requires = "pcap",
        conflicts_with_all = ["protocol", "hex", "last_drop"],
        default_value_t = 1,
        value_name = "NUMBER"
    )]
    number: usize,
    /// The last refused packet of this port
    #[arg(long, value_name = "PORT", conflicts_with = "port")]
    last_drop: Option<String>,
    /// How long to wait for one, e.g. 30s or 5m
    #[arg(
        long,
        requires = "last_drop",
        conflicts_with_all = ["protocol", "hex", "pcap"],
        default_value = "10s",
        value_name = "DURATION",
        value_parser = humantime::parse_duration
    )]
    wait: Duration,
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
  sgctl explain --port WEB1 --ingress gre 198.51.100.7 10.0.0.5
  sgctl explain --port WEB1 --ingress --pcap tap.pcap --packet 7
  sgctl explain --last-drop WEB1 --wait 1m";

#[derive(Debug, Args)]
struct Direction {
    /// The packet goes to the VM
    #[arg(
        long,
        required_unless_present_any = ["egress", "last_drop"],
        conflicts_with_all = ["egress", "last_drop"]
    )]
    ingress: bool,
    /// The packet comes from the VM
    #[arg(long, conflicts_with = "last_drop")]
    egress: bool,
}

impl ExplainArgs {
    pub async fn run(self, context: &Context) -> Result<Exit> {
        let (request, told) = match &self.last_drop {
            Some(port) => {
                let told = last_drop::last_drop(context, port, self.wait).await?;
                (of_told(&told), Some(told))
            }
            None => (self.request()?, None),
        };
        let mut view = context.client.explain(&request).await?;
        view.told = told;
        context.print(&view, text)?;
        Ok(match view.verdict {
            Outcome::Accept | Outcome::Continue => Exit::Ok,
            Outcome::Drop => Exit::Dropped,
        })
    }

    fn request(self) -> Result<ExplainRequest> {
        let direction = match self.direction.ingress {
            true => Way::Ingress,
            // One of the two is there.
            false => Way::Egress,
        };
        let frame = |bytes, length| FrameView {
            bytes,
            length,
            vlan: self.packet.vlan,
        };
        let frame = match (self.hex, &self.pcap) {
            (Some(digits), _) => Some(frame(digits, None)),
            (None, Some(path)) => {
                let capture = output::read(path)?;
                let found = packet_of(&capture, self.number);
                let found = found.map_err(|problem| Error::Capture {
                    path: path.clone(),
                    problem,
                })?;
                Some(frame(to_hex(&found.bytes), Some(found.length)))
            }
            (None, None) => None,
        };
        let packet = match frame {
            Some(_) => None,
            None => {
                let words = self.packet.parse();
                Some(words.map_err(|error| Error::Usage(error.to_string()))?)
            }
        };
        Ok(ExplainRequest {
            port: self.port.unwrap_or_default(),
            direction,
            packet,
            frame,
        })
    }
}

/// Asks what would become of a packet that was told.
fn of_told(told: &PacketView) -> ExplainRequest {
    ExplainRequest {
        port: told.port.clone(),
        direction: match told.direction.as_str() {
            "ingress" => Way::Ingress,
            _ => Way::Egress,
        },
        packet: None,
        frame: Some(FrameView {
            bytes: told.frame.clone(),
            length: Some(told.length),
            vlan: told.vlan,
        }),
    }
}

fn text(view: &ExplainView) -> String {
    let told = view.told.as_ref().map(told).unwrap_or_default();
    told + &walk(view)
}

/// The packet that was told, and what became of it then.
fn told(told: &PacketView) -> String {
    let became = match told.action {
        Some(EventAction::Audit) => "passed in audit",
        _ => "was refused",
    };
    format!(
        "{} {became} at {}, {} ({})\n\n",
        packet_text(told),
        local_time(&told.time),
        told.direction,
        told.reason
    )
}

fn walk(view: &ExplainView) -> String {
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
        text.push_str(&format!("rule {}\n", rule_text(rule)));
    }
    for near in &view.near {
        let differs = match near.differs {
            Differs::Remote => "for another remote",
            Differs::Port => "for other ports",
        };
        text.push_str(&format!(
            "near, {differs}: rule {}\n",
            rule_text(&near.rule)
        ));
    }
    if let Some(remedy) = &view.remedy {
        text.push_str(&format!("to permit it: {remedy}\n"));
    }
    let told = view.told.as_ref().and_then(|told| told.action);
    match (view.verdict, told) {
        (Outcome::Accept, Some(EventAction::Audit)) if view.remedy.is_none() => text.push_str(
            "it is of the connection that audit has let in: with another source port `sgctl explain` \
             names the rule that is missing\n",
        ),
        (Outcome::Accept, Some(EventAction::Drop)) => {
            text.push_str("it would pass now: what has refused it is no more\n");
        }
        _ => {}
    }
    for hint in &view.hints {
        text.push_str(&format!("hint: {hint}\n"));
    }
    text
}

fn rule_text(rule: &RuleView) -> String {
    format!("{}: {} ({})", rule.id, rule.text, rule.security_group)
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
