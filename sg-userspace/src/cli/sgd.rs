//! The command line of the daemon.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use sg_common::layout::capacity;
use sg_store::EtcdArgs;

use super::{DEFAULT_SOCKET, config::ConfigCommand};
use crate::{compile::Limits, exit::Exit, settings::LARGEST_TABLE};

/// Where maps and links are pinned unless told otherwise.
const DEFAULT_BPFFS: &str = "/sys/fs/bpf/sg";

/// Where what transactions have told is kept unless told otherwise.
const DEFAULT_STATE: &str = "/var/lib/sgd/state";
const DEFAULT_USAGE: &str = "/var/lib/sgd/usage.json";

/// What is logged unless told otherwise.
pub const DEFAULT_LOG: &str = "info";

/// Enforces OpenStack security groups with eBPF on the tap interfaces of virtual machines
#[derive(Debug, Parser)]
#[command(name = "sgd", version, propagate_version = true, after_help = after_help())]
pub struct Sgd {
    /// What to do.
    #[command(subcommand)]
    pub command: SgdCommand,
}

/// What the daemon's program can do.
#[derive(Debug, Subcommand)]
pub enum SgdCommand {
    /// Enforce an inventory and follow its changes, in the foreground
    ///
    /// Works on the interfaces of the network namespace it is started in. SIGTERM and SIGINT end
    /// it and leave the filters where they are; the next run adopts them. Logs to the standard
    /// error: an error asks the operator to act, a warning tells that something was left out.
    ///
    /// Each option may stand in the configuration file, see sgd.toml(5). The command line goes before the
    /// environment, the environment before the file.
    Run(Box<RunArgs>),
    /// Have the kernel verify the programs of this version, beside those that run
    ///
    /// Before an upgrade is started: the daemon that runs goes on meanwhile, and the next one takes tenths of a second
    /// to start. Takes the options of `sgd run`. Nothing that is in force is changed.
    Load(Box<RunArgs>),
    /// Take all filters off, and remove what is pinned: every port is open afterwards
    Detach(DetachArgs),
    /// Close an interface that is to be filtered while no daemon runs, until one does
    ///
    /// For udev, when an interface has come: where a daemon runs, or no port of what is stored is at the
    /// interface, nothing is done.
    Close(Box<CloseArgs>),
    /// Check the configuration file, or show what it comes to
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Mount a BPF file system on /sys/fs/bpf unless there is one, as `sgd run` does
    ///
    /// For a service that has a mount namespace of its own: what is pinned in it would be gone when it ends.
    Prepare(PrepareArgs),
}

/// How to run.
#[derive(Debug, Clone, Args)]
pub struct RunArgs {
    /// Where what is to be enforced comes from.
    #[command(flatten)]
    pub source: SourceArgs,
    /// The configuration, in TOML, see sgd.toml(5); its settings are followed when it changes [default:
    /// /etc/sgd/sgd.toml, if it is there]
    #[arg(
        long,
        visible_alias = "settings",
        env = "SGD_CONFIG",
        value_name = "FILE"
    )]
    pub config: Option<PathBuf>,
    /// Directory for pinned maps and links, on a BPF file system
    #[arg(long, env = "SGD_BPFFS", value_name = "DIR", default_value = DEFAULT_BPFFS)]
    pub bpffs: PathBuf,
    /// Socket to listen on for sgctl
    #[arg(long, env = "SGD_SOCKET", value_name = "PATH", default_value = DEFAULT_SOCKET)]
    pub socket: PathBuf,
    /// Group of users who may give orders on the socket, beside root [default: root's]
    #[arg(long, value_name = "GROUP")]
    pub socket_group: Option<String>,
    /// How programs are attached to interfaces
    #[arg(long, value_name = "WAY", default_value = "auto")]
    pub attach: AttachMode,
    /// Who removes expired connections
    #[arg(long, value_name = "WHO", default_value = "auto")]
    pub sweep: SweepMode,
    /// Whether the connections that nf_conntrack has tracked are taken over when the filter comes to a node
    /// that ran without it
    #[arg(long, value_name = "WHEN", default_value = "first")]
    pub adopt: AdoptMode,
    /// Where metrics are told to Prometheus (`http://ADDRESS/metrics`); nowhere unless this is given
    ///
    /// An address and a port, such as 127.0.0.1:9477. Whoever reaches it can read it. Over the control socket
    /// they are told in any case. On an address of the loopback, people on this node find a page beside them
    /// (`http://ADDRESS/`).
    #[arg(long, value_name = "ADDRESS")]
    pub metrics: Option<SocketAddr>,
    /// Whether there is a page beside the metrics, on which every user of this node sees ports, rules and what is
    /// refused
    #[arg(long, value_name = "WHETHER", default_value = "auto")]
    pub page: PageMode,
    /// What to log: error, warn, info, debug or trace; of single modules, MODULE=LEVEL, with commas
    #[arg(long, env = "SGD_LOG", value_name = "LEVEL", default_value = DEFAULT_LOG)]
    pub log: String,
    /// How much the tables hold.
    #[command(flatten)]
    pub sizes: SizeArgs,
}

