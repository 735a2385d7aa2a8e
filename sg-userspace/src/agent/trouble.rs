//! What is wrong at an interface, in words, with what mends it.

use std::collections::{BTreeMap, BTreeSet};

/// What is wrong at an interface. It is looked for again and again, and is over as soon as it is not found.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trouble {
    /// The kernel refuses our programs.
    Refused {
        /// What it says.
        error: String,
    },
    /// What carries the frames of the VM on reads them before the filter.
    Bypassed {
        /// Who.
        reader: String,
    },
    /// Somebody reads frames before the filter, and a bridge carries on what passes it.
    Captured {
        /// Who.
        reader: String,
    },
}

impl Trouble {
    /// The name for programs, in snake case.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Refused { .. } => "refused",
            Self::Bypassed { .. } => "bypassed",
            Self::Captured { .. } => "captured",
        }
    }

    /// Whether frames can pass that the port's rules forbid. A port with such trouble is not enforced.
    pub const fn opens(&self) -> bool {
        match self {
            Self::Refused { .. } | Self::Bypassed { .. } => true,
            Self::Captured { .. } => false,
        }
    }

    /// What is wrong, as the rest of a sentence that begins with the interface.
    pub fn problem(&self) -> String {
        match self {
            Self::Refused { error } => format!("is not filtered: {error}"),
            Self::Bypassed { reader } => format!(
                "is read by {reader} before the filter, and its frames go on from there: what is forwarded \
                 so, the filter cannot drop"
            ),
            Self::Captured { reader } => format!(
                "is read by {reader} before the filter, which therefore sees frames that are then dropped"
            ),
        }
    }

    /// What mends it, as a sentence.
    pub const fn remedy(&self) -> &'static str {
        match self {
            Self::Refused { .. } => "It is tried again.",
            Self::Bypassed { .. } => {
                "Let a bridge of the kernel carry its frames, or Open vSwitch with datapath_type=system; a \
                 capture is harmless, and this is over when it ends."
            }
            Self::Captured { .. } => "A capture is harmless; a switch that works so is not.",
        }
    }
}

/// The index under which trouble is told that all interfaces have; no interface has it.
pub const EVERY_INTERFACE: u32 = 0;

/// The troubles of all interfaces, by index.
#[derive(Debug, Default)]
pub struct Troubles(BTreeMap<u32, BTreeSet<Trouble>>);

impl Troubles {
    /// Notes one.
    pub fn insert(&mut self, ifindex: u32, trouble: Trouble) {
        self.0.entry(ifindex).or_default().insert(trouble);
    }

    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = (u32, &Trouble)> {
        let all = self.0.iter();
        all.flat_map(|(ifindex, troubles)| troubles.iter().map(|trouble| (*ifindex, trouble)))
    }

    /// Those of one interface.
    pub fn of(&self, ifindex: u32) -> impl Iterator<Item = &Trouble> {
        self.0.get(&ifindex).into_iter().flatten()
    }

    /// Whether any interface has one that may be over when it is tried again.
    pub fn is_refused_anywhere(&self) -> bool {
        let is_refused = |trouble: &Trouble| matches!(trouble, Trouble::Refused { .. });
        self.all().any(|(_, trouble)| is_refused(trouble))
    }

    /// Those that `older` does not have.
    pub fn since<'a>(&'a self, older: &'a Self) -> impl Iterator<Item = (u32, &'a Trouble)> {
        self.all()
            .filter(|(ifindex, trouble)| older.of(*ifindex).all(|old| old != *trouble))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_new_and_what_is_over_is_told_apart_from_what_goes_on() {
        let refused = |error: &str| Trouble::Refused {
            error: error.into(),
        };
        let captured = || Trouble::Captured {
            reader: "tcpdump".into(),
        };
        let (mut before, mut after) = (Troubles::default(), Troubles::default());
        before.insert(7, refused("no memory"));
        before.insert(7, captured());
        after.insert(7, captured());
        after.insert(8, captured());
        assert_eq!(after.since(&before).collect::<Vec<_>>(), [(8, &captured())]);
        let over: Vec<_> = before.since(&after).collect();
        assert_eq!(over, [(7, &refused("no memory"))]);
    }
}
