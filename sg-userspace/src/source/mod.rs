//! Where what is to be enforced comes from: a file, a writer on the socket, or a store that many nodes follow.
//!
//! Each has at first what was said before, of a file all of it, of the others what was kept; and then changes, one
//! after the other. The agent takes documents and steps, and does not know whose they are.

mod contact;
mod etcd;
mod named;
mod pause;
mod status;
mod trouble;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use tokio::sync::{Mutex, Notify};

use crate::{
    agent::{Agent, Read, Shared},
    api,
    cli::SourceArgs,
    error::Result,
    model::{self, Step},
    store::{Journal, Store, Watch},
    view::SourceKind,
};
use etcd::Etcd;

/// Where it is said what is to be enforced.
pub enum Source {
    /// In a file, which is followed.
    Inventory(Store, Watch),
    /// By transactions, which are kept in a file.
    Transactions(PathBuf, Arc<Mutex<Journal>>),
    /// In a store, whose changes are kept in a file.
    Etcd(Box<Etcd>),
}

/// What was said before the start.
pub enum Kept {
    /// All of it, as a document.
    Document(Vec<u8>),
    /// As it was told.
    Steps(Vec<Step>),
}

impl Source {
    /// Reads what there is. What cannot be read changes nothing, the programs included.
    ///
    /// # Errors
    ///
    /// What cannot be read; a store that refuses, if nothing was kept of it; a name by which this host is none of the
    /// store's, or another one than what was kept is of.
    pub async fn open(args: &SourceArgs) -> Result<(Self, Kept)> {
        if let Some(inventory) = &args.inventory {
            let store = Store::new(inventory);
            let watch = store.watch()?;
            let document = store.read()?;
            model::parse(&document)?;
            return Ok((Self::Inventory(store, watch), Kept::Document(document)));
        }
        if let Some(urls) = &args.etcd {
            let (etcd, steps) = Etcd::open(args, urls).await?;
            return Ok((Self::Etcd(Box::new(etcd)), Kept::Steps(steps)));
        }
        let (journal, steps) = Journal::open(&args.state)?;
        let source = Self::Transactions(args.state.clone(), Arc::new(Mutex::new(journal)));
        Ok((source, Kept::Steps(steps)))
    }

    /// What it is.
    pub fn kind(&self) -> SourceKind {
        match self {
            Self::Inventory(..) => SourceKind::Inventory,
            Self::Transactions(..) => SourceKind::Transactions,
            Self::Etcd(_) => SourceKind::Etcd,
        }
    }

    /// The file that it is in, or is kept in.
    pub fn path(&self) -> &Path {
        match self {
            Self::Inventory(store, _) => store.path(),
            Self::Transactions(path, _) => path,
            Self::Etcd(etcd) => etcd.path(),
        }
    }

    /// The host whose ports a store tells.
    pub fn host(&self) -> Option<String> {
        match self {
            Self::Etcd(etcd) => Some(etcd.host().to_owned()),
            _ => None,
        }
    }

    /// For whoever changes it over the socket.
    pub fn door(&self) -> api::Source {
        match self {
            Self::Inventory(store, _) => api::Source::Inventory(store.clone()),
            Self::Transactions(_, journal) => api::Source::Transactions(journal.clone()),
            Self::Etcd(_) => api::Source::Etcd,
        }
    }

    /// Has an agent that takes nothing yet enforce what was said before.
    ///
    /// # Errors
    ///
    /// What the kernel refuses, which is tried again.
    pub fn recall(&self, agent: &mut Agent, kept: Kept) -> Result<()> {
        match kept {
            Kept::Document(document) => {
                let in_force = agent.inventory()?;
                let read = Read::new(&document, &in_force)?;
                agent.take(read)?;
                let changes = agent.settle()?;
                agent.apply_report(changes);
                Ok(())
            }
            Kept::Steps(steps) => {
                if let Self::Etcd(etcd) = self {
                    agent.follow(etcd.state());
                }
                agent.recall(steps)?;
                agent.settle().map(drop)
            }
        }
    }

    /// Has the agent take what was read of a store before the start, which is ready then.
    pub async fn begin(&mut self, shared: &Shared) {
        if let Self::Etcd(etcd) = self {
            etcd.begin(shared).await;
        }
    }

    /// Has the agent take every change, until it is left.
    pub async fn follow(self, shared: Shared, leave: Arc<Notify>) {
        match self {
            Self::Inventory(store, watch) => {
                tokio::select! {
                    () = follow_file(&store, watch, &shared) => {}
                    () = leave.notified() => {}
                }
            }
            // The door lets in what is told.
            Self::Transactions(..) => leave.notified().await,
            Self::Etcd(etcd) => etcd.follow(shared, leave).await,
        }
    }
}

async fn follow_file(store: &Store, mut watch: Watch, shared: &Shared) {
    loop {
        watch.changed().await;
        let document = store.read();
        let taken = shared.change(|change| async move { change.file(document).await });
        if let Err(error) = taken.await {
            tracing::debug!("reported, and tried again: {error}");
        }
    }
}
