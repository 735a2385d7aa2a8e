//! Programs on interfaces.

use std::collections::{BTreeMap, BTreeSet};

use aya::Ebpf;
use sg_common::hook::Hook;

use super::away::Away;
use super::error::{Error, Result};
use super::held::Held;
use super::order::{self, Place};
use super::pins::{Pins, Way};
use super::place::interface;
use super::programs::Programs;
use super::{clsact, tcx};
use crate::agent::{Attachment, Trouble};
use crate::netlink::Link;

/// The programs of the object, and where they hang.
///
/// What was attached once is remembered by pins, for the next process, and by this one itself. What is
/// attached now, and in which place, is asked of the kernel each time: anybody with the right to can take
/// a program off an interface, or put another before it.
pub struct Links {
    pub(super) pins: Pins,
    pub(super) programs: Programs,
    /// How new interfaces are attached to.
    way: Way,
    /// Whether another way may be taken when this one is refused.
    may_change: bool,
    /// The links of tcx.
    pub(super) held: BTreeMap<(u32, Hook), Held>,
    /// The filters of clsact.
    pub(super) marked: BTreeSet<(u32, Hook)>,
    /// The links on interfaces that are in another namespace.
    pub(super) away: Away,
    /// The names of the interfaces.
    pub(super) names: BTreeMap<u32, String>,
}

impl Links {
    /// Loads the programs, and puts them in the place of those that a former process has attached: each
    /// replacement is atomic.
    pub fn open(pins: Pins, way: Option<Way>, object: Ebpf) -> Result<Links> {
        let programs = Programs::load(object)?;
        let (held, marked) = (pins.held()?, pins.marked()?);
        let mut links = Links {
            away: Away::open(&pins)?,
            pins,
            programs,
            way: way.unwrap_or(Way::Tcx),
            may_change: way.is_none(),
            held,
            marked,
            names: BTreeMap::new(),
        };
        links.replace_all();
        Ok(links)
    }

    /// How new interfaces are attached to.
    pub fn way(&self) -> Way {
        self.way
    }

    /// Attaches to an interface at both hooks, or replaces what we have there, and takes the first place.
    ///
    /// # Errors
    ///
    /// What is in the way.
    pub fn attach(&mut self, link: &Link) -> std::result::Result<Attachment, Trouble> {
        self.names.insert(link.ifindex, link.name.clone());
        self.attach_at_both(link.ifindex).map_err(trouble)
    }

    /// Forgets an interface that is gone.
    ///
    /// # Errors
    ///
    /// A pin cannot be removed.
    pub fn forget(&mut self, ifindex: u32) -> Result<()> {
        for hook in Hook::ALL {
            self.held.remove(&(ifindex, hook));
            self.marked.remove(&(ifindex, hook));
        }
        self.names.remove(&ifindex);
        detach(&self.pins, ifindex)
    }

