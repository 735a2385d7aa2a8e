//! Programs on interfaces.

use std::collections::{BTreeMap, BTreeSet};

use sg_common::hook::Hook;

use super::attached::{Here, attached};
use super::away::Away;
use super::earlier::Earlier;
use super::error::{Error, Result};
use super::held::Held;
use super::order::{self, Place};
use super::pins::{Pins, Spot, Way, remove};
use super::place::interface;
use super::programs::{Programs, Role};
use super::stock::Stock;
use super::{clsact, sys, tcx};
use crate::agent::Trouble;

/// The programs of the object, and where they hang.
///
/// What was attached once is remembered by pins, for the next process, and by this one itself. What is
/// attached now, and in which place, is asked of the kernel each time: anybody with the right to can take
/// a program off an interface, or put another before it.
pub struct Links {
    pub(super) pins: Pins,
    pub(super) programs: Programs,
    /// How new interfaces are attached to at tc.
    way: Way,
    /// Whether another way may be taken when this one is refused.
    may_change: bool,
    /// The links of tcx and XDP.
    pub(super) held: BTreeMap<Spot, Held>,
    /// The filters of clsact.
    pub(super) marked: BTreeSet<(u32, Hook)>,
    /// The links on interfaces that are in another namespace.
    pub(super) away: Away,
    /// What has another layout or other sizes, and goes on until ours take its place.
    pub(super) earlier: Earlier,
    /// The names of the interfaces.
    pub(super) names: BTreeMap<u32, String>,
    /// The interfaces at whose XDP ours was to be and could not.
    pub(super) refused: BTreeMap<u32, Trouble>,
}

impl Links {
    /// Loads the programs, and puts them in the place of those that a former process has attached: each
    /// replacement is atomic.
    pub fn open(pins: Pins, earlier: Earlier, way: Option<Way>, stock: Stock) -> Result<Links> {
        let programs = Programs::load(stock)?;
        tcx::tell(programs.pin(&pins));
        let (held, marked) = (pins.held()?, pins.marked()?);
        let mut links = Links {
            away: Away::open(&pins)?,
            pins,
            programs,
            earlier,
            way: way.unwrap_or(Way::Tcx),
            may_change: way.is_none(),
            held,
            marked,
            names: BTreeMap::new(),
            refused: BTreeMap::new(),
        };
        links.replace_all();
        links.take_back_what_left()?;
        links.programs.forget_others();
        Ok(links)
    }

    /// How new interfaces are attached to at tc.
    pub fn way(&self) -> Way {
        self.way
    }

    /// Forgets an interface that is gone.
    ///
    /// # Errors
    ///
    /// A pin cannot be removed.
    pub fn forget(&mut self, ifindex: u32) -> Result<()> {
        self.held.retain(|spot, _| spot.ifindex != ifindex);
        self.marked.retain(|(at, _)| *at != ifindex);
        self.names.remove(&ifindex);
        self.refused.remove(&ifindex);
        self.earlier.forget(ifindex)?;
        detach(&self.pins, ifindex)
    }

    /// The links and programs whose pins somebody has removed, and the filters without their marks.
    pub fn unpinned(&self) -> Unpinned<'_> {
        let links = self.held.values().chain(self.away.all());
        let is_marked = |at: &(u32, Hook)| clsact::is_marked(&self.pins, at.0, at.1);
        Unpinned {
            links: links.filter(|held| !held.is_pinned()).collect(),
            filters: self.marked.iter().filter(|at| !is_marked(at)).collect(),
            programs: Some(&self.programs).filter(|programs| !programs.are_pinned(&self.pins)),
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
        let marked = self.marked.iter().map(|(ifindex, _)| *ifindex);
        let held = self.held.keys().map(|spot| spot.ifindex);
        held.chain(marked).collect()
    }

