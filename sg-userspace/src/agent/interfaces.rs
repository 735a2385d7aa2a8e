//! The interfaces that there are, by number and by name.

use std::collections::BTreeMap;

use crate::netlink::{Link, LinkEvent};

/// What is known of the interfaces.
#[derive(Debug, Default)]
pub struct Interfaces {
    names: BTreeMap<u32, String>,
    indexes: BTreeMap<String, u32>,
}

impl Interfaces {
    /// Takes note of an event; says whether anything that matters here may have changed.
    pub fn note(&mut self, event: LinkEvent) -> bool {
        match event {
            LinkEvent::All(links) => {
                *self = Self::default();
                links.into_iter().for_each(|link| self.insert(link));
                true
            }
            // Up, down, another MTU: nothing that matters.
            LinkEvent::Present(link) if self.name(link.ifindex) == Some(link.name.as_str()) => {
                false
            }
            LinkEvent::Present(link) => {
                self.remove(link.ifindex);
                self.insert(link);
                true
            }
            LinkEvent::Gone(ifindex) => self.remove(ifindex),
            LinkEvent::Stirred => false,
        }
    }

    /// Every interface.
    pub fn all(&self) -> impl Iterator<Item = Link> {
        self.names.iter().map(|(ifindex, name)| Link {
            ifindex: *ifindex,
            name: name.clone(),
        })
    }

    /// The name of an interface, if there is one of this number.
    pub fn name(&self, ifindex: u32) -> Option<&str> {
        self.names.get(&ifindex).map(String::as_str)
    }

    /// The number of the interface of this name.
    pub fn index(&self, name: &str) -> Option<u32> {
        self.indexes.get(name).copied()
    }

    fn insert(&mut self, Link { ifindex, name }: Link) {
        self.indexes.insert(name.clone(), ifindex);
        self.names.insert(ifindex, name);
    }

    fn remove(&mut self, ifindex: u32) -> bool {
        let Some(name) = self.names.remove(&ifindex) else {
            return false;
        };
        // The name may have another owner already: news come one by one.
        if self.index(&name) == Some(ifindex) {
            self.indexes.remove(&name);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn present(ifindex: u32, name: &str) -> LinkEvent {
        LinkEvent::Present(Link {
            ifindex,
            name: name.into(),
        })
    }

    #[test]
    fn a_name_that_was_taken_over_stays_with_its_new_owner() {
        let mut interfaces = Interfaces::default();
        assert!(interfaces.note(present(7, "tap0")));
        assert!(!interfaces.note(present(7, "tap0")), "nothing new");
        assert!(interfaces.note(present(8, "tap0")));
        assert!(interfaces.note(LinkEvent::Gone(7)));
        assert_eq!(interfaces.index("tap0"), Some(8));
        assert!(interfaces.note(present(8, "tap1")));
        assert_eq!(
            (interfaces.index("tap0"), interfaces.index("tap1")),
            (None, Some(8))
        );
        assert!(!interfaces.note(LinkEvent::Gone(7)), "gone before");
    }
}
