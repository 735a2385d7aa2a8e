//! What to do on which event: an inventory, an interface that comes or goes.
//!
//! Every event ends in the same [`reconcile`](Agent::links): what should be is computed again from
//! the inventory and the interfaces, compared with what the kernel holds, and the difference is
//! done. Nothing is remembered of how it came to be, so a lost event, an error or a restart heals
//! at the next one.

mod contest;
mod datapath;
#[cfg(test)]
pub(crate) mod double;
mod enforce;
mod explain;
mod flows;
mod interfaces;
mod lookup;
mod modes;
mod notes;
mod parking;
mod pause;
mod phrase;
mod ports;
mod readers;
mod reconcile;
mod settings;
mod stages;
mod state;
mod tell;
#[cfg(test)]
pub(crate) mod tests;
mod transact;
mod trouble;
mod views;

use std::path::PathBuf;

use contest::Contests;
pub use datapath::{
    Added, Attachment, Datapath, FlowTables, Hanging, Hooked, Look, Mode, PortCounts, SweptBy,
    TableFill, Visit,
};
use enforce::{Enforced, Places, Tables};
pub use flows::{Adoption, FlowImport, FlowReader, wall_clock};
use interfaces::Interfaces;
use pause::Pause;
use ports::Seen;
pub use readers::{Process, Reader};
use reconcile::Occasion;
use settings::Operator;
use trouble::Troubles;
pub use trouble::{Other, Trouble};

use crate::{
    error::{Error, Result},
    model::{self, Fault, Inventory, Parsed, Port, Told},
    netlink::LinkEvent,
    view::ApplyReport,
};

/// Keeps the kernel as the inventory says.
pub struct Agent {
    datapath: Box<dyn Datapath>,
    tables: Tables,
    about: About,
    desired: Desired,
    links: Interfaces,
    /// Where ports are whose interfaces have our programs, as of the last time this was asked.
    places: Places,
    enforced: Enforced,
    operator: Operator,
    /// What the kernel said when it was last asked.
    seen: Seen,
    put_back: PutBack,
    contests: Contests,
    failures: Failures,
    troubles: Troubles,
    pause: Pause,
}

/// What an agent tells about itself.
#[derive(Debug, Clone)]
pub struct About {
    /// Where maps and links are pinned.
    pub bpffs: PathBuf,
    /// Where the inventory is.
    pub inventory: PathBuf,
    /// Where the settings are, or would be.
    pub settings: PathBuf,
}

/// What should be.
#[derive(Default)]
struct Desired {
    document: Option<Vec<u8>>,
    /// What transactions have told, if they are what tells.
    told: Option<Told>,
    inventory: Inventory,
    faults: Vec<Fault>,
    revision: u64,
}

impl Desired {
    /// Whether anything was ever told: before that nothing is changed.
    fn is_known(&self) -> bool {
        let is_told = |told: &Told| told.revision() > 0;
        self.document.is_some() || self.told.as_ref().is_some_and(is_told)
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
    pub fn new(datapath: Box<dyn Datapath>, about: About) -> Self {
        Self {
            datapath,
            tables: Tables::default(),
            about,
            desired: Desired::default(),
            links: Interfaces::default(),
            places: Places::default(),
            enforced: Enforced::default(),
            operator: Operator::default(),
            seen: Seen::default(),
            put_back: PutBack::default(),
            contests: Contests::default(),
            failures: Failures::default(),
            troubles: Troubles::default(),
            pause: Pause::default(),
        }
    }

    /// Reads a document, which changes nothing yet.
    ///
    /// # Errors
    ///
    /// [`crate::error::Error::Malformed`] when the document is no inventory. The status says so from then on.
    /// [`crate::error::Error::OtherSource`] if transactions tell what should be.
    pub fn read(&mut self, document: &[u8]) -> Result<Parsed> {
        self.check_takes_documents()?;
        model::parse(document).map_err(|malformed| {
            tracing::warn!("the inventory was not taken: {malformed}");
            self.failures.document = Some(malformed.to_string());
            malformed.into()
        })
    }

    /// Takes what was read from a document for what should be.
    ///
    /// # Errors
    ///
    /// [`crate::error::Error::Datapath`] when the kernel refused a part; it is tried again at the next event.
    pub fn take(&mut self, document: &[u8], parsed: Parsed) -> Result<ApplyReport> {
        let Parsed { inventory, faults } = parsed;
        let revision = self.desired.revision + 1;
        self.desired = Desired {
            document: Some(document.into()),
            inventory,
            faults,
            revision,
            told: None,
        };
        self.failures.document = None;
        self.tables.forget_compiled();
        let changes = self.reconcile()?;
        let (ports, faults) = (self.tally(), self.faults());
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
        Ok(ApplyReport {
            changes,
            ports,
            faults,
        })
    }

    /// Reads a document and takes it. Errors are those of both.
    pub fn apply(&mut self, document: &[u8]) -> Result<ApplyReport> {
        let parsed = self.read(document)?;
        self.take(document, parsed)
    }

    /// Takes the content of the inventory's file, unless it is what is in force.
    pub fn file_changed(&mut self, content: Result<Vec<u8>>) -> Result<()> {
        match content {
            Ok(document) if self.desired.document.as_ref() == Some(&document) => {
                self.failures.document = None;
                Ok(())
            }
            Ok(document) => self.apply(&document).map(drop),
            Err(error) => {
                tracing::warn!("the inventory in force stays: {error}");
                self.failures.document = Some(error.to_string());
                Err(error)
            }
        }
    }

    /// Takes note of interfaces, and does what follows.
    pub fn links(&mut self, event: LinkEvent) -> Result<()> {
        self.burst([event])
    }

    /// As [`Agent::links`], for what happened at once: what follows is done once.
    pub fn burst(&mut self, events: impl IntoIterator<Item = LinkEvent>) -> Result<()> {
        self.failures.links = None;
        let (mut changed, mut stirred) = (false, false);
        for event in events {
            stirred |= matches!(event, LinkEvent::Stirred);
            changed |= self.links.note(event);
        }
        match (changed, stirred) {
            (true, _) => self.reconcile().map(drop),
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
            return self.reconcile().map(drop);
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
    fn faults(&self) -> Vec<Fault> {
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