    /// Replaces what a former process has attached. What is not there any more is left to whoever asks for
    /// it.
    fn replace_all(&mut self) {
        let at_xdp = self.held.keys().any(|spot| spot.way == Way::Xdp);
        let loaded = match at_xdp {
            true => self.programs.load_xdp(),
            false => Ok(()),
        };
        if let Err(error) = loaded {
            tracing::warn!("{error}");
        }
        for (spot, held) in &self.held {
            let ours = self.programs.fd(former_role(*spot, held));
            let replaced = ours.and_then(|ours| tcx::replace(held, ours, spot.ifindex, spot.hook));
            if let (Err(error), true) = (replaced, attached(held).is_some()) {
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

    /// Keeps the links of an earlier filter whose interfaces are in another namespace: the next look finds them so.
    fn take_back_what_left(&mut self) -> Result<()> {
        let here = Here::default();
        let has_left = |held: &Held| attached(held).is_some_and(|link| !here.has(&link));
        let left = self.earlier.links().filter(|(_, held)| has_left(held));
        let left: Vec<_> = left.map(|(spot, _)| *spot).collect();
        for spot in left {
            if let Some(mut held) = self.earlier.take_link(spot) {
                held.move_to(self.pins.link(spot))?;
                self.held.insert(spot, held);
            }
        }
        for (interface, held) in self.earlier.away()? {
            self.away.take(&self.pins, None, interface, held);
        }
        Ok(())
    }

    /// Puts our programs in the place of an earlier filter's at an interface, each at once.
    pub(super) fn take_over(&mut self, ifindex: u32) -> Result<()> {
        let taken = self.earlier.take(ifindex);
        for (spot, mut held) in taken.links {
            if attached(&held).is_none() {
                held.unpin()?;
                continue;
            }
            if spot.way == Way::Xdp {
                self.programs.load_xdp()?;
            }
            let ours = self.programs.fd(former_role(spot, &held))?;
            tcx::replace(&held, ours, ifindex, spot.hook)?;
            held.move_to(self.pins.link(spot))?;
            self.held.insert(spot, held);
        }
        for (hook, pins) in taken.marks {
            self.attach_by(Way::Clsact, ifindex, hook)?;
            remove(&clsact::marker(&pins, ifindex, hook))?;
        }
        Ok(())
    }

    /// Attaches at a hook of tc, or replaces what we have there, and takes the first place.
    pub(super) fn attach_at(&mut self, ifindex: u32, hook: Hook) -> Result<()> {
        let at = (ifindex, hook);
        let way = match self.marked.contains(&at) {
            true => Way::Clsact,
            false if self.held.contains_key(&tc(at)) => Way::Tcx,
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
        let held = self.held.get(&tc(at));
        held.is_some_and(|held| attached(held).is_some()) || is_gone(at.0)
    }

    fn attach_by(&mut self, way: Way, ifindex: u32, hook: Hook) -> Result<()> {
        match way {
            Way::Tcx | Way::Xdp => self.attach_by_tcx(ifindex, hook),
            Way::Clsact => {
                let ours = self.programs.filter_mut(hook)?;
                clsact::attach(&self.pins, ours, ifindex, hook)?;
                self.marked.insert((ifindex, hook));
                Ok(())
            }
        }
    }

    fn attach_by_tcx(&mut self, ifindex: u32, hook: Hook) -> Result<()> {
        let ours = self.programs.fd(Role::Filter(hook))?;
        let spot = tc((ifindex, hook));
        let held = self.held.get(&spot);
        let held = held.filter(|held| attached(*held).is_some());
        let fresh = match held {
            None => tcx::attach(&self.pins, ours, ifindex, hook)?,
            Some(held) => {
                tcx::replace(held, ours, ifindex, hook)?;
                let order = order::at(ifindex, hook, false).map_err(Error::Attached)?;
                if Place::of(self.programs.id(Role::Filter(hook))?, &order) == Place::First {
                    return Ok(());
                }
                let closed = self.programs.fd(Role::Closed)?;
                tcx::take_first_place(&self.pins, held, [ours, closed], ifindex, hook)?
            }
        };
        self.held.insert(spot, fresh);
        Ok(())
    }
}

/// What the program of a former process is for. One of another kind that is no guard was to filter.
fn former_role(spot: Spot, held: &Held) -> Role {
    let name = attached(held).and_then(|link| sys::program_name(link.program));
    match spot.way == Way::Xdp && name.as_deref() == Some(Role::Guard.name()) {
        true => Role::Guard,
        false => Role::filter(spot.hook, spot.way),
    }
}

/// The place of a link of tcx.
pub fn tc((ifindex, hook): (u32, Hook)) -> Spot {
    let way = Way::Tcx;
    Spot { ifindex, hook, way }
}

/// What the next process would not find.
pub struct Unpinned<'a> {
    links: Vec<&'a Held>,
    filters: Vec<&'a (u32, Hook)>,
    programs: Option<&'a Programs>,
    pins: &'a Pins,
}

impl Unpinned<'_> {
    /// How many links and filters they are.
    pub fn count(&self) -> usize {
        self.links.len() + self.filters.len()
    }

    /// Whether pins of programs are missing: the next process would load them, and nothing could close new
    /// interfaces until then.
    pub fn lack_programs(&self) -> bool {
        self.programs.is_some()
    }

    /// Pins and marks them.
    ///
    /// # Errors
    ///
    /// Those of the first that cannot be.
    pub fn pin(self) -> Result<()> {
        self.links.into_iter().try_for_each(Held::pin)?;
        let mut filters = self.filters.into_iter();
        filters.try_for_each(|(ifindex, hook)| clsact::mark(self.pins, *ifindex, *hook))?;
        self.programs
            .map_or(Ok(()), |programs| programs.pin(self.pins))
    }
}

/// Takes the programs off an interface, which may be gone.
pub fn detach(pins: &Pins, ifindex: u32) -> Result<()> {
    pins.remove_link(Spot::xdp(ifindex))?;
    Hook::ALL.into_iter().try_for_each(|hook| {
        pins.remove_link(tc((ifindex, hook)))?;
        clsact::detach(pins, ifindex, hook)
    })
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