    /// The links whose pins somebody has removed, and the filters without their marks.
    pub fn unpinned(&self) -> Unpinned<'_> {
        let links = self.held.values().chain(self.away.all());
        let is_marked = |at: &(u32, Hook)| self.pins.link(at.0, at.1, Way::Clsact).exists();
        Unpinned {
            links: links.filter(|held| !held.is_pinned()).collect(),
            filters: self.marked.iter().filter(|at| !is_marked(at)).collect(),
            pins: &self.pins,
        }
    }

    /// Takes the programs off an interface that is in another namespace, whose name this was here.
    ///
    /// # Errors
    ///
    /// A pin cannot be removed.
    pub fn release(&mut self, interface: &str) -> Result<()> {
        self.away.release(interface)
    }

    pub(super) fn interfaces(&self) -> BTreeSet<u32> {
        let all = self.held.keys().chain(&self.marked);
        all.map(|(ifindex, _)| *ifindex).collect()
    }

    /// Replaces what a former process has attached. What is not there any more is left to whoever asks for
    /// it.
    fn replace_all(&mut self) {
        for ((ifindex, hook), held) in &self.held {
            let ours = self.programs.filter(*hook);
            let replaced = ours.and_then(|ours| tcx::replace(held, ours, *ifindex, *hook));
            if let (Err(error), true) = (replaced, tcx::attached(held).is_some()) {
                tracing::warn!("{error}; the program of the former sgd stays there");
            }
        }
        for (ifindex, hook) in self.marked.clone() {
            if clsact::is_there(ifindex, hook)
                && let Err(error) = self.attach_by(Way::Clsact, ifindex, hook)
            {
                tracing::warn!("{error}; the program of the former sgd stays there, if any");
            }
        }
    }

    fn attach_at_both(&mut self, ifindex: u32) -> Result<Attachment> {
        for hook in Hook::ALL {
            self.attach_at(ifindex, hook)?;
        }
        let place = |hook| {
            let order = order::at(ifindex, hook, true).map_err(Error::Attached)?;
            Ok(Place::of(self.programs.id(hook)?, &order))
        };
        let places: Result<Vec<_>> = Hook::ALL.into_iter().map(place).collect();
        Ok(Place::attachment(&places?))
    }

    fn attach_at(&mut self, ifindex: u32, hook: Hook) -> Result<()> {
        let at = (ifindex, hook);
        let way = match self.marked.contains(&at) {
            true => Way::Clsact,
            false if self.held.contains_key(&at) => Way::Tcx,
            false => self.way,
        };
        let refused = match self.attach_by(way, ifindex, hook) {
            Err(error)
                if way == Way::Tcx
                    && self.may_change
                    && !self.is_settled(at)
                    && !error.is_for_want_of_room() =>
            {
                error
            }
            done => return done,
        };
        // The other way is worth a try, and if it fails too, the first refusal says more.
        if self.attach_by(Way::Clsact, ifindex, hook).is_err() {
            return Err(refused);
        }
        if self.way != Way::Clsact {
            tracing::warn!("{refused}; attaching through clsact from now on");
            self.way = Way::Clsact;
        }
        Ok(())
    }

    /// Whether there is a filter already, or nothing to be filtered any more: then there is no other way.
    fn is_settled(&self, at: (u32, Hook)) -> bool {
        let held = self.held.get(&at);
        held.is_some_and(|held| tcx::attached(held).is_some()) || is_gone(at.0)
    }

    fn attach_by(&mut self, way: Way, ifindex: u32, hook: Hook) -> Result<()> {
        match way {
            Way::Tcx => self.attach_by_tcx(ifindex, hook),
            Way::Clsact => {
                let ours = self.programs.filter_mut(hook)?;
                clsact::attach(&self.pins, ours, ifindex, hook)?;
                self.marked.insert((ifindex, hook));
                Ok(())
            }
        }
    }

    fn attach_by_tcx(&mut self, ifindex: u32, hook: Hook) -> Result<()> {
        let ours = self.programs.filter(hook)?;
        let held = self.held.get(&(ifindex, hook));
        let held = held.filter(|held| tcx::attached(*held).is_some());
        let fresh = match held {
            None => tcx::attach(&self.pins, ours, ifindex, hook)?,
            Some(held) => {
                tcx::replace(held, ours, ifindex, hook)?;
                let order = order::at(ifindex, hook, false).map_err(Error::Attached)?;
                if Place::of(self.programs.id(hook)?, &order) == Place::First {
                    return Ok(());
                }
                let closed = self.programs.closed()?;
                tcx::take_first_place(&self.pins, held, [ours, closed], ifindex, hook)?
            }
        };
        self.held.insert((ifindex, hook), fresh);
        Ok(())
    }
}

/// What the next process would not find.
pub struct Unpinned<'a> {
    links: Vec<&'a Held>,
    filters: Vec<&'a (u32, Hook)>,
    pins: &'a Pins,
}

impl Unpinned<'_> {
    /// How many they are.
    pub fn count(&self) -> usize {
        self.links.len() + self.filters.len()
    }

    /// Pins and marks them.
    ///
    /// # Errors
    ///
    /// Those of the first that cannot be.
    pub fn pin(self) -> Result<()> {
        self.links.into_iter().try_for_each(Held::pin)?;
        let mut filters = self.filters.into_iter();
        filters.try_for_each(|(ifindex, hook)| clsact::mark(self.pins, *ifindex, *hook))
    }
}

/// Takes the programs off an interface, which may be gone.
pub fn detach(pins: &Pins, ifindex: u32) -> Result<()> {
    Hook::ALL.into_iter().try_for_each(|hook| {
        pins.remove_link(ifindex, hook)?;
        clsact::detach(pins, ifindex, hook)
    })
}

fn trouble(error: Error) -> Trouble {
    match error {
        Error::IngressQdisc { .. } => Trouble::IngressQdisc,
        error => Trouble::Refused {
            error: error.to_string(),
        },
    }
}

/// Logs what failed of what is tried again at each look.
pub fn tell(done: Result<()>) {
    if let Err(error) = done {
        tracing::warn!("{error}; it is tried again");
    }
}

/// Whether no interface of this namespace has this number.
pub fn is_gone(ifindex: u32) -> bool {
    interface(ifindex).is_err()
}
