//! What is wrong at interfaces.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Something wrong at an interface, and what mends it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TroubleView {
    /// The interface; `?` if it has no name here any more.
    pub interface: String,
    /// What kind of trouble it is, in snake case.
    pub kind: String,
    /// Whether frames can pass that the rules of the interface's ports forbid.
    pub opens: bool,
    /// What is wrong, as the rest of a sentence that begins with the interface.
    pub problem: String,
    /// What mends it, as a sentence.
    pub remedy: String,
}
