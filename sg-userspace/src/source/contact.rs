//! How a store that is followed is doing.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use sg_store::Etcd;

use super::trouble::Trouble;
use crate::view::{SourceKind, SourceView, age};

/// What is known of a store.
#[derive(Debug)]
pub(super) struct Contact {
    etcd: Etcd,
    urls: String,
    host: String,
    now: Mutex<Now>,
}

#[derive(Debug, Default)]
struct Now {
    connected: bool,
    revision: u64,
    /// How old what is in force is, unless the store is followed: then it is as old as what was heard last.
    age: Option<Age>,
    error: Option<String>,
    /// Why the next complete reading will have been.
    reason: Option<&'static str>,
    relists: BTreeMap<String, u64>,
}

/// How long ago something was, as of a moment: clocks may be set meanwhile.
#[derive(Debug, Clone, Copy)]
struct Age {
    was: Duration,
    at: Instant,
}

impl Age {
    fn is(self, now: Instant) -> Duration {
        self.was + now.saturating_duration_since(self.at)
    }
}

impl Now {
    /// Follows a store again, or goes on.
    fn took(&mut self, revision: u64, is_complete: bool) {
        if is_complete {
            let reason = self.reason.take().unwrap_or("start");
            *self.relists.entry(reason.into()).or_default() += 1;
        }
        (self.connected, self.error, self.revision) = (true, None, revision);
    }

    /// Follows it no more. What the store answers from now on says nothing of what is in force.
    fn lost(&mut self, trouble: &Trouble, silence: Option<Duration>, at: Instant) {
        if self.connected {
            let was = silence.unwrap_or_default();
            self.age = Some(Age { was, at });
        }
        self.reason.get_or_insert(trouble.reason());
        (self.connected, self.error) = (false, Some(trouble.to_string()));
    }

    /// How long ago what is in force was last known to be what the store has.
    fn age(&self, silence: Option<Duration>, at: Instant) -> Option<Duration> {
        match self.connected {
            true => silence,
            false => self.age.map(|age| age.is(at)),
        }
    }
}

impl Contact {
    /// With a store that has told up to a revision, if it ever has; that was the newest at some time.
    pub fn new(etcd: Etcd, urls: &str, host: &str, told: Option<(u64, SystemTime)>) -> Self {
        // A clock may have been set back meanwhile: then nobody knows.
        let age = told.and_then(|(_, time)| {
            let (was, at) = (time.elapsed().ok()?, Instant::now());
            Some(Age { was, at })
        });
        let now = Now {
            revision: told.map_or(0, |(revision, _)| revision),
            age,
            ..Now::default()
        };
        Self {
            etcd,
            urls: urls.into(),
            host: host.into(),
            now: Mutex::new(now),
        }
    }

    /// Something was taken.
    pub fn took(&self, revision: u64, is_complete: bool) {
        let mut now = self.now();
        if !now.connected {
            tracing::info!(revision, host = %self.host, "follows the store {}", self.urls);
        }
        now.took(revision, is_complete);
    }

    /// It is followed no more, until something is taken again.
    pub fn lost(&self, trouble: &Trouble) {
        let (silence, at) = (self.etcd.traffic().silence(), Instant::now());
        let mut now = self.now();
        let text = trouble.to_string();
        let is_new = now.error.as_ref() != Some(&text);
        now.lost(trouble, silence, at);
        if !is_new {
            return;
        }
        let revision = now.revision;
        let stays = match now.age(silence, at) {
            Some(old) => format!(
                "what was told last stays in force, as the store had it {} ago",
                age(old.as_secs())
            ),
            None => "what was told last stays in force".to_owned(),
        };
        match trouble.is_error() {
            true => tracing::error!(revision, "{stays}: {text}"),
            false => tracing::warn!(revision, "{stays}: {text}"),
        }
    }

    /// As of when what is in force is what the store has, while it is followed.
    pub fn is_current(&self) -> Option<SystemTime> {
        let is_connected = self.now().connected;
        let silence = self.etcd.traffic().silence().unwrap_or_default();
        is_connected
            .then(|| SystemTime::now().checked_sub(silence))
            .flatten()
    }

    /// As it is shown.
    pub fn view(&self) -> SourceView {
        let now = self.now();
        let traffic = self.etcd.traffic();
        let silence = traffic.silence();
        SourceView {
            kind: SourceKind::Etcd,
            at: self.urls.clone(),
            host: Some(self.host.clone()),
            connected: now.connected,
            revision: now.revision,
            age: now.age(silence, Instant::now()).map(|age| age.as_secs()),
            seconds_ago: silence.map(|silence| silence.as_secs()),
            error: now.error.clone(),
            relists: now.relists.clone(),
            events: traffic.events(),
            bytes: traffic.bytes(),
        }
    }

    fn now(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use sg_store::{Error as StoreError, EtcdOptions};

    use super::*;

    const JUST: Option<Duration> = Some(Duration::from_secs(1));

    #[test]
    fn while_a_store_answers_and_is_not_taken_what_is_in_force_grows_old() {
        let begun = Instant::now();
        let after = |seconds| begun + Duration::from_secs(seconds);
        let mut now = Now::default();
        assert_eq!(now.age(JUST, begun), None, "nothing was ever told");
        now.took(7, true);
        assert_eq!(now.age(JUST, after(500)), JUST, "it is followed");
        let refused = Trouble::from(&StoreError::OtherStore {
            what: "its revision is lower".into(),
        });
        // It is asked again and again, and answers each time.
        for second in [600, 630, 660] {
            now.lost(&refused, JUST, after(second));
        }
        assert_eq!(now.age(JUST, after(700)), Some(Duration::from_secs(101)));
        assert_eq!(now.revision, 7);
        now.took(8, true);
        assert_eq!(now.age(JUST, after(800)), JUST);
        assert_eq!(
            now.relists,
            BTreeMap::from([("other_store".to_owned(), 1), ("start".to_owned(), 1)])
        );
    }

    #[test]
    fn after_a_restart_without_the_store_the_state_is_as_old_as_what_was_kept() {
        let etcd = Etcd::new(EtcdOptions::at("http://127.0.0.1:1")).unwrap();
        let kept = SystemTime::now() - Duration::from_secs(7200);
        let contact = Contact::new(etcd.clone(), "a", "n1", Some((42, kept)));
        contact.lost(&Trouble::silent(Duration::from_secs(10)));
        let view = contact.view();
        assert_eq!((view.connected, view.revision), (false, 42));
        assert_eq!(view.seconds_ago, None, "it was not heard");
        assert!(matches!(view.age, Some(7200..7210)), "{view:?}");
        assert_eq!(contact.is_current(), None);
        let fresh = Contact::new(etcd, "a", "n1", None).view();
        assert_eq!((fresh.age, fresh.revision), (None, 0));
    }
}
