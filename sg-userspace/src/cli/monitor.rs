//! `sgctl monitor`

mod filter;
mod flow_log;
mod names;
mod pcap;
mod text;

use std::{fs::File, io::Write, path::PathBuf, time::Duration};

use clap::Args;
use jiff::tz::TimeZone;
use tokio::time::{Instant, timeout_at};

pub use self::filter::group_of;
use self::{filter::EventFilter, names::Names, pcap::Capture, text::Columns};
use super::{Context, Format, output};
use crate::{
    error::{Error, Result},
    exit::Exit,
    view::{EventLine, EventsRequest, LostView, PacketView},
};

/// Show packets as they are refused or open connections
///
/// Each refused packet and the first of each connection that a rule permits, as the kernel tells them, until
/// it is stopped (Ctrl-C). The kernel tells nothing as long as nobody asks. Of one port and action
/// it tells no more than --rate a second and --burst at once; what is over that, or read too slowly, is counted and
/// shown as lost. Filters but --port, --group and --action choose among what was told.
///
/// With -o json each line is JSON as in `POST /v1/events`; with -o pcap it is pcapng for Wireshark, in which
/// each packet has its port's interface, and in its comment the verdict and the reason; with -o flow-log it is
/// VPC flow log records of version 2, of single packets. Ends with 0 after --count or --for, with 2 if the filters
/// contradict each other, with 7 if a port or group is not there or the group has no ports, and with 5
/// when the daemon ends.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct MonitorArgs {
    /// How many events a second of one port and action [default: 100]
    #[arg(long, value_name = "NUMBER")]
    rate: Option<u32>,
    /// How many of them at once [default: 25]
    #[arg(long, value_name = "NUMBER")]
    burst: Option<u32>,
    /// End after so many events
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// End after so long, e.g. 30s or 5m
    #[arg(long = "for", value_name = "DURATION", value_parser = humantime::parse_duration)]
    duration: Option<Duration>,
    /// Write pcapng to a file, beside what is shown, or with -o pcap in its place
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
    // The last, because what follows a heading stands under it.
    #[command(flatten)]
    filter: EventFilter,
}

const EXAMPLES: &str = "\
Examples:
  sgctl monitor
  sgctl monitor --port WEB1 --action drop
  sgctl monitor --group WEB_SERVERS --reason no_rule --ingress -p tcp --dport 22
  sgctl monitor --address 198.51.100.0/24 --for 1m -o json
  sgctl monitor --port WEB1 --write WEB1.pcapng
  sgctl monitor --port WEB1 -o pcap | wireshark -k -i -";

/// A line of the daemon's answer that is understood.
pub enum Line {
    /// Something happened to a packet.
    Packet(Box<PacketView>),
    /// Something was not told.
    Lost(LostView),
}

impl MonitorArgs {
    pub async fn run(self, context: &Context) -> Result<Exit> {
        if context.format == Format::Pcap && self.write.is_none() && output::is_terminal() {
            return Err(Error::Usage(
                "pcapng is nothing for a terminal; name a file with --write, or pass it on: | wireshark -k -i -"
                    .into(),
            ));
        }
        let deadline = self.duration.map(|duration| Instant::now() + duration);
        let request = EventsRequest {
            rate: self.rate,
            burst: self.burst,
            ..self.filter.request(&context.client).await?
        };
        let mut names = Names::default();
        names.take(context.client.ports().await?);
        let mut printer = Printer::new(context.format, self.write, &names, &request)?;
        let mut lines = context.client.events(&request).await?;
        if !printer.begin()? {
            return Ok(Exit::Ok);
        }
        let mut left = self.count;
        let over = || deadline.is_some_and(|deadline| Instant::now() >= deadline);
        while left != Some(0) && !over() {
            let text = match (lines.here(), deadline) {
                (Some(text), _) => text,
                (None, None) => lines.next().await?,
                (None, Some(deadline)) => match timeout_at(deadline, lines.next()).await {
                    Ok(text) => text?,
                    Err(_) => break,
                },
            };
            // Kinds of lines that are not known here are skipped.
            let line = match serde_json::from_str(&text) {
                Ok(EventLine::Lost(lost)) => Line::Lost(lost),
                Ok(EventLine::Packet(packet)) if self.filter.matches(&packet) => {
                    left = left.map(|left| left - 1);
                    Line::Packet(packet)
                }
                _ => continue,
            };
            names.learn(&context.client, line.port()).await?;
            if !printer.print(&line, &text, &names)? {
                break;
            }
        }
        Ok(Exit::Ok)
    }
}

impl Line {
    fn port(&self) -> &str {
        match self {
            Self::Packet(packet) => &packet.port,
            Self::Lost(lost) => &lost.port,
        }
    }
}

/// Prints events in the form that was asked for. Each is passed on before the next is waited for.
struct Printer {
    format: Format,
    columns: Columns,
    capture: Option<Capture>,
    file: Option<(File, PathBuf)>,
}

impl Printer {
    fn new(
        format: Format,
        write: Option<PathBuf>,
        names: &Names,
        request: &EventsRequest,
    ) -> Result<Self> {
        let captures = format == Format::Pcap || write.is_some();
        let capture = captures.then(Capture::new).transpose()?;
        let file = write.map(|path| match File::create(&path) {
            Ok(file) => Ok((file, path)),
            Err(source) => Err(Error::File {
                action: "write",
                path,
                source,
            }),
        });
        let longest = names.longest(request.ports.keys());
        Ok(Self {
            format,
            columns: Columns::new(longest, TimeZone::system()),
            capture,
            file: file.transpose()?,
        })
    }

    /// What comes before all events; says whether anybody reads.
    fn begin(&mut self) -> Result<bool> {
        let goes_on = match self.format {
            Format::Table => output::pour(self.columns.header().as_bytes())?,
            _ => true,
        };
        Ok(goes_on && self.pass_on()?)
    }

    /// Prints an event, which is also there as it came; says whether anybody reads.
    fn print(&mut self, line: &Line, text: &str, names: &Names) -> Result<bool> {
        let shown = match self.format {
            Format::Table => self.columns.line(line, names),
            Format::Json => format!("{text}\n"),
            Format::FlowLog => flow_log::line(line).unwrap_or_default(),
            Format::Pcap | Format::Conntrack => String::new(),
        };
        if let Some(capture) = &mut self.capture {
            capture.write(line, names)?;
        }
        Ok(output::pour(shown.as_bytes())? && self.pass_on()?)
    }

    /// Passes on what was written of a capture.
    fn pass_on(&mut self) -> Result<bool> {
        let Some(capture) = &mut self.capture else {
            return Ok(true);
        };
        let bytes = capture.take();
        match &mut self.file {
            None => output::pour(&bytes),
            Some((file, path)) => match file.write_all(&bytes) {
                Ok(()) => Ok(true),
                Err(source) => Err(Error::File {
                    action: "write",
                    path: path.clone(),
                    source,
                }),
            },
        }
    }
}

#[cfg(test)]
mod tests;
