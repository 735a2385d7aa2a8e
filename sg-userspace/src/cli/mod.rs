//! The command lines of `sgctl` and `sgd`.

mod apply;
mod check;
mod completions;
mod config;
mod counters;
mod diff;
mod event;
mod explain;
mod flows;
mod list;
mod man;
mod monitor;
mod output;
mod progress;
mod settings;
mod sgd;
mod show;
mod status;
mod table;
mod troubles;
mod unused;

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};

pub use apply::tally;
pub use config::parse;
pub use progress::Progress;
pub use sgd::{
    AdoptMode, AttachMode, CloseArgs, DEFAULT_LOG, DetachArgs, PrepareArgs, RunArgs, Sgd,
    SgdCommand, SourceArgs, SweepMode,
};

use crate::{
    api::Client,
    error::{Error, Result},
    exit::Exit,
    settings::{File, Startup},
};

/// Where the daemon listens unless told otherwise.
pub const DEFAULT_SOCKET: &str = "/run/sgd/sgd.sock";

/// Speaks to sgd: applies security groups and shows what they do
#[derive(Debug, Parser)]
#[command(name = "sgctl", version, propagate_version = true, after_help = after_help())]
pub struct Sgctl {
    /// Socket of the daemon [default: what the configuration says, or /run/sgd/sgd.sock]
    #[arg(long, global = true, env = "SGD_SOCKET", value_name = "PATH")]
    socket: Option<PathBuf>,
    /// The daemon's configuration, which may name its socket [default: /etc/sgd/sgd.toml, if it can be read]
    #[arg(long, global = true, env = "SGD_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// A table for people, JSON for programs
    #[arg(
        short,
        long,
        global = true,
        value_name = "FORMAT",
        default_value = "table"
    )]
    output: Format,
    #[command(subcommand)]
    verb: Verb,
}

/// How a verb prints its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Columns of text.
    Table,
    /// The JSON of the daemon's interface.
    Json,
    /// Lines as `conntrack -L` prints them (of flows only).
    Conntrack,
    /// pcapng (of monitor only).
    Pcap,
    /// VPC flow log records, version 2 (of monitor only).
    FlowLog,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Apply(apply::ApplyArgs),
    Check(check::CheckArgs),
    Diff(diff::DiffArgs),
    /// Show one object
    #[command(subcommand)]
    Show(show::Show),
    List(list::ListArgs),
    /// List, delete, export, import and adopt tracked connections
    #[command(subcommand)]
    Flows(flows::Flows),
    Counters(counters::CountersArgs),
    Explain(explain::ExplainArgs),
    Settings(settings::SettingsArgs),
    Completions(completions::CompletionsArgs),
    Man(man::ManArgs),
    Monitor(monitor::MonitorArgs),
    Unused(unused::UnusedArgs),
    /// Show how the daemon is doing
    Status,
}

/// What every verb has.
struct Context {
    client: Client,
    format: Format,
}

impl Sgctl {
    /// Does what the command line says.
    pub async fn run(self) -> Result<Exit> {
        let context = Context {
            client: Client::new(&self.socket()?),
            format: self.output,
        };
        self.verb.check(self.output)?;
        match self.verb {
            Verb::Apply(args) => args.run(&context).await,
            Verb::Check(args) => args.run(&context),
            Verb::Diff(args) => args.run(&context).await,
            Verb::Show(show) => show.run(&context).await,
            Verb::List(args) => args.run(&context).await,
            Verb::Flows(flows) => flows.run(&context).await,
            Verb::Counters(args) => args.run(&context).await,
            Verb::Unused(args) => args.run(&context).await,
            Verb::Explain(args) => args.run(&context).await,
            Verb::Settings(args) => args.run(&context).await,
            Verb::Completions(args) => args.run(),
            Verb::Man(args) => args.run(),
            Verb::Monitor(args) => args.run(&context).await,
            Verb::Status => status::run(&context).await,
        }
    }

    /// Where the daemon listens. Who may speak to it need not be able to read its configuration.
    fn socket(&self) -> Result<PathBuf> {
        if let Some(socket) = &self.socket {
            return Ok(socket.clone());
        }
        let startup = match (File::new(self.config.as_deref()).read(), &self.config) {
            (Ok(wanted), _) => wanted.startup,
            (Err(error), Some(_)) => return Err(error),
            (Err(_), None) => Startup::default(),
        };
        let named = startup.get("socket").map(PathBuf::from);
        Ok(named.unwrap_or_else(|| DEFAULT_SOCKET.into()))
    }
}

impl Verb {
    /// Refuses a form in which it does not print.
    fn check(&self, format: Format) -> Result<()> {
        let prints_flows = match self {
            Verb::Flows(flows) => flows.prints_flows(),
            Verb::List(list) => list.is_of_flows(),
            _ => false,
        };
        let advice = match format {
            Format::Table | Format::Json => return Ok(()),
            Format::Conntrack if prints_flows => return Ok(()),
            Format::Conntrack => "only flows are printed as conntrack does; use table or json",
            Format::Pcap | Format::FlowLog if matches!(self, Verb::Monitor(_)) => return Ok(()),
            Format::Pcap => "only monitor prints packets as pcapng; use table or json",
            Format::FlowLog => "only monitor prints flow log records; use table or json",
        };
        Err(Error::Usage(advice.into()))
    }
}

fn after_help() -> String {
    let examples = "\
Examples:
  sgctl apply -f inventory.json
  sgctl show port WEB1
  sgctl explain --port WEB1 --ingress tcp 198.51.100.7:40000 10.0.0.5:80
  sgctl monitor --port WEB1 --action drop
  sgctl flows list --port WEB1 -p tcp --dport 80 -o conntrack

A PORT is named by id, interface (a subport: INTERFACE.VLAN), MAC, IP address or name.";
    format!("{examples}\n\n{}", Exit::help())
}

#[cfg(test)]
mod tests;
