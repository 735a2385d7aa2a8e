//! Neutron's identifiers. Each kind is a type of its own, so that none can stand for another.

use std::fmt;
use std::hash::Hash;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use siphasher::sip128::{Hasher128, SipHasher13};
use uuid::Uuid;

macro_rules! identifiers {
    ($($(#[$doc:meta])* $name:ident)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
    )*};
}

identifiers! {
    /// A port's `id`.
    PortId
    /// A security group's `id`.
    GroupId
    /// A security group rule's `id`.
    RuleId
    /// An address group's `id`.
    AddressGroupId
}

impl RuleId {
    /// The id of a rule that has none: made of its group, of what it says, and how many say the same before it.
    pub(super) fn numbered(group: &str, content: &str, place: usize) -> Self {
        let mut hasher = SipHasher13::new();
        (group, content, place).hash(&mut hasher);
        Self(Uuid::from_u128(hasher.finish128().as_u128()))
    }
}
