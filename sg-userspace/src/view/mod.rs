//! What the daemon is asked and shows: one definition for the server, the client and the programs that read it.
//!
//! Names and values are stable; new fields may be added.

mod adopt;
mod count;
mod diff;
mod error;
mod event;
mod explain;
mod flow;
mod flow_log;
mod hook;
mod port;
mod sample;
mod setting;
mod source;
mod state;
mod transaction;
mod trouble;
mod usage;

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use adopt::{AdoptReport, AdoptRequest, AdoptedPort, StrangeFlow};
pub use count::{Count, Counters, Counts, PortCounters};
pub use diff::{CutBy, DiffView, PortChange, PortDiff};
pub use error::{ErrorView, InForce};
pub use event::{
    CountedView, EventAction, EventLine, EventsRequest, LostView, LostWhy, PacketView,
};
pub use explain::{Differs, ExplainRequest, ExplainView, FrameView, NearRule, Step};
pub use flow::{DeleteRequest, FlowView, ImportReport, RefusedFlow, Way};
pub use flow_log::{FlowRecord, FlowTuple, Recorded, Span, Tally};
pub use hook::{HookView, LinkView, ProgramView};
pub use port::{Outcome, PortDetail, PortView, RuleView, StageView};
pub use sample::{AssuredView, GroupName, PortSample, SampleView};
pub use setting::{SettingView, SettingsView};
pub use source::{SourceKind, SourceView, age};
pub use state::{PortState, PortTally};
pub use transaction::{Objects, PortOutcome, TransactionReport, TransactionsView};
pub use trouble::TroubleView;
pub use usage::{PortUsage, RuleUsage, UsageView};

use crate::model::Fault;

/// How a daemon is doing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StatusView {
    /// Version of the daemon.
    pub version: String,
    /// Where its maps and links are pinned.
    pub bpffs: PathBuf,
    /// How programs are attached: `tcx` or `clsact`.
    pub attach: String,
    /// Where what is to be enforced comes from.
    #[serde(default)]
    pub source: SourceView,
    /// The inventory in force.
    pub inventory: InventoryView,
    /// How many times a filter was put back that somebody else had taken off.
    #[serde(default)]
    pub restored: u64,
    /// How many times the first place was taken again that another program had taken.
    #[serde(default)]
    pub retaken: u64,
    /// How many times pins were put back that somebody else had removed.
    #[serde(default)]
    pub pinned_again: u64,
    /// How many connections were taken over from nf_conntrack when the filter came to the node.
    #[serde(default)]
    pub adopted: u64,
    /// What is not as it should be with the node and is tried again, in sentences.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub troubles: Vec<String>,
    /// What is wrong at interfaces.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub interfaces: Vec<TroubleView>,
    /// The ports of the inventory by state, and the interfaces whose ports have left it.
    pub ports: PortTally,
    /// Fill of the kernel's tables.
    pub tables: Vec<TableView>,
    /// Memory of all maps, with those that are no tables, in bytes.
    #[serde(default)]
    pub memory: u64,
    /// The sweep of expired connections.
    #[serde(default)]
    pub sweep: SweepView,
    /// The settings in force that are not at their defaults.
    pub settings: SettingsView,
    /// What was left out of the inventory, and why.
    pub faults: Vec<Fault>,
}

/// The inventory in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct InventoryView {
    /// Its file.
    pub path: PathBuf,
    /// How many inventories this daemon has applied.
    pub revision: u64,
    /// Why the newest one was not taken, until one is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
    /// What the kernel still refuses; tried again at the next event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub apply_error: Option<String>,
}

/// Fill of a table of the kernel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TableView {
    /// Name of the map.
    pub name: String,
    /// Entries in use.
    pub used: u64,
    /// Entries it can hold.
    pub capacity: u64,
    /// Memory it takes; 0 if the kernel does not say, and for the tables of one port.
    #[serde(default)]
    pub bytes: u64,
}

/// The sweep of expired connections.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SweepView {
    /// Whether it goes on without a daemon.
    pub in_kernel: bool,
    /// Who takes its steps.
    #[serde(default)]
    pub by: SweptBy,
    /// What the kernel has refused of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
    /// Entries that it has removed since the tables were made.
    pub removed: u64,
    /// Seconds since it last looked.
    pub seconds_ago: u64,
}

/// Who removes expired connections. Look-ups take them for absent anyway: it only frees the room.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SweptBy {
    /// A timer of the kernel, which goes on without a process.
    Kernel,
    /// The daemon, as long as it runs.
    #[default]
    Daemon,
    /// Nobody: the kernel refuses the program.
    Nobody,
}

/// What an inventory did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ApplyReport {
    /// Entries written to and removed from the kernel's tables.
    pub changes: usize,
    /// The ports by state.
    pub ports: PortTally,
    /// What was left out, and why.
    pub faults: Vec<Fault>,
}

/// A security group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GroupView {
    /// UUID.
    pub id: String,
    /// Name, possibly empty.
    pub name: String,
    /// Whether its connections are tracked.
    pub stateful: bool,
    /// Its rules that are in force, in words.
    pub rules: Vec<String>,
    /// Ids of the ports that have it.
    pub ports: Vec<String>,
}
