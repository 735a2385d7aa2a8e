//! What a client is told when a commit cannot be written.

use std::time::Duration;

use sg_store::{Condition, Error, Key, Outcome, Store, Write};

use crate::error::{ApiError, Result};

/// How long a commit is sent again of which it is not known what became of it. Members have a new leader within
/// some two seconds, and one that was asked meanwhile says after seven that it does not know.
const PATIENCE: Duration = Duration::from_secs(20);

/// Writes a commit, once at most, also while the members of the store change their leader.
///
/// # Errors
///
/// The store cannot be written to, or does not say what became of it.
pub(super) async fn write(
    store: &Store,
    conditions: &[Condition],
    writes: &[Write],
) -> Result<Outcome> {
    let head = Key::Head.to_string();
    let written = store.commit_once(&head, conditions, writes, PATIENCE).await;
    written.map_err(|error| {
        tracing::error!("the store: {error}");
        match error {
            error if error.is_too_much() => {
                ApiError::new(413, "HTTPRequestEntityTooLarge", error.to_string())
            }
            Error::Unknown(_) => ApiError::new(
                503,
                "ServiceUnavailable",
                "The service is unavailable. It is not known whether the request was carried out.",
            ),
            _ => unavailable(),
        }
    })
}

pub(super) fn unavailable() -> ApiError {
    ApiError::new(503, "ServiceUnavailable", "The service is unavailable.")
}
