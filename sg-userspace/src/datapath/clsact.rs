//! Attaching by filters of the clsact qdisc, which outlive the process by themselves.
//!
//! A directory among the pins marks each of them. It is made before the filter and removed after it: a
//! crash in between leaves a mark without a filter, never a filter without a mark.

use std::fs;
use std::io::ErrorKind;

use aya::programs::links::Link;
use aya::programs::tc::{
    NlOptions, SchedClassifierLink, TcAttachOptions, TcHandle, qdisc_add_clsact,
};
use aya::programs::{ProgramError, SchedClassifier};
use sg_common::hook::Hook;

use super::error::{Error, Result};
use super::filters::{self, Filter};
use super::pins::{Pins, Way, remove};
use super::place::{interface, link_error, place};
use crate::agent::Hanging;

/// Where our filter stands: before all others, and in one place, so that the next program replaces it.
const PRIORITY: u16 = 1;
const HANDLE: u32 = 1;

/// The same in bpftool's words, or rather tc's.
pub const HANGING: Hanging = Hanging::Clsact {
    priority: PRIORITY,
    handle: HANDLE,
};

/// The program of our filter, if the kernel has one at this hook of this interface.
pub fn program(ifindex: u32, hook: Hook) -> Option<u32> {
    let filter = in_our_place(ifindex, hook).ok()??;
    is_ours(&filter, hook).then_some(filter.program)
}

/// Attaches, or replaces the program of the filter that is there, which is atomic.
pub fn attach(pins: &Pins, ours: &mut SchedClassifier, ifindex: u32, hook: Hook) -> Result<()> {
    let failed = |source| Error::Attach {
        hook: hook.as_str(),
        ifindex,
        source,
    };
    let name = interface(ifindex).map_err(failed)?;
    let there = in_our_place(ifindex, hook).map_err(|source| failed(link_error(source)))?;
    let marker = pins.link(ifindex, hook, Way::Clsact);
    match fs::create_dir(&marker) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => {
            return Err(Error::directory("make", &marker)(error));
        }
        _ => {}
    }
    let id = match there {
        Some(filter) if is_ours(&filter, hook) => {
            let place = place(hook);
            let link = SchedClassifierLink::attached(&name, place, PRIORITY, HANDLE.into(), None);
            ours.attach_to_link(link.map_err(|source| failed(link_error(source)))?)
        }
        Some(filter) => Err(foreign(&filter, &name, hook)),
        None => {
            // It may be there already, of another program's making.
            let _ = qdisc_add_clsact(&name);
            let options = NlOptions {
                priority: PRIORITY,
                handle: TcHandle::from(HANDLE),
                classid: None,
            };
            ours.attach_with_options(&name, place(hook), TcAttachOptions::Netlink(options))
        }
    };
    if id.is_err() && program(ifindex, hook).is_none() {
        remove(&marker)?;
    }
    let link = ours.take_link(id.map_err(failed)?).map_err(failed)?;
    // Dropped, it would take the filter off; the filter is to outlive this process.
    std::mem::forget(link);
    Ok(())
}

/// Takes off the filter of whatever version of ours, if it was marked.
pub fn detach(pins: &Pins, ifindex: u32, hook: Hook) -> Result<()> {
    let marker = pins.link(ifindex, hook, Way::Clsact);
    if !marker.exists() {
        return Ok(());
    }
    let failed = |source| Error::Attach {
        hook: hook.as_str(),
        ifindex,
        source,
    };
    if program(ifindex, hook).is_some() {
        let name = interface(ifindex).map_err(failed)?;
        let link = SchedClassifierLink::attached(&name, place(hook), PRIORITY, HANDLE.into(), None);
        let link = link.map_err(|source| failed(link_error(source)))?;
        link.detach().map_err(failed)?;
    }
    remove(&marker)
}

/// The commands that take off filters that are named as ours and stand where ours do, on any interface of
/// this namespace: of another sgd, or of one whose pins somebody has removed.
pub fn unmarked() -> Vec<String> {
    let interfaces = nix::net::if_::if_nameindex();
    let found = interfaces
        .iter()
        .flat_map(|all| all.iter())
        .flat_map(|one| {
            let name = one.name().to_string_lossy().into_owned();
            let hooks = [Hook::FromVm, Hook::ToVm].into_iter();
            let hooks = hooks.filter(|hook| program(one.index(), *hook).is_some());
            hooks.map(move |hook| {
                let direction = direction(hook);
                format!("tc filter del dev {name} {direction} pref {PRIORITY}")
            })
        });
    found.collect()
}

fn in_our_place(ifindex: u32, hook: Hook) -> std::io::Result<Option<Filter>> {
    let mut found = filters::at(ifindex, hook)?.into_iter();
    Ok(found.find(|filter| (filter.priority, filter.handle) == (PRIORITY, HANDLE)))
}

/// Whether a filter is of this program, of whatever version.
fn is_ours(filter: &Filter, hook: Hook) -> bool {
    filter.name == hook.as_str()
}

fn foreign(filter: &Filter, interface: &str, hook: Hook) -> ProgramError {
    ProgramError::IOError(std::io::Error::other(format!(
        "the filter {:?} of another program is in the place of ours (`tc filter show dev {interface} {}` \
         shows it; give it another priority than {PRIORITY})",
        filter.name,
        direction(hook),
    )))
}

/// tc's word.
const fn direction(hook: Hook) -> &'static str {
    match hook {
        Hook::FromVm => "ingress",
        Hook::ToVm => "egress",
    }
}
