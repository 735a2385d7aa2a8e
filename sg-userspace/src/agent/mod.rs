//! What to do on which event: an inventory, an interface that comes or goes.
//!
//! Every event ends in the same way: what should be is computed from the inventory and the interfaces,
//! compared with what the kernel holds, and the difference is done. Nothing is remembered of how it came
//! to be, so a lost event, an error or a restart heals at the next one.
//!
//! An event is noted, and taps are closed, at once; what is then to be written is due, and done as
//! [`Work`] beside the agent.

mod changes;
mod contest;
mod datapath;
#[cfg(test)]
pub(crate) mod double;
mod enforce;
mod explain;
mod flows;
mod interfaces;
mod logs;
mod lookup;
mod modes;
mod notes;
mod parking;
mod pause;
mod phrase;
mod ports;
mod preview;
mod readers;
mod reconcile;
mod sample;
mod settings;
mod shared;
mod stages;
mod standing;
mod state;
mod tell;
#[cfg(test)]
pub(crate) mod tests;
mod transact;
mod trouble;
mod usage;
mod views;
mod work;

use std::{path::PathBuf, sync::Arc};

use contest::Contests;
pub use datapath::{
    Added, Attachment, Counted, Datapath, FlowTables, Hanging, Hit, HitTable, Hooked, Look, Mode,
    PolicyTables, PortCounts, SweptBy, TableFill, Tracker, Visit,
};
use enforce::{Enforced, Holding, Places, Tables};
pub use flows::{Adoption, FlowImport, FlowReader};
use interfaces::Interfaces;
use pause::Pause;
use ports::Seen;
pub use preview::Preview;
use prometheus_client::metrics::histogram::Histogram;
pub use readers::{Process, Reader};
use reconcile::Occasion;
pub use sample::Sampler;
use settings::Operator;
pub use shared::{Change, Shared, beside};
use siphasher::sip128::SipHasher24;
use standing::Standing;
use trouble::Troubles;
pub use trouble::{Other, Trouble};
pub use usage::{EVERY as GATHERED_EVERY, Gatherer, Scope, Usage};
use work::Due;
pub use work::{Done, Work};

use crate::{
    compile::Limits,
    error::{Error, Result},
    logs::Logs,
    metrics,
    model::{self, Fault, Inventory, Malformed, Parsed, Port, Told, Touched},
    netlink::LinkEvent,
    view::{ApplyReport, SourceKind, SourceView},
};

/// Keeps the kernel as the inventory says.
pub struct Agent {
    datapath: Box<dyn Datapath>,
    /// `None` while they are at work.
    tables: Option<Box<Tables>>,
    /// How much they hold.
    limits: Limits,
    /// What they hold, as of the last work.
    holding: Result<Holding>,
    due: Due,
    about: About,
    desired: Desired,
    links: Interfaces,
    standing: Standing,
    /// Connections that were taken over from nf_conntrack when the filter came to this node.
    adopted: u64,
    /// Where ports are whose interfaces have our programs, as of the last time this was asked.
    places: Places,
    enforced: Enforced,
    operator: Operator,
    logs: Option<Arc<Logs>>,
    /// How the store that is followed is doing, if one is.
    store: Option<StoreState>,
    /// What the kernel said when it was last asked.
    seen: Seen,
    put_back: PutBack,
    contests: Contests,
    failures: Failures,
    troubles: Troubles,
    pause: Pause,
    /// How long changes took.
    applies: Histogram,
}

/// What an agent tells about itself.
#[derive(Debug, Clone)]
pub struct About {
    /// Where maps and links are pinned.
    pub bpffs: PathBuf,
    /// Where the inventory is, or what was told is kept.
    pub inventory: PathBuf,
    /// What says what is to be enforced.
    pub source: SourceKind,
    /// The host whose ports a store tells.
    pub host: Option<String>,
    /// Where the settings are, or would be.
    pub settings: PathBuf,
}

/// Says how the store that is followed is doing.
pub type StoreState = Arc<dyn Fn() -> SourceView + Send + Sync>;

