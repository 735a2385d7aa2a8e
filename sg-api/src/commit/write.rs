//! Writing a commit, also while the members of the store change their leader.

use std::time::Duration;

use sg_store::{Change, Condition, Error, Key, Outcome, Range, Store, Write};
use tokio::time::{Instant, sleep, timeout};
use uuid::Uuid;

use crate::error::{ApiError, Result};
use crate::world::Head;

/// How long a commit is sent again of which it is not known what became of it. Members have a new leader within
/// some two seconds, and one that was asked meanwhile says after seven that it does not know.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long a member may take to say what became of it.
const ANSWER: Duration = Duration::from_secs(3);

/// How long is waited before it is sent again.
const PAUSE: Duration = Duration::from_millis(100);

/// Writes the commit of this id. It may be sent again, because it names the head that it replaces: it is
/// written once at most.
///
/// # Errors
///
/// The store cannot be written to, or does not say what became of it.
pub(super) async fn write(
    store: &Store,
    id: Uuid,
    conditions: &[Condition],
    writes: &[Write],
) -> Result<Outcome> {
    let deadline = Instant::now() + PATIENCE;
    let mut is_doubtful = false;
    loop {
        match store.commit(conditions.to_vec(), writes.to_vec()).await {
            Ok(Outcome::Conflict) if is_doubtful => {
                // The member that is asked may go, too.
                let became = timeout(ANSWER, became(store, id, conditions)).await;
                if let Some(outcome) = became.ok().flatten() {
                    return Ok(outcome);
                }
            }
            Ok(outcome) => return Ok(outcome),
            Err(error) => {
                tracing::error!("the store: {error}");
                match error {
                    Error::TooMany { .. } => return Err(ApiError::bad_resource("bulk", error)),
                    Error::Unknown(_) => is_doubtful = true,
                    // What was sent before may have been written.
                    _ if is_doubtful => {}
                    _ => return Err(unavailable()),
                }
            }
        }
        if Instant::now() > deadline {
            return Err(unknown());
        }
        sleep(PAUSE).await;
    }
}

/// What became of a commit that was sent and now conflicts, perhaps with itself: whether the first one behind the
/// head that it names is this one. Others may have come since.
async fn became(store: &Store, id: Uuid, conditions: &[Condition]) -> Option<Outcome> {
    let head = Key::Head.to_string();
    let named = conditions.iter().find(|condition| condition.key == head)?;
    let range = vec![Range::Key(head.clone())];
    let mut behind = store.watch(range, named.revision).await.ok()?;
    let first = behind.next().await.ok()?.changes.into_iter().next()?;
    let Change::Put(entry) = first else {
        return None;
    };
    let written: Head = serde_json::from_slice(&entry.value).ok()?;
    Some(match written.commit == id {
        true => Outcome::Written(entry.revision),
        false => Outcome::Conflict,
    })
}

fn unknown() -> ApiError {
    ApiError::new(
        503,
        "ServiceUnavailable",
        "The service is unavailable. It is not known whether the request was carried out.",
    )
}

pub(super) fn unavailable() -> ApiError {
    ApiError::new(503, "ServiceUnavailable", "The service is unavailable.")
}
