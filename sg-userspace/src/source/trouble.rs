//! Why a store is not followed at the moment.

use std::{fmt, time::Duration};

use sg_store::Error as StoreError;

use crate::error::Error;

/// What happened, in words of its own: not all of it is an error of the store's.
#[derive(Debug)]
pub(super) struct Trouble {
    text: String,
    reason: &'static str,
    is_error: bool,
}

impl Trouble {
    /// This node could not take what the store has told.
    pub fn not_taken(error: &Error) -> Self {
        Self {
            text: format!("this node has not taken what the store has told: {error}"),
            reason: "not_taken",
            is_error: true,
        }
    }

    /// Nothing was told for so long.
    pub fn silent(waited: Duration) -> Self {
        Self {
            text: format!(
                "the store has told nothing within {} s, and is asked on",
                waited.as_secs()
            ),
            reason: "unreachable",
            is_error: false,
        }
    }

    /// In one word, for counting.
    pub fn reason(&self) -> &'static str {
        self.reason
    }

    /// Whether it takes a person to mend it.
    pub fn is_error(&self) -> bool {
        self.is_error
    }
}

impl From<&StoreError> for Trouble {
    fn from(error: &StoreError) -> Self {
        Self {
            text: error.to_string(),
            reason: error.reason(),
            is_error: error.is_refusal(),
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_this_node_could_not_do_is_not_said_of_the_store() {
        let full = Error::State {
            action: "write",
            path: "/var/lib/sgd/state".into(),
            source: std::io::ErrorKind::StorageFull.into(),
        };
        let trouble = Trouble::not_taken(&full);
        let text = trouble.to_string();
        assert!(
            text.starts_with("this node has not taken what the store has told: cannot write"),
            "{text}"
        );
        assert_eq!((trouble.reason(), trouble.is_error()), ("not_taken", true));
        let text = Trouble::silent(Duration::from_secs(10)).to_string();
        assert_eq!(
            text,
            "the store has told nothing within 10 s, and is asked on"
        );
        for text in [text, trouble.to_string()] {
            assert!(!text.contains("ended"), "{text}");
        }
    }
}