/// Where what is to be enforced comes from.
#[derive(Debug, Clone, Args)]
pub struct SourceArgs {
    /// Ports, security groups and address groups as the Neutron API returns them, in one JSON
    /// document; followed when it changes, and replaced by `sgctl apply`
    #[arg(long, env = "SGD_INVENTORY", value_name = "FILE")]
    pub inventory: Option<PathBuf>,
    /// Be told what to enforce by transactions (POST /v1/transactions), as Neutron's agent does, in the place
    /// of an inventory
    #[arg(long, conflicts_with = "inventory")]
    pub transactions: bool,
    /// Follow a store in an etcd cluster: its members as URLs with commas between them, `http://HOST:2379` or
    /// `https://HOST:2379`
    ///
    /// What it has for this host is enforced, and followed as it changes. What was told last is kept in the file of
    /// --state, and stays in force as long as the store does not answer.
    #[arg(long, env = "SGD_ETCD", value_name = "URLS", conflicts_with_all = ["inventory", "transactions"])]
    pub etcd: Option<String>,
    /// The host whose ports are this node's in the store, as `binding:host_id` has it [default: the host's name]
    #[arg(long, value_name = "NAME")]
    pub host: Option<String>,
    /// How the store is reached.
    #[command(flatten)]
    pub reach: EtcdArgs,
    /// What transactions or a store have told is kept here, and is in force again at the next start
    #[arg(long, env = "SGD_STATE", value_name = "FILE", default_value = DEFAULT_STATE)]
    pub state: PathBuf,
    /// What rules have permitted is kept here, for `sgctl unused`
    #[arg(long, env = "SGD_USAGE", value_name = "FILE", default_value = DEFAULT_USAGE)]
    pub usage: PathBuf,
}

impl SourceArgs {
    /// Whether it is said where it comes from.
    pub fn is_said(&self) -> bool {
        self.inventory.is_some() || self.transactions || self.etcd.is_some()
    }
}

/// How much the tables hold. Tables of other sizes are made anew at a start, and filters change over to them.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Table sizes")]
pub struct SizeArgs {
    /// Ports with an interface on this host
    #[arg(long, value_name = "NUMBER", value_parser = entries(), default_value_t = capacity::PORTS)]
    pub max_ports: u32,
    /// Established connections of IPv4 that can be tracked at a time; half as many of IPv6
    /// [default: as nf_conntrack, by the memory of this host: 262144 above 4 GiB, 65536 above 1 GiB]
    #[arg(long, value_name = "NUMBER", value_parser = entries())]
    pub max_flows: Option<u32>,
    /// Connections of IPv4 of each port that are not established yet, or cannot be; half as many of IPv6.
    /// In multiples of 128: 2048 take 0.5 MiB of every port
    #[arg(long, value_name = "NUMBER", value_parser = entries(), default_value_t = capacity::EMBRYOS4)]
    pub max_unproven: u32,
    /// Datagrams of each port that are under way in fragments. In multiples of 128
    #[arg(long, value_name = "NUMBER", value_parser = entries(), default_value_t = capacity::FRAGMENTS)]
    pub max_fragments: u32,
    /// Addresses that the ports may send from
    #[arg(long, value_name = "NUMBER", value_parser = entries(), default_value_t = capacity::ADDRESSES)]
    pub max_addresses: u32,
    /// Policies: one per set of security groups, direction and family
    #[arg(long, value_name = "NUMBER", value_parser = entries(), default_value_t = capacity::POLICIES)]
    pub max_policies: u32,
    /// Members of the groups that rules name
    #[arg(long, value_name = "NUMBER", value_parser = entries(), default_value_t = capacity::MEMBERS)]
    pub max_members: u32,
    /// CIDRs that rules, pairs and address groups name
    #[arg(long, value_name = "NUMBER", value_parser = entries(), default_value_t = capacity::PREFIXES)]
    pub max_prefixes: u32,
    /// Rows of what policies permit to peers
    #[arg(long, value_name = "NUMBER", value_parser = entries(), default_value_t = capacity::GRANTS)]
    pub max_grants: u32,
    /// Sets of ports that are not one range, 8 KiB each
    #[arg(long, value_name = "NUMBER", value_parser = entries(), default_value_t = capacity::PORT_SETS)]
    pub max_port_sets: u32,
    /// Sets of source ports with destination ports, 0.7 KiB each
    #[arg(long, value_name = "NUMBER", value_parser = entries(), default_value_t = capacity::PORT_PAIRS)]
    pub max_port_pairs: u32,
}

