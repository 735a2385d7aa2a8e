//! Programs on interfaces.

use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use aya::Ebpf;
use aya::programs::links::{FdLink, LinkOrder, PinnedLink};
use aya::programs::tc::{
    NlOptions, SchedClassifierLink, TcAttachOptions, TcHandle, qdisc_add_clsact,
    qdisc_detach_program,
};
use aya::programs::{ProgramError, SchedClassifier, TcAttachType};
use aya::util::KernelVersion;
use sg_common::hook::Hook;

use super::error::{Error, Result};
use super::pins::{Pins, Way};

/// Both hooks.
const HOOKS: [Hook; 2] = [Hook::FromVm, Hook::ToVm];

/// Where our filter stands in a clsact qdisc: one place, so that the next program replaces it.
const PRIORITY: u16 = 1;
const HANDLE: TcHandle = TcHandle::new(0, 1);

/// The programs of the object, and where they hang.
pub struct Links {
    pins: Pins,
    way: Way,
    programs: Ebpf,
}

impl Links {
    /// Loads the programs, and puts them in the place of those that a former process has attached: each
    /// replacement is atomic.
    pub fn open(pins: Pins, way: Option<Way>, programs: Ebpf) -> Result<Links> {
        let mut links = Links {
            pins,
            way: way.unwrap_or_else(best_way),
            programs,
        };
        for hook in HOOKS {
            let name = hook.as_str();
            links
                .program(hook)?
                .load()
                .map_err(|source| Error::Program { name, source })?;
        }
        for ifindex in links.pins.interfaces()? {
            if let Err(error) = links.attach(ifindex) {
                tracing::warn!("{error}; the program of the former sgd stays there, if any");
            }
        }
        Ok(links)
    }

    /// How new interfaces are attached to.
    pub fn way(&self) -> Way {
        self.way
    }

    /// The interfaces that have our programs at both hooks, by index. One that has only half of them
    /// is not filtered, and is attached to again.
    pub fn attached(&self) -> Result<BTreeSet<u32>> {
        let pinned = |ifindex, hook| {
            [Way::Tcx, Way::Clsact]
                .iter()
                .any(|way| self.pins.link(ifindex, hook, *way).exists())
        };
        let mut interfaces = self.pins.interfaces()?;
        interfaces.retain(|ifindex| HOOKS.into_iter().all(|hook| pinned(*ifindex, hook)));
        Ok(interfaces)
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

    fn attach_at(&mut self, ifindex: u32, hook: Hook) -> Result<()> {
        let way = match self.pins.link(ifindex, hook, Way::Clsact).exists() {
            true => Way::Clsact,
            false if self.pins.link(ifindex, hook, Way::Tcx).exists() => Way::Tcx,
            false => self.way,
        };
        let pin = self.pins.link(ifindex, hook, way);
        let failed = |source| Error::Attach {
            hook: hook.as_str(),
            ifindex,
            source,
        };
        let program = self.program(hook)?;
        match way {
            Way::Tcx => attach_tcx(program, ifindex, hook, &pin, failed),
            Way::Clsact => attach_clsact(program, ifindex, hook, &pin, failed),
        }
    }

    fn program(&mut self, hook: Hook) -> Result<&mut SchedClassifier> {
        let name = hook.as_str();
        let program = self.programs.program_mut(name).ok_or(Error::NoObject)?;
        program
            .try_into()
            .map_err(|source| Error::Program { name, source })
    }
}

/// Takes the programs off an interface, which may be gone.
pub fn detach(pins: &Pins, ifindex: u32) -> Result<()> {
    for hook in HOOKS {
        remove(&pins.link(ifindex, hook, Way::Tcx))?;
        let marker = pins.link(ifindex, hook, Way::Clsact);
        if marker.exists() {
            if let Ok(name) = interface(ifindex) {
                // Without the interface the filter is gone too.
                let _ = qdisc_detach_program(&name, place(hook), hook.as_str());
            }
            remove(&marker)?;
        }
    }
    Ok(())
}

/// tcx since Linux 6.6, clsact before.
fn best_way() -> Way {
    let tcx = KernelVersion::new(6, 6, 0);
    match KernelVersion::current() {
        Ok(kernel) if kernel < tcx => Way::Clsact,
        _ => Way::Tcx,
    }
}

const fn place(hook: Hook) -> TcAttachType {
    match hook {
        Hook::FromVm => TcAttachType::Ingress,
        Hook::ToVm => TcAttachType::Egress,
    }
}

fn interface(ifindex: u32) -> std::result::Result<String, ProgramError> {
    let name = nix::net::if_::if_indextoname(ifindex).map_err(std::io::Error::from)?;
    Ok(name.to_string_lossy().into_owned())
}

fn attach_tcx(
    program: &mut SchedClassifier,
    ifindex: u32,
    hook: Hook,
    pin: &Path,
    failed: impl Fn(ProgramError) -> Error,
) -> Result<()> {
    if let Ok(pinned) = PinnedLink::from_pin(pin) {
        let link = SchedClassifierLink::try_from(FdLink::from(pinned));
        let link = link.map_err(|source| failed(link_error(source)))?;
        // The pin goes on holding the link, whose program this is now.
        return program.attach_to_link(link).map(drop).map_err(failed);
    }
    let options = TcAttachOptions::TcxOrder(LinkOrder::default());
    let name = interface(ifindex).map_err(&failed)?;
    let id = program
        .attach_with_options(&name, place(hook), options)
        .map_err(&failed)?;
    let link = program.take_link(id).map_err(&failed)?;
    let link = FdLink::try_from(link).map_err(|source| failed(link_error(source)))?;
    link.pin(pin).map(drop).map_err(|source| Error::PinLink {
        pin: pin.into(),
        source,
    })
}

fn attach_clsact(
    program: &mut SchedClassifier,
    ifindex: u32,
    hook: Hook,
    marker: &Path,
    failed: impl Fn(ProgramError) -> Error,
) -> Result<()> {
    let name = interface(ifindex).map_err(&failed)?;
    let id = if marker.exists() {
        let link = SchedClassifierLink::attached(&name, place(hook), PRIORITY, HANDLE, None);
        program.attach_to_link(link.map_err(|source| failed(link_error(source)))?)
    } else {
        // It may be there already, of another program's making.
        let _ = qdisc_add_clsact(&name);
        let options = NlOptions {
            priority: PRIORITY,
            handle: HANDLE,
            classid: None,
        };
        program.attach_with_options(&name, place(hook), TcAttachOptions::Netlink(options))
    };
    let link = program.take_link(id.map_err(&failed)?).map_err(&failed)?;
    // Dropped, it would take the filter off; the filter is to outlive this process.
    std::mem::forget(link);
    remove(marker)?;
    program.pin(marker).map_err(|source| Error::PinLink {
        pin: marker.into(),
        source,
    })
}

/// A link that cannot be had, as a program that cannot be attached.
fn link_error(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> ProgramError {
    ProgramError::IOError(std::io::Error::other(error))
}

fn remove(pin: &Path) -> Result<()> {
    match fs::remove_file(pin) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(Error::directory("remove", pin)(error))
        }
        _ => Ok(()),
    }
}
