//! Programs on interfaces.

use std::collections::{BTreeMap, BTreeSet};

use aya::Ebpf;
use aya::programs::SchedClassifier;
use sg_common::hook::Hook;

use super::away::Away;
use super::error::{Error, Result};
use super::held::Held;
use super::order::{self, Place, Running};
use super::pins::{Pins, Way};
use super::place::interface;
use super::qdiscs;
use super::{clsact, tcx};
use crate::agent::{Attachment, Hanging, Hooked, Look, Trouble};
use crate::netlink::Link;

/// Both hooks.
const HOOKS: [Hook; 2] = [Hook::FromVm, Hook::ToVm];

/// The program that drops everything.
const CLOSED: &str = "closed";

/// The programs of the object, and where they hang.
///
/// What was attached once is remembered by pins, for the next process, and by this one itself. What is
/// attached now, and in which place, is asked of the kernel each time: anybody with the right to can take
/// a program off an interface, or put another before it.
pub struct Links {
    pins: Pins,
    programs: Ebpf,
    /// How new interfaces are attached to.
    way: Way,
    /// Whether another way may be taken when this one is refused.
    may_change: bool,
    /// The links of tcx.
    held: BTreeMap<(u32, Hook), Held>,
    /// The filters of clsact.
    marked: BTreeSet<(u32, Hook)>,
    /// The links on interfaces that are in another namespace.
    away: Away,
    /// The names of the interfaces.
    names: BTreeMap<u32, String>,
}