impl SizeArgs {
    /// The sizes of the policy's tables.
    pub fn limits(&self) -> Limits {
        Limits {
            ports: self.max_ports,
            addresses: self.max_addresses,
            policies: self.max_policies,
            members: self.max_members,
            prefixes: self.max_prefixes,
            grants: self.max_grants,
            port_sets: self.max_port_sets,
            port_pairs: self.max_port_pairs,
        }
    }
}

fn entries() -> clap::builder::RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(1..=i64::from(LARGEST_TABLE))
}

/// What to take off.
#[derive(Debug, Clone, Args)]
pub struct DetachArgs {
    /// The configuration, which may name the directory [default: /etc/sgd/sgd.toml, if it is there]
    #[arg(long, env = "SGD_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Directory of the pinned maps and links
    #[arg(long, env = "SGD_BPFFS", value_name = "DIR", default_value = DEFAULT_BPFFS)]
    pub bpffs: PathBuf,
}

/// What to close.
#[derive(Debug, Clone, Args)]
pub struct CloseArgs {
    /// The configuration, which names the rest [default: /etc/sgd/sgd.toml, if it is there]
    #[arg(long, env = "SGD_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The interface
    #[arg(long, value_name = "NAME")]
    pub interface: String,
    /// Where it is stored what is to be filtered.
    #[command(flatten)]
    pub source: SourceArgs,
    /// How the program is attached to it
    #[arg(long, value_name = "WAY", default_value = "auto")]
    pub attach: AttachMode,
    /// Directory for pinned maps and links
    #[arg(long, env = "SGD_BPFFS", value_name = "DIR", default_value = DEFAULT_BPFFS)]
    pub bpffs: PathBuf,
}

/// What to prepare for.
#[derive(Debug, Clone, Args)]
pub struct PrepareArgs {
    /// The configuration, which may name the directory [default: /etc/sgd/sgd.toml, if it is there]
    #[arg(long, env = "SGD_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Directory for pinned maps and links
    #[arg(long, env = "SGD_BPFFS", value_name = "DIR", default_value = DEFAULT_BPFFS)]
    pub bpffs: PathBuf,
}

/// How programs are attached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum AttachMode {
    /// tcx, or clsact where the kernel refuses tcx (before Linux 6.6)
    Auto,
    /// BPF links, before other programs on the interface
    Tcx,
    /// A qdisc of tc
    Clsact,
}

/// When the connections of nf_conntrack are taken over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum AdoptMode {
    /// At the first start on a node: of the interfaces that are there and that no filter of ours is on
    First,
    /// Not by itself: `sgctl flows adopt` does it
    Never,
}

/// Whether the page is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PageMode {
    /// Where metrics are told on an address of the loopback, such as 127.0.0.1
    Auto,
    /// Nowhere
    Off,
}

/// Who removes expired connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SweepMode {
    /// The kernel, with or without a daemon; where it gives programs no timer, the daemon
    Auto,
    /// The daemon, as long as it runs
    Daemon,
}

fn after_help() -> String {
    let example = "\
Example:
  sgd run --inventory /var/lib/sgd/inventory.json
  sgd run --transactions
  sgd run --etcd https://etcd1:2379,https://etcd2:2379 --etcd-ca /etc/sgd/etcd-ca.pem
  sgd config check";
    format!("{example}\n\n{}", Exit::help())
}