/// What should be.
#[derive(Default)]
struct Desired {
    document: Option<Digest>,
    /// What transactions have told, if they are what tells.
    told: Option<Arc<Told>>,
    inventory: Arc<Inventory>,
    faults: Vec<Fault>,
    revision: u64,
}

impl Desired {
    /// Whether anything was ever told: before that nothing is changed.
    fn is_known(&self) -> bool {
        let is_told = |told: &Arc<Told>| told.revision() > 0;
        self.document.is_some() || self.told.as_ref().is_some_and(is_told)
    }
}

/// A document that was read against what is in force.
pub struct Read {
    digest: Digest,
    parsed: Parsed,
    touched: Touched,
}

/// What tells a document from others: a hundred thousand ports need not be kept as text too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Digest(u128);

impl Digest {
    /// The digest of a document.
    pub fn of(document: &[u8]) -> Self {
        Self(SipHasher24::new().hash(document).as_u128())
    }
}

impl Read {
    /// Reads a document, and finds what in it is not as it is in force. It takes its time: to be done beside
    /// the agent.
    ///
    /// # Errors
    ///
    /// The document is no inventory.
    pub fn new(document: &[u8], in_force: &Inventory) -> std::result::Result<Self, Malformed> {
        let parsed = model::parse(document)?;
        Ok(Self {
            digest: Digest::of(document),
            touched: Touched::between(in_force, &parsed.inventory),
            parsed,
        })
    }
}

/// What somebody had undone, and how many times.
#[derive(Default)]
struct PutBack {
    /// A filter was taken off.
    filters: u64,
    /// A program was put before a filter.
    places: u64,
    /// Pins were removed.
    pins: u64,
}

/// What has failed, until it works. What is wrong at an interface is a [`Trouble`].
#[derive(Default)]
struct Failures {
    /// The newest inventory was not taken.
    document: Option<String>,
    /// Interfaces are not watched.
    links: Option<String>,
    /// Pins are gone and cannot be put back.
    pins: Option<String>,
    /// The kernel refused a table entry.
    enforce: Option<String>,
}

impl Agent {
    /// An agent without an inventory, which changes nothing until it has one.
    pub fn new(datapath: Box<dyn Datapath>, policy: Box<dyn PolicyTables>, about: About) -> Self {
        let mut tables = Box::new(Tables::new(policy));
        Self {
            datapath,
            limits: tables.limits(),
            holding: tables.holding(),
            tables: Some(tables),
            due: Due::default(),
            about,
            desired: Desired::default(),
            links: Interfaces::default(),
            standing: Standing::default(),
            adopted: 0,
            places: Places::default(),
            enforced: Enforced::default(),
            operator: Operator::default(),
            logs: None,
            store: None,
            seen: Seen::default(),
            put_back: PutBack::default(),
            contests: Contests::default(),
            failures: Failures::default(),
            troubles: Troubles::default(),
            pause: Pause::default(),
            applies: metrics::applies(),
        }
    }

    /// What is in force, to read a document against it.
    ///
    /// # Errors
    ///
    /// [`Error::OtherSource`] if transactions tell what should be.
    pub fn inventory(&self) -> Result<Arc<Inventory>> {
        self.check_takes_documents()?;
        Ok(self.desired.inventory.clone())
    }

    /// Says in the status that the newest document is no inventory.
    pub fn refuse(&mut self, malformed: Malformed) -> Error {
        tracing::warn!("the inventory was not taken: {malformed}");
        self.failures.document = Some(malformed.to_string());
        malformed.into()
    }

    /// Takes a document, as it was read, for what should be. Returns what was before.
    ///
    /// # Errors
    ///
    /// [`Error::Datapath`] when it is not known what is attached; it is tried again.
    pub fn take(&mut self, document: Read) -> Result<Arc<Inventory>> {
        let Read {
            digest,
            parsed: Parsed { inventory, faults },
            touched,
        } = document;
        let desired = Desired {
            document: Some(digest),
            inventory: Arc::new(inventory),
            faults,
            revision: self.desired.revision + 1,
            told: None,
        };
        let before = std::mem::replace(&mut self.desired, desired);
        self.failures.document = None;
        self.due.touched.extend(touched);
        self.tell_logs();
        self.reconcile()?;
        Ok(before.inventory)
    }

