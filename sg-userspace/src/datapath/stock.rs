//! The object's programs. What a former process has loaded of the same object is pinned, and is used as it is:
//! the verifier takes seconds for all of them, and has seen them.
//!
//! They are pinned as `DIR/v<ABI>/programs/<digest of the object>/NAME`, so that another object's are never
//! taken for ours.

use std::collections::BTreeMap;
use std::fs;
use std::hash::Hasher;
use std::os::fd::AsFd;
use std::path::PathBuf;

use aya::Ebpf;
use aya::maps::MapInfo;
use aya::programs::{
    Program, ProgramError, ProgramFd, ProgramInfo, ProgramType, SchedClassifier, Xdp,
};
use aya_obj::programs::XdpAttachType;
use sg_common::layout::maps::LAYOUTS;
use siphasher::sip::SipHasher24;

use super::held::Held;
use super::pins::Pins;
use super::{object, verify};
use crate::host;

/// The loaded object with its maps, and what is pinned of its programs.
pub struct Stock {
    /// The object; of its programs only those are loaded that were not pinned.
    pub object: Ebpf,
    directory: PathBuf,
    /// The numbers of the maps that are pinned, by name.
    maps: BTreeMap<&'static str, u32>,
}

impl Stock {
    /// Of a loaded object, all whose maps are pinned.
    pub fn new(object: Ebpf, pins: &Pins) -> Self {
        let number = |name| Some((name, MapInfo::from_pin(pins.map(name)).ok()?.id()));
        Self {
            object,
            directory: pins.programs_of(digest()),
            maps: LAYOUTS
                .iter()
                .filter_map(|layout| number(layout.name))
                .collect(),
        }
    }

    /// A program of tc.
    ///
    /// # Errors
    ///
    /// What the verifier says.
    pub fn tc(&mut self, name: &'static str) -> Result<SchedClassifier, ProgramError> {
        if self.has(name, ProgramType::SchedClassifier) {
            return SchedClassifier::from_pin(self.pin(name));
        }
        let program: &mut SchedClassifier = self.of_object(name)?.try_into()?;
        verify::asked_again(|| program.load())?;
        let again = SchedClassifier::from_program_info(program.info()?, name.into())?;
        self.keep(name, again.fd()?);
        Ok(again)
    }

    /// A program of XDP.
    ///
    /// # Errors
    ///
    /// What the verifier says.
    pub fn xdp(&mut self, name: &'static str) -> Result<Xdp, ProgramError> {
        const INTERFACE: XdpAttachType = XdpAttachType::Interface;
        if self.has(name, ProgramType::Xdp) {
            return Xdp::from_pin(self.pin(name), INTERFACE);
        }
        let program: &mut Xdp = self.of_object(name)?.try_into()?;
        verify::asked_again(|| program.load())?;
        let again = Xdp::from_program_info(program.info()?, name.into(), INTERFACE)?;
        self.keep(name, again.fd()?);
        Ok(again)
    }

    /// Removes the pins of other objects' programs; those that hang on interfaces go on.
    pub fn forget_others(&self) {
        let Some(all) = self.directory.parent() else {
            return;
        };
        for other in fs::read_dir(all).into_iter().flatten().flatten() {
            // A file is what `sgd close` uses.
            if other.path() != self.directory
                && other.path().is_dir()
                && let Err(error) = fs::remove_dir_all(other.path())
            {
                tracing::debug!("cannot remove {}: {error}", other.path().display());
            }
        }
    }

    /// Whether something is pinned in the place of a program.
    pub fn is_kept(&self, name: &str) -> bool {
        self.pin(name).exists()
    }

    /// Whether a program of this name is pinned that works on the maps that are.
    fn has(&self, name: &str, kind: ProgramType) -> bool {
        let Ok(program) = ProgramInfo::from_pin(self.pin(name)) else {
            return false;
        };
        let maps = program.map_ids().ok().flatten();
        let are_ours = |maps: Vec<u32>| maps.into_iter().all(|id| self.is_ours(id));
        let is_it = program.name_as_str() == Some(shortened(name));
        is_it && program.program_type() == kind.into() && maps.is_some_and(are_ours)
    }

    /// Whether a map is pinned, or none that is.
    fn is_ours(&self, id: u32) -> bool {
        let info = MapInfo::from_id(id).ok();
        let name = info.as_ref().and_then(|info| info.name_as_str());
        name.is_some_and(|name| self.maps.get(name).is_none_or(|pinned| *pinned == id))
    }

    fn of_object(&mut self, name: &str) -> Result<&mut Program, ProgramError> {
        self.object.program_mut(name).ok_or(ProgramError::NotLoaded)
    }

    /// Pins a program for the next process, which can do without.
    pub fn keep(&self, name: &str, program: &ProgramFd) {
        let pinned = || -> Result<(), Box<dyn std::error::Error>> {
            host::make_private(&self.directory)?;
            let program = program.as_fd().try_clone_to_owned()?;
            Held::new(self.pin(name), program).pin()?;
            Ok(())
        };
        if let Err(error) = pinned() {
            tracing::debug!(
                "the program {name} is not pinned, and loaded again at the next start: {error}"
            );
        }
    }

    fn pin(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }
}

/// What tells objects apart: their bytes, and the version of what loads them.
fn digest() -> u64 {
    let mut hasher = SipHasher24::new();
    hasher.write(object::OBJECT);
    hasher.write(env!("CARGO_PKG_VERSION").as_bytes());
    hasher.finish()
}

/// A name as the kernel keeps it (`BPF_OBJ_NAME_LEN`).
fn shortened(name: &str) -> &str {
    &name[..name.len().min(15)]
}
