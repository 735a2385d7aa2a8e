//! A store in an etcd cluster: what it tells is kept, as transactions are, and taken.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use sg_store::{Follower, Position, Store, Telling};
use tokio::{
    sync::{Mutex, Notify},
    time::{Instant, sleep, timeout},
};

use super::{contact::Contact, named, pause::Pace, status::Status, trouble::Trouble};
use crate::{
    agent::{Shared, StoreState},
    cli::SourceArgs,
    error::{Error, Result},
    model::Step,
    store::Journal,
};

/// How long a store is waited for at the start of a node that nothing was ever told.
const FIRST: Duration = Duration::from_secs(10);

/// How often it is noted with what is kept that it is what the store has.
const DATED: Duration = Duration::from_secs(60);

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
        let host = named::name(args.host.as_deref())?;
        let store = sg_store::Etcd::new(args.reach.options(urls))?;
        let (journal, steps) = Journal::open::<Step>(&args.state)?;
        named::check(&host, &steps, &args.state)?;
        let last = steps.last().map(|step| (step.session, step.revision));
        let known = last.and_then(|(session, revision)| Position::of(session, revision));
        let mut follower = Follower::new(Store::Etcd(store.clone()), &host, known);
        let told = known.map(|known| (known.revision, journal.current()));
        let contact = Arc::new(Contact::new(store.clone(), urls, &host, told));
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
        let Some(first) = self.first.take() else {
            return;
        };
        if let Err(trouble) = self.take(shared, first).await {
            self.contact.lost(&trouble);
        }
    }

    /// Takes all that it tells, and tells it how this node is, until it is left.
    pub(super) async fn follow(mut self, shared: Shared, leave: Arc<Notify>) {
        let news = Notify::new();
        let (contact, journal) = (self.contact.clone(), self.journal.clone());
        let status = Status::new(&self.host, self.store.clone(), contact.clone());
        tokio::select! {
            () = self.tell(&shared, &news) => {}
            () = status.keep(&shared, &news) => {}
            () = date_often(&contact, &journal) => {}
            () = leave.notified() => {}
        }
        date(&contact, &journal);
        status.leave().await;
    }

    /// Takes all that it tells. Never ends.
    async fn tell(&mut self, shared: &Shared, news: &Notify) {
        let mut pace = Pace::default();
        loop {
            let begun = Instant::now();
            let told = self.follower.next().await;
            let waited = begun.elapsed();
            let taken = match told {
                Ok(telling) => self.take(shared, telling).await,
                Err(error) => Err(Trouble::from(&error)),
            };
            match taken {
                Ok(is_complete) => {
                    pace.took(is_complete);
                    news.notify_one();
                }
                Err(trouble) => {
                    self.contact.lost(&trouble);
                    news.notify_one();
                    sleep(pace.failed(waited, fastrand::f64())).await;
                }
            }
        }
    }

    /// Has it kept and enforced; returns whether it is all there is.
    async fn take(
        &mut self,
        shared: &Shared,
        telling: Telling,
    ) -> std::result::Result<bool, Trouble> {
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
        let changed = shared.change(|change| async move {
            let taken = change.kept_transaction(body, journal).await;
            taken.map(drop)
        });
        if let Err(error) = is_taken(changed.await) {
            self.follower.begin_anew();
            return Err(Trouble::not_taken(&error));
        }
        self.contact.took(revision, is_complete);
        Ok(is_complete)
    }
}

/// Whether what was told is kept and to be enforced. What the kernel has refused of it is tried again.
fn is_taken(changed: Result<()>) -> Result<()> {
    match changed {
        Ok(()) | Err(Error::Datapath(_)) => Ok(()),
        Err(error) => Err(error),
    }
}

async fn date_often(contact: &Contact, journal: &Mutex<Journal>) {
    loop {
        sleep(DATED).await;
        date(contact, journal);
    }
}

/// Notes with what is kept that the store has just this, if it does: a node that starts without it says so.
fn date(contact: &Contact, journal: &Mutex<Journal>) {
    // What is being written gets its time so.
    if let (Some(time), Ok(mut journal)) = (contact.is_current(), journal.try_lock()) {
        journal.keep_current(time);
    }
}

async fn first(follower: &mut Follower, contact: &Contact) -> Result<Option<Telling>> {
    let trouble = match timeout(FIRST, follower.next()).await {
        Ok(Ok(telling)) => return Ok(Some(telling)),
        Ok(Err(error)) if error.is_refusal() => return Err(error.into()),
        Ok(Err(error)) => Trouble::from(&error),
        Err(_) => Trouble::silent(FIRST),
    };
    contact.lost(&trouble);
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::tests::agent;

    /// An agent that follows a store, and what is kept of it in a directory.
    fn followed(directory: &Path) -> (Etcd, Shared) {
        let options = sg_store::EtcdOptions::at("http://127.0.0.1:1");
        let store = sg_store::Etcd::new(options).unwrap();
        let path = directory.join("state");
        let (journal, steps) = Journal::open::<Step>(&path).unwrap();
        let (mut agent, _) = agent();
        agent.recall(steps).unwrap();
        let etcd = Etcd {
            host: "n1".into(),
            path,
            store: store.clone(),
            follower: Follower::new(Store::Etcd(store.clone()), "n1", None),
            journal: Arc::new(Mutex::new(journal)),
            contact: Arc::new(Contact::new(store, "a", "n1", None)),
            first: None,
        };
        (etcd, Shared::new(agent))
    }

    fn telling() -> Telling {
        Telling {
            session: uuid::Uuid::from_u128(1),
            base: None,
            revision: 7,
            since: 7,
            complete: true,
            ports: Default::default(),
            security_groups: Default::default(),
            members: Default::default(),
        }
    }

    #[tokio::test]
    async fn what_was_taken_dates_what_is_kept_until_it_is_followed_no_more() {
        let directory = tempfile::tempdir().unwrap();
        let (mut etcd, shared) = followed(directory.path());
        assert!(etcd.take(&shared, telling()).await.unwrap());
        let view = etcd.contact.view();
        assert_eq!((view.connected, view.revision), (true, 7));
        let long_ago = std::time::SystemTime::UNIX_EPOCH;
        etcd.journal.lock().await.keep_current(long_ago);
        date(&etcd.contact, &etcd.journal);
        let dated = etcd.journal.lock().await.current();
        assert!(dated.elapsed().unwrap() < Duration::from_secs(60));
        etcd.contact.lost(&Trouble::silent(FIRST));
        etcd.journal.lock().await.keep_current(long_ago);
        date(&etcd.contact, &etcd.journal);
        assert_eq!(etcd.journal.lock().await.current(), long_ago);
    }

    #[test]
    fn what_was_not_finished_is_not_taken_and_what_the_kernel_refused_is() {
        assert!(is_taken(Ok(())).is_ok());
        assert!(is_taken(Err(Error::Datapath("full".into()))).is_ok());
        let panicked = is_taken(Err(Error::Unfinished("a panic".into())));
        assert!(matches!(panicked, Err(Error::Unfinished(_))));
    }
}
