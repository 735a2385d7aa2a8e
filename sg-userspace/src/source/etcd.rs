//! A store in an etcd cluster: what it tells is kept, as transactions are, and taken.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use sg_store::{Error as StoreError, Follower, Position, Store, Telling};
use tokio::{
    sync::{Mutex, Notify},
    time::{sleep, timeout},
};

use super::{contact::Contact, pause::Pause, status::Status};
use crate::{
    agent::{Shared, StoreState},
    cli::SourceArgs,
    error::{Error, Result},
    host,
    model::Step,
    store::Journal,
};

/// How long a store is waited for at the start of a node that nothing was ever told.
const FIRST: Duration = Duration::from_secs(10);

/// A store that is followed.
pub struct Etcd {
    host: String,
    path: PathBuf,
    store: sg_store::Etcd,
    follower: Follower,
    journal: Arc<Mutex<Journal>>,
    contact: Arc<Contact>,
    /// What was read of it before the start.
    first: Option<Telling>,
}

impl Etcd {
    /// Opens what was kept of a store. If nothing ever was, the store is asked: what it refuses then is a mistake of
    /// whoever has set this up, and a node with ports must go on with what it has.
    pub(super) async fn open(args: &SourceArgs, urls: &str) -> Result<(Self, Vec<Step>)> {
        let host = args.host.clone().unwrap_or_else(host::name);
        let store = sg_store::Etcd::new(args.reach.options(urls))?;
        let (journal, steps) = Journal::open::<Step>(&args.state)?;
        let last = steps.last().map(|step| (step.session, step.revision));
        let known = last.and_then(|(session, revision)| Position::of(session, revision));
        let mut follower = Follower::new(Store::Etcd(store.clone()), &host, known);
        let revision = known.map_or(0, |known| known.revision);
        let contact = Arc::new(Contact::new(store.clone(), urls, &host, revision));
        let first = match steps.is_empty() {
            true => first(&mut follower, &contact).await?,
            false => None,
        };
        let etcd = Self {
            host,
            path: args.state.clone(),
            store,
            follower,
            journal: Arc::new(Mutex::new(journal)),
            contact,
            first,
        };
        Ok((etcd, steps))
    }

    pub(super) fn host(&self) -> &str {
        &self.host
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn state(&self) -> StoreState {
        let contact = self.contact.clone();
        Arc::new(move || contact.view())
    }

    pub(super) async fn begin(&mut self, shared: &Shared) {
        if let Some(first) = self.first.take() {
            self.take(shared, first).await;
        }
    }

    /// Takes all that it tells, and tells it how this node is, until it is left.
    pub(super) async fn follow(mut self, shared: Shared, leave: Arc<Notify>) {
        let news = Notify::new();
        let status = Status::new(&self.host, self.store.clone(), self.contact.clone());
        tokio::select! {
            () = self.tell(&shared, &news) => {}
            () = status.keep(&shared, &news) => {}
            () = leave.notified() => {}
        }
        status.leave().await;
    }

    /// Takes all that it tells. Never ends.
    async fn tell(&mut self, shared: &Shared, news: &Notify) {
        let mut pause = Pause::default();
        loop {
            match self.follower.next().await {
                Ok(telling) => {
                    pause = Pause::default();
                    self.take(shared, telling).await;
                }
                Err(error) => {
                    self.contact.lost(&error);
                    sleep(pause.next(fastrand::f64())).await;
                }
            }
            news.notify_one();
        }
    }

    async fn take(&mut self, shared: &Shared, telling: Telling) {
        let (revision, is_complete) = (telling.revision, telling.complete);
        if is_complete && self.follower.ports() == Some(0) {
            tracing::warn!(
                "the store has no ports of host {:?}: if this node should have some, its name there \
                 (binding:host_id) is another, and --host gives it",
                self.host
            );
        }
        let journal = self.journal.clone();
        let body = telling.to_json();
        drop(telling);
        let taken = shared.change(|change| async move {
            let taken = change.kept_transaction(body, journal).await;
            taken.map(drop)
        });
        match taken.await {
            // What the kernel has refused is tried again.
            Ok(()) | Err(Error::Datapath(_)) => self.contact.took(revision, is_complete),
            Err(error) => {
                tracing::error!("what the store tells was not taken: {error}");
                self.follower.begin_anew();
                self.contact
                    .lost(&StoreError::Ended(format!("it was not taken: {error}")));
                sleep(Pause::default().next(1.0)).await;
            }
        }
    }
}

async fn first(follower: &mut Follower, contact: &Contact) -> Result<Option<Telling>> {
    match timeout(FIRST, follower.next()).await {
        Ok(Ok(telling)) => Ok(Some(telling)),
        Ok(Err(error)) if error.is_refusal() => Err(error.into()),
        Ok(Err(error)) => {
            contact.lost(&error);
            Ok(None)
        }
        Err(_) => {
            contact.lost(&StoreError::Ended("nothing came in time".into()));
            Ok(None)
        }
    }
}
