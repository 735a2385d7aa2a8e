//! The programs of the object that go to interfaces.

use aya::maps::{MapData, ProgramArray};
use aya::programs::{ProgramError, ProgramFd, ProgramInfo, SchedClassifier, Xdp};
use aya::{Ebpf, programs::Program};
use sg_common::hook::Hook;
use sg_common::layout::maps::name;

use super::error::{Error, Result};
use super::pins::Way;
use super::tables::take;
use super::verify;

/// The second programs of the filter, by hook, which the first ones call.
const WHOLE: [&str; 2] = ["whole_from_vm", "whole_to_vm"];

/// The program that drops everything.
const CLOSED: &str = "closed";

/// The filter of what a VM sends, its second program, and what drops everything, at XDP.
const XDP: &str = "from_vm_xdp";
const WHOLE_XDP: &str = "whole_from_vm_xdp";
const CLOSED_XDP: &str = "closed_xdp";

/// The loaded programs. The kernel gives their numbers to no others.
pub struct Programs {
    object: Ebpf,
    /// Those of XDP, which are loaded when they are wanted first.
    has_xdp: bool,
}

impl Programs {
    /// Loads them, but for those of XDP.
    ///
    /// # Errors
    ///
    /// [`Error::Program`]
    pub fn load(mut object: Ebpf) -> Result<Programs> {
        let filters = Hook::ALL.map(Hook::as_str).into_iter();
        for name in filters.chain(WHOLE).chain([CLOSED]) {
            let loaded = load::<SchedClassifier>(&mut object, name, SchedClassifier::load);
            loaded.map_err(|source| Error::Program { name, source })?;
        }
        let has_xdp = false;
        let mut programs = Programs { object, has_xdp };
        programs.join(name::WHOLE, &WHOLE)?;
        Ok(programs)
    }

    /// Loads those of XDP, unless they are.
    ///
    /// # Errors
    ///
    /// [`Error::Program`]
    pub fn load_xdp(&mut self) -> Result<()> {
        if self.has_xdp {
            return Ok(());
        }
        for name in [XDP, WHOLE_XDP, CLOSED_XDP] {
            let loaded = load::<Xdp>(&mut self.object, name, Xdp::load);
            loaded.map_err(|source| Error::Program { name, source })?;
        }
        self.join(name::WHOLE_XDP, &[WHOLE_XDP])?;
        self.has_xdp = true;
        Ok(())
    }

    /// Lets first programs find second ones: those that a former process has attached, too, for they are of
    /// the same layout.
    fn join(&mut self, array: &'static str, programs: &[&'static str]) -> Result<()> {
        let mut array_of_programs: ProgramArray<MapData> = take(&mut self.object, array)?;
        for (index, name) in (0..).zip(programs) {
            array_of_programs
                .set(index, self.fd(name)?, 0)
                .map_err(Error::map("write", array))?;
        }
        Ok(())
    }

    /// The filter of a hook, to be attached by aya.
    pub fn filter_mut(&mut self, hook: Hook) -> Result<&mut SchedClassifier> {
        let name = hook.as_str();
        let program = self.object.program_mut(name).ok_or(Error::NoObject)?;
        program
            .try_into()
            .map_err(|source| Error::Program { name, source })
    }

    /// The filter of a hook, for links of this way.
    pub fn filter(&self, hook: Hook, way: Way) -> Result<&ProgramFd> {
        self.fd(filter(hook, way))
    }

    /// What drops everything, for links of this way.
    pub fn closed(&self, way: Way) -> Result<&ProgramFd> {
        self.fd(match way {
            Way::Xdp => CLOSED_XDP,
            _ => CLOSED,
        })
    }

    /// What the kernel says of the filter of a hook.
    pub fn info(&self, hook: Hook, way: Way) -> Result<ProgramInfo> {
        let name = filter(hook, way);
        let program = self.object.program(name).ok_or(Error::NoObject)?;
        let info = match program {
            Program::Xdp(program) => program.info(),
            Program::SchedClassifier(program) => program.info(),
            _ => return Err(Error::NoObject),
        };
        info.map_err(|source| Error::Program { name, source })
    }

    /// The number of the filter of a hook.
    pub fn id(&self, hook: Hook, way: Way) -> Result<u32> {
        Ok(self.info(hook, way)?.id())
    }

    fn fd(&self, name: &'static str) -> Result<&ProgramFd> {
        let program = self.object.program(name).ok_or(Error::NoObject)?;
        let fd = match program {
            Program::Xdp(program) => program.fd(),
            Program::SchedClassifier(program) => program.fd(),
            _ => return Err(Error::NoObject),
        };
        fd.map_err(|source| Error::Program { name, source })
    }
}

/// The name of the filter of a hook.
const fn filter(hook: Hook, way: Way) -> &'static str {
    match way {
        Way::Xdp => XDP,
        _ => hook.as_str(),
    }
}

fn load<'a, P: 'a>(
    object: &'a mut Ebpf,
    name: &str,
    load: impl Fn(&mut P) -> std::result::Result<(), ProgramError>,
) -> std::result::Result<(), ProgramError>
where
    &'a mut P: TryFrom<&'a mut Program, Error = ProgramError>,
{
    let Some(program) = object.program_mut(name) else {
        return Err(ProgramError::NotLoaded);
    };
    let program: &mut P = program.try_into()?;
    verify::asked_again(|| load(program))
}
