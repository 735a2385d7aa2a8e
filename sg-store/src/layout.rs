//! Which layout the keys of a store have, and which store it is.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Error, Result, Revision, json};

/// The key that says which layout the others have. It is outside them all, so that each version finds it.
pub const LAYOUT: &str = "/sg/layout";

/// The layout that this program knows.
const KNOWN: u32 = 1;

/// The value of [`LAYOUT`]; written by the first writer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layout {
    /// The number of the layout.
    pub layout: u32,
    /// How often an operator has said that this store is to be followed though it is another, or has gone back.
    #[serde(default = "first")]
    pub generation: u32,
    /// What the store was given when it was begun; 0 where an operator has written the value. Clusters at the same
    /// addresses have the same id unless somebody chose a token, and one that was emptied and begun anew keeps its.
    #[serde(default)]
    pub store: u64,
}

/// JSON has no greater numbers that all read alike (RFC 8259, 6).
const STORES: u64 = 1 << 53;

const fn first() -> u32 {
    1
}

impl Layout {
    /// That of a store which begins.
    pub fn of_new_store() -> Self {
        Self {
            layout: KNOWN,
            generation: first(),
            store: fastrand::u64(1..STORES),
        }
    }

    /// Reads the value of the key, if it is there.
    ///
    /// # Errors
    ///
    /// [`Error::NoLayout`]; [`Error::Layout`] for one that this program does not know.
    pub fn read(value: Option<&[u8]>) -> Result<Self> {
        let value = value.ok_or(Error::NoLayout)?;
        let refused = |advice| Error::Layout {
            found: String::from_utf8_lossy(value).chars().take(80).collect(),
            known: KNOWN,
            advice,
        };
        let layout: Self = json::object(value).ok_or_else(|| {
            refused("write {\"layout\": 1, \"generation\": N} if the keys are so, with an N that it never was")
        })?;
        match layout.layout.cmp(&KNOWN) {
            std::cmp::Ordering::Less => Err(refused("let a newer writer write the store anew")),
            std::cmp::Ordering::Equal => Ok(layout),
            std::cmp::Ordering::Greater => Err(refused("install a newer version here")),
        }
    }

    /// As it is written.
    pub fn value(self) -> Vec<u8> {
        format!(
            "{{\"layout\": {}, \"generation\": {}, \"store\": {}}}",
            self.layout, self.generation, self.store
        )
        .into_bytes()
    }

    /// Which store it is of, at a place with a number of its own: that of etcd's cluster, or of a file.
    pub(crate) const fn identity(self, place: u64) -> Identity {
        Identity {
            store: place ^ self.store,
            generation: self.generation,
        }
    }
}

/// A store, told from others, and from itself before an operator has put it in the place of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Of its place and of its layout, in one number.
    pub store: u64,
    /// That of its layout.
    pub generation: u32,
}

/// How far a store was followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// Which store.
    pub identity: Identity,
    /// Up to here.
    pub revision: Revision,
}

impl Position {
    /// Whether what was followed up to here goes on at another position. A store in the place of another, or one
    /// restored from a backup, has forgotten what was told: what it does not have would be taken away everywhere.
    ///
    /// # Errors
    ///
    /// [`Error::OtherStore`], unless its generation is higher: then an operator has said so.
    pub fn goes_on_at(self, next: Self) -> Result<()> {
        let (known, found) = (self.identity, next.identity);
        if found.generation > known.generation {
            return Ok(());
        }
        let what = if found.store != known.store {
            format!("this is the store {found}, and {known} was followed before")
        } else if found.generation < known.generation {
            format!("this is the store {found}, and it was {known} before")
        } else if next.revision < self.revision {
            format!(
                "the store {found} has gone back to revision {}, and was at {} before: it was restored from a backup",
                next.revision, self.revision
            )
        } else {
            return Ok(());
        };
        Err(Error::OtherStore { what })
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}, generation {}", self.store, self.generation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(store: u64, generation: u32, revision: Revision) -> Position {
        Position {
            identity: Identity { store, generation },
            revision,
        }
    }

    #[test]
    fn a_store_that_is_another_or_has_gone_back_is_refused_until_an_operator_says_so() {
        let known = at(7, 1, 100);
        for fits in [at(7, 1, 100), at(7, 1, 101), at(8, 2, 3), at(7, 2, 3)] {
            known.goes_on_at(fits).unwrap();
        }
        for (other, says) in [
            (at(8, 1, 200), "0000000000000008"),
            (at(7, 1, 99), "restored from a backup"),
            (at(7, 0, 200), "generation 0"),
        ] {
            let error = known.goes_on_at(other).unwrap_err();
            assert!(error.is_refusal());
            let error = error.to_string();
            assert!(
                error.contains(says) && error.contains("generation"),
                "{error}"
            );
        }
    }

    #[test]
    fn a_layout_that_is_not_known_is_named_with_what_to_do() {
        let new = Layout::of_new_store();
        assert_eq!(Layout::read(Some(&new.value())).unwrap(), new);
        let old_form = Layout::read(Some(b"{\"layout\": 1}")).unwrap();
        assert_eq!(old_form, Layout { store: 0, ..new });
        let advice = |value: &[u8]| Layout::read(Some(value)).unwrap_err().to_string();
        assert!(advice(b"{\"layout\": 2}").contains("install a newer version here"));
        assert!(advice(b"{\"layout\": 0}").contains("a newer writer"));
        assert!(advice(b"one").contains("is one, and"));
        assert!(advice(b"[1, 1]").contains("is [1, 1], and"));
        assert!(matches!(Layout::read(None), Err(Error::NoLayout)));
    }
}
