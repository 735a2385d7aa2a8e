//! What a node wants of a store, a range each.

use uuid::Uuid;

use crate::PREFIX;
use crate::keys::Key;
use crate::kv::Range;
use crate::layout::LAYOUT;

/// Something that a node wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Want {
    /// Which layout the store has.
    Layout,
    /// All that there is.
    Everything,
    /// The node's own ports.
    Ports,
    /// A security group, with its rules.
    Group(Uuid),
    /// The members of a security group.
    Members(Uuid),
    /// An address group.
    AddressGroup(Uuid),
}

impl Want {
    /// Where it is, for the node with this name.
    pub fn range(self, host: &str) -> Range {
        match self {
            Self::Layout => Range::Key(LAYOUT.into()),
            Self::Everything => Range::Prefix(PREFIX.into()),
            Self::Ports => Range::Prefix(Key::ports_of(host)),
            Self::Group(id) => Range::Prefix(Key::group_with_rules(id)),
            Self::Members(id) => Range::Prefix(Key::members_of(id)),
            Self::AddressGroup(id) => Range::Key(Key::AddressGroup(id).to_string()),
        }
    }
}
