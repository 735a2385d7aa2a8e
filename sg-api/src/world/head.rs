//! What each commit replaces.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The value of the head.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// How many objects with standard attributes there have been.
    pub standard_attributes: u64,
    /// Made for each commit: by it a writer knows its own.
    #[serde(default)]
    pub commit: Uuid,
}
