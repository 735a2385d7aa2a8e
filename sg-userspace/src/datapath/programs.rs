//! The programs of the object that go to interfaces.

use std::collections::BTreeMap;
use std::os::fd::AsFd;
use std::path::PathBuf;

use aya::maps::{MapData, ProgramArray};
use aya::programs::{ProgramFd, ProgramInfo, SchedClassifier, Xdp};
use sg_common::hook::Hook;
use sg_common::layout::maps::name;

use super::error::{Error, Result};
use super::held::Held;
use super::pins::{Pins, Way};
use super::stock::Stock;
use super::tables::take;

/// What a program is for that is attached to interfaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The filter of a hook, at tc.
    Filter(Hook),
    /// The filter of what a VM sends, at XDP.
    FilterAtXdp,
    /// The guard before it, at XDP.
    Guard,
    /// To drop everything, at either hook of tc.
    Closed,
    /// To drop everything, at XDP.
    ClosedAtXdp,
}

impl Role {
    /// What those of XDP are for.
    pub const AT_XDP: [Role; 3] = [Role::FilterAtXdp, Role::Guard, Role::ClosedAtXdp];

    /// The filter, for links of this way.
    pub const fn filter(hook: Hook, way: Way) -> Role {
        match way {
            Way::Xdp => Role::FilterAtXdp,
            Way::Tcx | Way::Clsact => Role::Filter(hook),
        }
    }

    /// What drops everything, for links of this way.
    pub const fn closed(way: Way) -> Role {
        match way {
            Way::Xdp => Role::ClosedAtXdp,
            Way::Tcx | Way::Clsact => Role::Closed,
        }
    }

    /// The name of the program.
    pub const fn name(self) -> &'static str {
        match self {
            Role::Filter(hook) => hook.as_str(),
            Role::FilterAtXdp => "from_vm_xdp",
            Role::Guard => "guard",
            Role::Closed => "closed",
            Role::ClosedAtXdp => "closed_xdp",
        }
    }
}

/// The loaded programs. The kernel gives their numbers to no others.
pub struct Programs {
    stock: Stock,
    tc: BTreeMap<&'static str, SchedClassifier>,
    /// Those of XDP, which are loaded when they are wanted first.
    xdp: BTreeMap<&'static str, Xdp>,
}

impl Programs {
    /// The second programs of the filter, by hook, which the first ones call.
    pub const SECOND: [&str; 2] = ["whole_from_vm", "whole_to_vm"];

    /// The same at XDP.
    pub const SECOND_AT_XDP: &str = "whole_from_vm_xdp";

    /// Loads them, but for those of XDP.
    ///
    /// # Errors
    ///
    /// [`Error::Program`]
    pub fn load(mut stock: Stock) -> Result<Programs> {
        let filters = Hook::ALL.map(Role::Filter).map(Role::name);
        let names = filters
            .into_iter()
            .chain(Self::SECOND)
            .chain([Role::Closed.name()]);
        let load = |name| {
            let loaded = stock
                .tc(name)
                .map_err(|source| Error::Program { name, source });
            Ok((name, loaded?))
        };
        let tc = names.map(load).collect::<Result<_>>()?;
        let xdp = BTreeMap::new();
        let mut programs = Programs { stock, tc, xdp };
        programs.join(name::WHOLE, &Self::SECOND)?;
        Ok(programs)
    }

    /// Loads those of XDP, unless they are.
    ///
    /// # Errors
    ///
    /// [`Error::Program`]
    pub fn load_xdp(&mut self) -> Result<()> {
        if !self.xdp.is_empty() {
            return Ok(());
        }
        let names = Role::AT_XDP
            .map(Role::name)
            .into_iter()
            .chain([Self::SECOND_AT_XDP]);
        let load = |name| {
            let loaded = self
                .stock
                .xdp(name)
                .map_err(|source| Error::Program { name, source });
            Ok((name, loaded?))
        };
        self.xdp = names.map(load).collect::<Result<_>>()?;
        let joined = self.join(name::WHOLE_XDP, &[Self::SECOND_AT_XDP]);
        if joined.is_err() {
            // First programs that find no second ones are not to be taken for the filter.
            self.xdp.clear();
        }
        joined
    }

    /// Removes the pins of other objects' programs.
    pub fn forget_others(&self) {
        self.stock.forget_others();
    }

    /// Lets first programs find second ones: those that a former process has attached, too, for they are of
    /// the same layout.
    fn join(&mut self, array: &'static str, programs: &[&'static str]) -> Result<()> {
        let mut array_of_programs: ProgramArray<MapData> = take(&mut self.stock.object, array)?;
        for (index, name) in (0..).zip(programs) {
            array_of_programs
                .set(index, self.fd_of(name)?, 0)
                .map_err(Error::map("write", array))?;
        }
        Ok(())
    }

    /// Whether all have the pins that they can have.
    pub fn are_pinned(&self, pins: &Pins) -> bool {
        closed(pins).exists() && self.names().all(|name| self.stock.is_kept(name))
    }

    /// Pins those that are not, for the next process; and what drops everything, for when no daemon runs.
    pub fn pin(&self, pins: &Pins) -> Result<()> {
        for name in self.names().filter(|name| !self.stock.is_kept(name)) {
            self.stock.keep(name, self.fd_of(name)?);
        }
        let fd = self.fd(Role::Closed)?.as_fd().try_clone_to_owned();
        let fd = fd.map_err(Error::directory("pin", pins.directory()))?;
        Held::new(closed(pins), fd).pin()
    }

    fn names(&self) -> impl Iterator<Item = &'static str> {
        self.tc.keys().chain(self.xdp.keys()).copied()
    }

    /// The filter of a hook, to be attached by aya.
    pub fn filter_mut(&mut self, hook: Hook) -> Result<&mut SchedClassifier> {
        let program = self.tc.get_mut(Role::Filter(hook).name());
        program.ok_or(Error::NoObject)
    }

    /// What is to hang at links.
    pub fn fd(&self, role: Role) -> Result<&ProgramFd> {
        self.fd_of(role.name())
    }

    /// What the kernel says of a program.
    pub fn info(&self, role: Role) -> Result<ProgramInfo> {
        let name = role.name();
        let info = match (self.tc.get(name), self.xdp.get(name)) {
            (Some(program), _) => program.info(),
            (None, Some(program)) => program.info(),
            (None, None) => return Err(Error::NoObject),
        };
        info.map_err(|source| Error::Program { name, source })
    }

    /// What the kernel says of each that can be asked about.
    pub fn infos(&self) -> impl Iterator<Item = (&'static str, ProgramInfo)> {
        let tc = self
            .tc
            .iter()
            .map(|(name, program)| (*name, program.info()));
        let xdp = self
            .xdp
            .iter()
            .map(|(name, program)| (*name, program.info()));
        tc.chain(xdp)
            .filter_map(|(name, info)| Some((name, info.ok()?)))
    }

    /// The number of a program.
    pub fn id(&self, role: Role) -> Result<u32> {
        Ok(self.info(role)?.id())
    }

    fn fd_of(&self, name: &'static str) -> Result<&ProgramFd> {
        let fd = match (self.tc.get(name), self.xdp.get(name)) {
            (Some(program), _) => program.fd(),
            (None, Some(program)) => program.fd(),
            (None, None) => return Err(Error::NoObject),
        };
        fd.map_err(|source| Error::Program { name, source })
    }
}

/// Where what drops everything is pinned.
fn closed(pins: &Pins) -> PathBuf {
    pins.program(Role::Closed.name())
}
