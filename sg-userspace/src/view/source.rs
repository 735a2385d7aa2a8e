//! Where what is to be enforced comes from, and whether it is still heard.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where what is to be enforced comes from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SourceView {
    /// What it is.
    pub kind: SourceKind,
    /// Where it is: the path of a file, the URLs of a store.
    pub at: String,
    /// The host whose ports are this node's, in a store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Whether changes are heard as they are made. A file and a socket always are.
    pub connected: bool,
    /// The revision of it that was taken last, as it counts them.
    pub revision: u64,
    /// Seconds since what is in force was last known to be what a store has; nothing, if a store has told nothing.
    /// While it is followed, that is since it was heard last. After a restart, since the daemon before knew it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub age: Option<u64>,
    /// Seconds since a store has answered last, whatever it was asked, whether that was taken or not; nothing, if
    /// this daemon has never heard it. How old what is in force is, is `age`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds_ago: Option<u64>,
    /// Why a store is not followed at the moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// How many times all was read anew from a store, by why it had to be.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub relists: BTreeMap<String, u64>,
    /// Changes of keys that a store has told.
    #[serde(default)]
    pub events: u64,
    /// Their bytes, keys and values.
    #[serde(default)]
    pub bytes: u64,
}

/// An age in words, for people: two units of time are enough.
pub fn age(seconds: u64) -> String {
    const UNITS: [(u64, &str); 4] = [(86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")];
    let largest = UNITS.iter().position(|(length, _)| *length <= seconds);
    let Some(largest) = largest else {
        return "0 s".into();
    };
    let mut rest = seconds;
    let mut words = Vec::new();
    for (length, unit) in UNITS.iter().skip(largest).take(2) {
        let count = rest / length;
        rest %= length;
        if count > 0 {
            words.push(format!("{count} {unit}"));
        }
    }
    words.join(" ")
}

/// What says what is to be enforced.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SourceKind {
    /// A file with a whole inventory.
    #[default]
    Inventory,
    /// A writer on the socket.
    Transactions,
    /// A store that many nodes follow.
    Etcd,
}

impl SourceKind {
    /// Its name, for people and for programs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Inventory => "inventory",
            Self::Transactions => "transactions",
            Self::Etcd => "etcd",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_told_in_its_two_largest_units() {
        let ages = [0, 59, 60, 7_384, 86_400, 300_000].map(age);
        assert_eq!(
            ages,
            ["0 s", "59 s", "1 min", "2 h 3 min", "1 d", "3 d 11 h"]
        );
    }
}
