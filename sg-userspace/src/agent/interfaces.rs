//! The interfaces that there are, by number and by name.

use std::collections::BTreeMap;

use crate::netlink::{Link, LinkEvent};

/// What is known of the interfaces.
#[derive(Debug, Default)]
pub struct Interfaces {
    links: BTreeMap<u32, Link>,
    indexes: BTreeMap<String, u32>,
}

impl Interfaces {
    /// Takes note of an event; says whether anything may have changed that the filters hang on.
    pub fn note(&mut self, event: LinkEvent) -> bool {
        match event {
            LinkEvent::All(links) => {
                *self = Self::default();
                links.into_iter().for_each(|link| self.insert(link));
                true
            }
            // Up, down, another MTU, another bridge: the filter is the same.
            LinkEvent::Present(link) if self.name(link.ifindex) == Some(link.name.as_str()) => {
                self.links.insert(link.ifindex, link);
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
    pub fn all(&self) -> impl Iterator<Item = &Link> {
        self.links.values()
    }

    /// The interface of this number.
    pub fn get(&self, ifindex: u32) -> Option<&Link> {
        self.links.get(&ifindex)
    }

    /// The name of an interface, if there is one of this number.
    pub fn name(&self, ifindex: u32) -> Option<&str> {
        self.get(ifindex).map(|link| link.name.as_str())
    }

    /// The number of the interface of this name.
    pub fn index(&self, name: &str) -> Option<u32> {
        self.indexes.get(name).copied()
    }

    fn insert(&mut self, link: Link) {
        self.indexes.insert(link.name.clone(), link.ifindex);
        self.links.insert(link.ifindex, link);
    }

    fn remove(&mut self, ifindex: u32) -> bool {
        let Some(Link { name, .. }) = self.links.remove(&ifindex) else {
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
            master: None,
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

    #[test]
    fn a_tap_is_known_with_the_bridge_that_it_was_put_into_and_taken_out_of() {
        let mut interfaces = Interfaces::default();
        interfaces.note(present(7, "tap0"));
        let bridged = Link {
            ifindex: 7,
            name: "tap0".into(),
            master: Some(3),
        };
        assert!(!interfaces.note(LinkEvent::Present(bridged)), "same filter");
        assert_eq!(interfaces.get(7).unwrap().master, Some(3));
        interfaces.note(present(7, "tap0"));
        assert_eq!(interfaces.get(7).unwrap().master, None);
    }
}