impl Links {
    /// Loads the programs, and puts them in the place of those that a former process has attached: each
    /// replacement is atomic.
    pub fn open(pins: Pins, way: Option<Way>, mut programs: Ebpf) -> Result<Links> {
        for name in [Hook::FromVm.as_str(), Hook::ToVm.as_str(), CLOSED] {
            program(&mut programs, name)?
                .load()
                .map_err(|source| Error::Program { name, source })?;
        }
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

    /// What became of the interfaces that we have attached to.
    ///
    /// # Errors
    ///
    /// The kernel cannot be asked.
    pub fn look(&mut self) -> Result<Look> {
        let ids = self.ids()?;
        self.settle();
        let qdiscs = qdiscs::all().map_err(Error::Attached)?;
        let mut look = Look::default();
        for ifindex in self.interfaces() {
            let order = |hook| order::at(ifindex, hook, has_filters(&qdiscs, ifindex, hook));
            let orders = HOOKS.map(|hook| order(hook).unwrap_or_default());
            let places = [0, 1].map(|hook| Place::of(ids[hook], &orders[hook]));
            let name = interface(ifindex).ok();
            let attachment = match &places {
                _ if name.is_none() => Attachment::Gone,
                places if places.contains(&Place::Absent) => Attachment::Lost,
                [Place::First, Place::First] => Attachment::InForce,
                _ => Attachment::Behind,
            };
            look.attached.insert(ifindex, attachment);
            self.names.extend(name.map(|name| (ifindex, name)));
            for ((hook, order), ours) in HOOKS.into_iter().zip(&orders).zip(ids) {
                let others = filters_of_others(order, ours, hook);
                look.troubles
                    .extend(others.map(|trouble| (ifindex, trouble)));
            }
        }
        for (ifindex, interface) in self.away.interfaces() {
            if is_gone(ifindex) {
                look.attached.insert(ifindex, Attachment::Moved);
            }
            look.troubles.push((ifindex, Trouble::Moved { interface }));
        }
        Ok(look)
    }

    /// The programs of ours that are at an interface, and how they hang there.
    pub fn hooks(&self, ifindex: u32) -> Vec<Hooked> {
        let at = |hook: Hook| {
            let info = loaded(&self.programs, hook.as_str()).ok()?.info().ok()?;
            Some(Hooked {
                hook,
                program: info.id(),
                name: info.name_as_str().unwrap_or_default().into(),
                tag: info.tag(),
                by: self.hanging(ifindex, hook, info.id())?,
            })
        };
        HOOKS.into_iter().filter_map(at).collect()
    }

    /// Attaches to an interface at both hooks, or replaces what we have there, and takes the first place.
    ///
    /// # Errors
    ///
    /// What is in the way.
    pub fn attach(&mut self, Link { ifindex, name }: &Link) -> std::result::Result<(), Trouble> {
        let ifindex = *ifindex;
        self.names.insert(ifindex, name.clone());
        for hook in HOOKS {
            self.attach_at(ifindex, hook).map_err(trouble)?;
        }
        let ids = self.ids().map_err(trouble)?;
        for (hook, ours) in HOOKS.into_iter().zip(ids) {
            let order = order::at(ifindex, hook, true);
            let order = order.map_err(|error| trouble(Error::Attached(error)))?;
            if let Place::Behind(other) = Place::of(ours, &order) {
                return Err(Trouble::NotFirst {
                    other: other.other(hook),
                    error: why_not_first(&other).into(),
                });
            }
        }
        Ok(())
    }

    /// Forgets an interface that is gone.
    ///
    /// # Errors
    ///
    /// A pin cannot be removed.
    pub fn forget(&mut self, ifindex: u32) -> Result<()> {
        for hook in HOOKS {
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

    fn interfaces(&self) -> BTreeSet<u32> {
        let all = self.held.keys().chain(&self.marked);
        all.map(|(ifindex, _)| *ifindex).collect()
    }

    /// Tells the links of interfaces that were moved to another namespace from those of this one, and takes
    /// back those that have returned.
    fn settle(&mut self) {
        let is_elsewhere =
            |held: &Held| tcx::attached(held).is_some_and(|link| !tcx::is_here(&link));
        let links = self.held.iter();
        let elsewhere = links.filter(|(_, held)| is_elsewhere(held));
        let elsewhere: Vec<_> = elsewhere.map(|(at, _)| *at).collect();
        for at in elsewhere {
            if let Some(held) = self.held.remove(&at) {
                let name = self.names.get(&at.0).cloned().unwrap_or_default();
                self.away.take(&self.pins, Some((at.0, name)), held);
            }
        }
        for (ifindex, hook, mut held) in self.away.returned() {
            tell(held.move_to(self.pins.link(ifindex, hook, Way::Tcx)));
            self.held.insert((ifindex, hook), held);
        }
    }

    /// Replaces what a former process has attached, wherever it is. What is not there any more is left to
    /// whoever asks for it.
    fn replace_all(&mut self) {
        let Links {
            held,
            away,
            programs,
            ..
        } = self;
        let tcx = held
            .iter()
            .map(|((ifindex, hook), held)| (*ifindex, *hook, held));
        for (ifindex, hook, held) in tcx.chain(away.links()) {
            let replaced = program(programs, hook.as_str())
                .and_then(|ours| tcx::replace(held, ours, ifindex, hook));
            if let (Err(error), true) = (replaced, tcx::attached(held).is_some()) {
                tracing::warn!("{error}; the program of the former sgd stays there");
            }
        }
        for (ifindex, hook) in self.marked.clone() {
            let is_there = order::at(ifindex, hook, true).is_ok_and(|order| {
                order
                    .iter()
                    .any(|one| one.way == Way::Clsact && one.is_named(hook))
            });
            if is_there && let Err(error) = self.attach_by(Way::Clsact, ifindex, hook) {
                tracing::warn!("{error}; the program of the former sgd stays there, if any");
            }
        }
    }

    fn attach_at(&mut self, ifindex: u32, hook: Hook) -> Result<()> {
        let at = (ifindex, hook);
        let way = match self.marked.contains(&at) {
            true => Way::Clsact,
            false if self.held.contains_key(&at) => Way::Tcx,
            false => self.way,
        };
        let refused = match self.attach_by(way, ifindex, hook) {
            Err(error) if way == Way::Tcx && self.may_change && !self.is_settled(at) => error,
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

    fn hanging(&self, ifindex: u32, hook: Hook, program: u32) -> Option<Hanging> {
        if self.marked.contains(&(ifindex, hook)) {
            return clsact::hanging(ifindex, hook, program);
        }
        let held = self.held.get(&(ifindex, hook))?;
        let link = tcx::attached(held).filter(tcx::is_here)?.id;
        let pin = held.path().into();
        Some(Hanging::Tcx { link, pin })
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
                let ours = program(&mut self.programs, hook.as_str())?;
                clsact::attach(&self.pins, ours, ifindex, hook)?;
                self.marked.insert((ifindex, hook));
                Ok(())
            }
        }
    }

    fn attach_by_tcx(&mut self, ifindex: u32, hook: Hook) -> Result<()> {
        let ours = loaded(&self.programs, hook.as_str())?;
        let held = self.held.get(&(ifindex, hook));
        let held = held.filter(|held| tcx::attached(*held).is_some());
        let fresh = match held {
            None => tcx::attach(&self.pins, ours, ifindex, hook)?,
            Some(held) => {
                tcx::replace(held, ours, ifindex, hook)?;
                let order = order::at(ifindex, hook, false).map_err(Error::Attached)?;
                if Place::of(id(&self.programs, hook)?, &order) == Place::First {
                    return Ok(());
                }
                let closed = loaded(&self.programs, CLOSED)?;
                tcx::take_first_place(&self.pins, held, [ours, closed], ifindex, hook)?
            }
        };
        self.held.insert((ifindex, hook), fresh);
        Ok(())
    }

    /// The numbers of the loaded programs; the kernel gives none twice.
    fn ids(&self) -> Result<[u32; 2]> {
        Ok([
            id(&self.programs, Hook::FromVm)?,
            id(&self.programs, Hook::ToVm)?,
        ])
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
    HOOKS.into_iter().try_for_each(|hook| {
        pins.remove_link(ifindex, hook)?;
        clsact::detach(pins, ifindex, hook)
    })
}

fn has_filters(qdiscs: &BTreeMap<u32, String>, ifindex: u32, hook: Hook) -> bool {
    match qdiscs.get(&ifindex).map(String::as_str) {
        None => false,
        // It lists the same filters for both hooks, and asks them at one.
        Some(qdiscs::INGRESS) => hook == Hook::FromVm,
        Some(_) => true,
    }
}

/// Filters that are named as ours and are not.
fn filters_of_others(
    order: &[Running],
    ours: u32,
    hook: Hook,
) -> impl Iterator<Item = Trouble> + '_ {
    let others = order
        .iter()
        .filter(move |one| one.program != ours && one.is_named(hook));
    others.map(move |one| Trouble::OtherFilter {
        other: one.other(hook),
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

const fn why_not_first(other: &Running) -> &'static str {
    match other.way {
        Way::Tcx => "programs of tcx run before all filters of clsact",
        Way::Clsact => "the kernel keeps it there",
    }
}

/// The program of a name.
fn program<'a>(programs: &'a mut Ebpf, name: &'static str) -> Result<&'a mut SchedClassifier> {
    let program = programs.program_mut(name).ok_or(Error::NoObject)?;
    program
        .try_into()
        .map_err(|source| Error::Program { name, source })
}

fn loaded<'a>(programs: &'a Ebpf, name: &'static str) -> Result<&'a SchedClassifier> {
    let program = programs.program(name).ok_or(Error::NoObject)?;
    program
        .try_into()
        .map_err(|source| Error::Program { name, source })
}

fn id(programs: &Ebpf, hook: Hook) -> Result<u32> {
    let name = hook.as_str();
    let info = loaded(programs, name)?.info();
    info.map(|info| info.id())
        .map_err(|source| Error::Program { name, source })
}

fn tell(pinned: Result<()>) {
    if let Err(error) = pinned {
        tracing::warn!("{error}; it is tried again");
    }
}

fn is_gone(ifindex: u32) -> bool {
    interface(ifindex).is_err()
}