    /// What became of the document that was taken last, which took so many changes of the tables.
    pub fn apply_report(&self, changes: usize) -> ApplyReport {
        let (revision, ports, faults) = (self.desired.revision, self.tally(), self.faults());
        for fault in &faults {
            tracing::warn!("{fault}");
        }
        tracing::info!(
            revision,
            changes,
            enforcing = ports.enforcing,
            unfiltered = ports.unfiltered,
            closed = ports.closed,
            pending = ports.pending,
            outdated = ports.outdated,
            bypassed = ports.bypassed,
            open = ports.open,
            elsewhere = ports.elsewhere,
            faults = faults.len(),
            "applied the inventory"
        );
        ApplyReport {
            changes,
            ports,
            faults,
        }
    }

    /// Whether the content of the inventory's file is to be taken: it can be read, and is not what is in
    /// force.
    ///
    /// # Errors
    ///
    /// That of the reading; what is in force stays.
    pub fn is_new(&mut self, content: Result<Digest>) -> Result<bool> {
        match content {
            Ok(document) if self.desired.document == Some(document) => {
                self.failures.document = None;
                Ok(false)
            }
            Ok(_) => Ok(true),
            Err(error) => {
                tracing::warn!("the inventory in force stays: {error}");
                self.failures.document = Some(error.to_string());
                Err(error)
            }
        }
    }

    /// Takes note of what happened to interfaces, and closes those that are to be filtered, unless they stood
    /// open when the filter came to this node; what else follows is due.
    ///
    /// # Errors
    ///
    /// [`Error::Datapath`] when it is not known what is attached; it is tried again.
    pub fn burst(&mut self, events: impl IntoIterator<Item = LinkEvent>) -> Result<()> {
        self.failures.links = None;
        let (mut changed, mut stirred) = (false, false);
        for event in events {
            stirred |= matches!(event, LinkEvent::Stirred);
            self.note_standing(&event);
            changed |= self.links.note(event);
        }
        match (changed, stirred) {
            (true, _) => self.reconcile(),
            (false, true) => self.tend(Occasion::News),
            (false, false) => Ok(()),
        }
    }

    /// Says in the status that nothing is heard of interfaces at the moment.
    pub fn links_unknown(&mut self, error: &Error) {
        tracing::error!("{error}; new interfaces are not seen until this is mended");
        self.failures.links = Some(error.to_string());
    }

    /// To be called every few seconds: puts back filters that somebody has taken off or got before, and tries
    /// again what has failed, at first at once and then ever more seldom.
    pub fn check(&mut self) -> Result<()> {
        self.contests.next_round();
        if self.failures.enforce.is_some() && self.pause.is_over() {
            return self.reconcile();
        }
        self.tend(Occasion::Clock)
    }

    /// Puts back whatever pins can be before the process ends: the filters outlive it by them.
    pub fn leave(&mut self) {
        let tended = self.tend(Occasion::News).err();
        let failed = tended.map(|error| error.to_string());
        if let Some(error) = failed.or(self.failures.pins.take()) {
            tracing::error!("filters may end with this process: {error}");
        }
    }

    /// All that was left out: what could not be read, and what does not fit.
    pub fn faults(&self) -> Vec<Fault> {
        self.desired
            .faults
            .iter()
            .chain(&self.enforced.faults)
            .cloned()
            .collect()
    }

    fn ifindex(&self, name: &str) -> Option<u32> {
        self.links.index(name)
    }

    /// The port's place, if its filter is in force there.
    fn place(&self, port: &Port) -> Option<u32> {
        self.enforced.places.get(&port.id).copied()
    }
}
