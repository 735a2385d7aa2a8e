//! Programs on interfaces.

use std::collections::BTreeMap;

use aya::Ebpf;
use aya::programs::{SchedClassifier, loaded_programs};
use sg_common::hook::Hook;

use super::error::{Error, Result};
use super::pins::{Pins, Way};
use super::place::interface;
use super::{clsact, tcx, verify};
use crate::agent::{Attachment, Hooked};

/// Both hooks.
const HOOKS: [Hook; 2] = [Hook::FromVm, Hook::ToVm];

/// The programs of the object, and where they hang.
///
/// Pins say what was attached once. What is attached now is asked of the kernel each time: anybody with
/// the right to can take a program off an interface, and an interface takes its programs along when it
/// goes.
pub struct Links {
    pins: Pins,
    programs: Ebpf,
    /// How new interfaces are attached to.
    way: Way,
    /// Whether another way may be taken when this one is refused.
    may_change: bool,
}

impl Links {
    /// Loads the programs, and puts them in the place of those that a former process has attached: each
    /// replacement is atomic.
    pub fn open(pins: Pins, way: Option<Way>, programs: Ebpf) -> Result<Links> {
        let mut links = Links {
            pins,
            programs,
            way: way.unwrap_or(Way::Tcx),
            may_change: way.is_none(),
        };
        for hook in HOOKS {
            let name = hook.as_str();
            let program = program(&mut links.programs, hook)?;
            verify::load(program).map_err(|source| Error::Program { name, source })?;
        }
        for ifindex in links.pins.interfaces()? {
            if let Err(error) = links.replace(ifindex) {
                tracing::warn!("{error}; the program of the former sgd stays there, if any");
            }
        }
        Ok(links)
    }

    /// How new interfaces are attached to.
    pub fn way(&self) -> Way {
        self.way
    }

    /// The interfaces that we have attached to, and whether our programs are still at both hooks.
    pub fn attached(&self) -> Result<BTreeMap<u32, Attachment>> {
        let mut ids = [0; HOOKS.len()];
        for (hook, id) in HOOKS.into_iter().zip(&mut ids) {
            *id = self.id(hook)?;
        }
        let state = |ifindex| {
            let in_force = |(hook, id)| match self.found(ifindex, hook) {
                Some(Way::Tcx) => tcx::program(&self.pins, ifindex, hook) == Some(id),
                Some(Way::Clsact) => clsact::program(ifindex, hook) == Some(id),
                None => false,
            };
            match HOOKS.into_iter().zip(ids).all(in_force) {
                true => Attachment::InForce,
                false if is_gone(ifindex) => Attachment::Gone,
                false => Attachment::Lost,
            }
        };
        let interfaces = self.pins.interfaces()?.into_iter();
        Ok(interfaces
            .map(|ifindex| (ifindex, state(ifindex)))
            .collect())
    }

    /// The programs of ours that are at an interface, and how they hang there.
    pub fn hooks(&self, ifindex: u32) -> Vec<Hooked> {
        let at = |hook| {
            let (program, by) = match self.found(ifindex, hook)? {
                Way::Tcx => tcx::hanging(&self.pins, ifindex, hook)?,
                Way::Clsact => (clsact::program(ifindex, hook)?, clsact::HANGING),
            };
            let mut programs = loaded_programs().flatten();
            let info = programs.find(|info| info.id() == program)?;
            Some(Hooked {
                hook,
                program,
                name: info.name_as_str().unwrap_or_default().into(),
                tag: info.tag(),
                by,
            })
        };
        HOOKS.into_iter().filter_map(at).collect()
    }

    /// Attaches to an interface at both hooks, or replaces what we have there.
    pub fn attach(&mut self, ifindex: u32) -> Result<()> {
        HOOKS
            .into_iter()
            .try_for_each(|hook| self.attach_at(ifindex, hook))
    }

    /// Takes the programs off an interface, which may be gone.
    pub fn detach(&mut self, ifindex: u32) -> Result<()> {
        detach(&self.pins, ifindex)
    }

    /// Replaces what a former process has attached. What is not there any more is left to whoever asks
    /// for it.
    fn replace(&mut self, ifindex: u32) -> Result<()> {
        for hook in HOOKS {
            let is_there = match self.found(ifindex, hook) {
                Some(Way::Tcx) => tcx::program(&self.pins, ifindex, hook).is_some(),
                Some(Way::Clsact) => clsact::program(ifindex, hook).is_some(),
                None => false,
            };
            if is_there {
                self.attach_at(ifindex, hook)?;
            }
        }
        Ok(())
    }

    fn attach_at(&mut self, ifindex: u32, hook: Hook) -> Result<()> {
        let way = self.found(ifindex, hook).unwrap_or(self.way);
        let refused = match self.attach_by(way, ifindex, hook) {
            Err(error) if way == Way::Tcx && self.may_change && !is_gone(ifindex) => error,
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

    fn attach_by(&mut self, way: Way, ifindex: u32, hook: Hook) -> Result<()> {
        let program = program(&mut self.programs, hook)?;
        match way {
            Way::Tcx => tcx::attach(&self.pins, program, ifindex, hook),
            Way::Clsact => clsact::attach(&self.pins, program, ifindex, hook),
        }
    }

    /// The number of the loaded program of a hook; the kernel gives none twice.
    fn id(&self, hook: Hook) -> Result<u32> {
        let name = hook.as_str();
        let program = self.programs.program(name).ok_or(Error::NoObject)?;
        let program: std::result::Result<&SchedClassifier, _> = program.try_into();
        let info = program.and_then(|program| program.info());
        info.map(|info| info.id())
            .map_err(|source| Error::Program { name, source })
    }

    /// How a hook of an interface was attached to, if it was.
    fn found(&self, ifindex: u32, hook: Hook) -> Option<Way> {
        [Way::Clsact, Way::Tcx]
            .into_iter()
            .find(|way| self.pins.link(ifindex, hook, *way).exists())
    }
}

/// Takes the programs off an interface, which may be gone.
pub fn detach(pins: &Pins, ifindex: u32) -> Result<()> {
    HOOKS.into_iter().try_for_each(|hook| {
        tcx::detach(pins, ifindex, hook)?;
        clsact::detach(pins, ifindex, hook)
    })
}

/// The program of a hook.
fn program(programs: &mut Ebpf, hook: Hook) -> Result<&mut SchedClassifier> {
    let name = hook.as_str();
    let program = programs.program_mut(name).ok_or(Error::NoObject)?;
    program
        .try_into()
        .map_err(|source| Error::Program { name, source })
}

fn is_gone(ifindex: u32) -> bool {
    interface(ifindex).is_err()
}
