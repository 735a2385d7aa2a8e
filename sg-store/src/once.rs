//! Writing while the members of a store change their leader.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use crate::{Change, Condition, Entry, Error, Outcome, Range, Result, Store, Write};

/// How long a member may take to say what became of a commit.
const ANSWER: Duration = Duration::from_secs(3);

/// How long is waited before it is sent again.
const PAUSE: Duration = Duration::from_millis(100);

impl Store {
    /// As [`Store::commit`], and sent again for as long as it is not known what became of it. The commit has a
    /// condition on `head`, a key that each commit of every writer replaces, and puts a value there that no other
    /// one does: so it is written once at most, and known again.
    ///
    /// # Errors
    ///
    /// As [`Store::commit`]; [`Error::Unknown`] only after this patience.
    pub async fn commit_once(
        &self,
        head: &str,
        conditions: &[Condition],
        writes: &[Write],
        patience: Duration,
    ) -> Result<Outcome> {
        let deadline = Instant::now() + patience;
        let mut doubt = None;
        loop {
            match self.commit(conditions.to_vec(), writes.to_vec()).await {
                Ok(Outcome::Conflict) if doubt.is_some() => {
                    // The member that is asked may go, too.
                    let became = timeout(ANSWER, self.became(head, conditions, writes)).await;
                    if let Some(outcome) = became.ok().flatten() {
                        return Ok(outcome);
                    }
                }
                Err(Error::Unknown(what)) => doubt = Some(what),
                // What was sent before may have been written.
                Err(error) if doubt.is_some() && !error.is_too_much() => {}
                known => return known,
            }
            if Instant::now() > deadline {
                return Err(Error::Unknown(doubt.unwrap_or_default()));
            }
            sleep(PAUSE).await;
        }
    }

    /// What became of a commit that was sent and now conflicts, perhaps with itself: whether the first one behind
    /// the head that it names is this one. Others may have come since.
    async fn became(
        &self,
        head: &str,
        conditions: &[Condition],
        writes: &[Write],
    ) -> Option<Outcome> {
        let named = conditions.iter().find(|condition| condition.key == head)?;
        let ours = writes.iter().find_map(|write| match write {
            Write::Put { key, value } if key == head => Some(value),
            _ => None,
        })?;
        let range = vec![Range::Key(head.into())];
        let now = self.read(&range, None).await.ok()?;
        let is_as_named = |entry: &Entry| entry.revision == named.revision;
        if now.entries.first().is_some_and(is_as_named) {
            // It failed for another condition, which somebody broke who does not replace the head.
            return Some(Outcome::Conflict);
        }
        let mut behind = self.watch(range, named.revision).await.ok()?;
        let first = behind.next().await.ok()?.changes.into_iter().next()?;
        let Change::Put(entry) = first else {
            return None;
        };
        Some(match entry.value == *ours {
            true => Outcome::Written(entry.revision),
            false => Outcome::Conflict,
        })
    }
}
