//! The programs of the object that go to interfaces.

use aya::Ebpf;
use aya::programs::SchedClassifier;
use sg_common::hook::Hook;

use super::error::{Error, Result};
use super::verify;

/// The program that drops everything.
const CLOSED: &str = "closed";

/// The loaded programs. The kernel gives their numbers to no others.
pub struct Programs(Ebpf);

impl Programs {
    /// Loads them.
    ///
    /// # Errors
    ///
    /// [`Error::Program`]
    pub fn load(object: Ebpf) -> Result<Programs> {
        let mut programs = Programs(object);
        for name in Hook::ALL.map(Hook::as_str).into_iter().chain([CLOSED]) {
            let loaded = verify::load(programs.get_mut(name)?);
            loaded.map_err(|source| Error::Program { name, source })?;
        }
        Ok(programs)
    }

    /// The filter of a hook.
    pub fn filter(&self, hook: Hook) -> Result<&SchedClassifier> {
        self.get(hook.as_str())
    }

    /// The filter of a hook, to be attached by aya.
    pub fn filter_mut(&mut self, hook: Hook) -> Result<&mut SchedClassifier> {
        self.get_mut(hook.as_str())
    }

    /// What drops everything, on either hook.
    pub fn closed(&self) -> Result<&SchedClassifier> {
        self.get(CLOSED)
    }

    /// The number of the filter of a hook.
    pub fn id(&self, hook: Hook) -> Result<u32> {
        let (name, info) = (hook.as_str(), self.filter(hook)?.info());
        info.map(|info| info.id())
            .map_err(|source| Error::Program { name, source })
    }

    fn get(&self, name: &'static str) -> Result<&SchedClassifier> {
        let program = self.0.program(name).ok_or(Error::NoObject)?;
        program
            .try_into()
            .map_err(|source| Error::Program { name, source })
    }

    fn get_mut(&mut self, name: &'static str) -> Result<&mut SchedClassifier> {
        let program = self.0.program_mut(name).ok_or(Error::NoObject)?;
        program
            .try_into()
            .map_err(|source| Error::Program { name, source })
    }
}
