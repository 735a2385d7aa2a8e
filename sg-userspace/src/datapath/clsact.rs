//! Attaching by filters of the clsact qdisc, which outlive the process by themselves.
//!
//! A directory among the pins marks each of them. It is made before the filter and removed after it: a
//! crash in between leaves a mark without a filter, never a filter without a mark.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::PathBuf;

use aya::programs::links::Link;
use aya::programs::tc::{
    NlOptions, SchedClassifierLink, TcAttachOptions, TcHandle, qdisc_add_clsact,
};
use aya::programs::{ProgramError, SchedClassifier};
use sg_common::hook::Hook;

use super::error::{Error, Result};
use super::filters::{self, Filter};
use super::pins::{Pins, Spot, Way, remove};
use super::place::{direction, interface, link_error, place};
use super::programs::Role;
use super::qdiscs;
use crate::agent::Hanging;

/// Where our filter stands. The kernel has none lower, and among those of one priority asks the newest
/// first (`cls_bpf_change` adds at the head).
const PRIORITY: u16 = 1;

/// Attaches before all other filters, or replaces the program of the filter that is there, which is
/// atomic. One that is not first any more gets a second filter before it, and then goes.
///
/// # Errors
///
/// [`Error::IngressQdisc`] where there is no hook for what the VM is to receive.
pub fn attach(pins: &Pins, ours: &mut SchedClassifier, ifindex: u32, hook: Hook) -> Result<()> {
    let failed = |source| Error::Attach {
        hook: hook.as_str(),
        ifindex,
        source,
    };
    let name = interface(ifindex).map_err(failed)?;
    // It may be there already, of another program's making.
    if qdisc_add_clsact(&name).is_err() && hook == Hook::ToVm && has_ingress(ifindex) {
        return Err(Error::IngressQdisc { ifindex });
    }
    let filters = filters::at(ifindex, hook).map_err(|source| failed(link_error(source)))?;
    mark(pins, ifindex, hook)?;
    let before = filters.iter().find(|filter| is_ours(filter, hook));
    let program = ours.info().map_err(failed)?.id();
    if filters
        .first()
        .is_some_and(|first| first.program == program)
    {
        // Nothing is to be told to those who listen, this daemon among them.
        return Ok(());
    }
    let id = match (before, filters.first()) {
        (Some(filter), Some(first)) if filter == first => {
            ours.attach_to_link(link(&name, hook, filter.handle).map_err(failed)?)
        }
        _ => {
            let options = NlOptions {
                priority: PRIORITY,
                handle: TcHandle::from(free(&filters)),
                classid: None,
            };
            ours.attach_with_options(&name, place(hook), TcAttachOptions::Netlink(options))
        }
    };
    let id = match id {
        Ok(id) => id,
        Err(source) => {
            if before.is_none() {
                remove(&marker(pins, ifindex, hook))?;
            }
            return Err(failed(source));
        }
    };
    // Dropped, it would take the filter off; the filter is to outlive this process.
    std::mem::forget(ours.take_link(id).map_err(failed)?);
    let behind = filters
        .iter()
        .skip(1)
        .filter(|filter| is_ours(filter, hook));
    for filter in behind {
        let old = link(&name, hook, filter.handle).map_err(failed)?;
        old.detach().map_err(failed)?;
    }
    Ok(())
}

/// Takes off the filters of whatever version of ours, if they were marked.
pub fn detach(pins: &Pins, ifindex: u32, hook: Hook) -> Result<()> {
    let marker = marker(pins, ifindex, hook);
    if !marker.exists() {
        return Ok(());
    }
    let failed = |source| Error::Attach {
        hook: hook.as_str(),
        ifindex,
        source,
    };
    for filter in ours(ifindex, hook) {
        let name = interface(ifindex).map_err(failed)?;
        let link = link(&name, hook, filter.handle).map_err(failed)?;
        link.detach().map_err(failed)?;
    }
    remove(&marker)
}

/// Marks a filter.
pub fn mark(pins: &Pins, ifindex: u32, hook: Hook) -> Result<()> {
    let marker = marker(pins, ifindex, hook);
    match fs::create_dir(&marker) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => {
            Err(Error::directory("make", &marker)(error))
        }
        _ => Ok(()),
    }
}

/// Whether a filter is marked.
pub fn is_marked(pins: &Pins, ifindex: u32, hook: Hook) -> bool {
    marker(pins, ifindex, hook).exists()
}

/// Where the mark of a filter is.
pub fn marker(pins: &Pins, ifindex: u32, hook: Hook) -> PathBuf {
    let way = Way::Clsact;
    pins.link(Spot { ifindex, hook, way })
}

/// Whether a filter of ours is at a hook, of whatever version.
pub fn is_there(ifindex: u32, hook: Hook) -> bool {
    !ours(ifindex, hook).is_empty()
}

/// How a program of ours hangs at a hook, if it does.
pub fn hanging(ifindex: u32, hook: Hook, program: u32) -> Option<Hanging> {
    let mut ours = ours(ifindex, hook).into_iter();
    let filter = ours.find(|filter| filter.program == program)?;
    let (priority, handle) = (filter.priority, filter.handle);
    Some(Hanging::Clsact { priority, handle })
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
            let index = one.index();
            let filters = Hook::ALL
                .into_iter()
                .flat_map(move |hook| ours(index, hook).into_iter().map(move |one| (hook, one)));
            filters.map(move |(hook, filter)| {
                let (direction, handle) = (direction(hook), filter.handle);
                format!("tc filter del dev {name} {direction} pref {PRIORITY} handle {handle} bpf")
            })
        });
    found.collect()
}

/// The filters of this program, of whatever version; none where that cannot be told.
fn ours(ifindex: u32, hook: Hook) -> Vec<Filter> {
    let mut filters = match hook == Hook::ToVm && has_ingress(ifindex) {
        true => Vec::new(),
        false => filters::at(ifindex, hook).unwrap_or_default(),
    };
    filters.retain(|filter| is_ours(filter, hook));
    filters
}

/// Whether there is a qdisc of kind `ingress`, which lists its filters for both hooks and asks them at one.
fn has_ingress(ifindex: u32) -> bool {
    let qdiscs = qdiscs::all().unwrap_or_default();
    qdiscs.get(&ifindex).map(String::as_str) == Some(qdiscs::INGRESS)
}

fn is_ours(filter: &Filter, hook: Hook) -> bool {
    let names = [Role::Filter(hook), Role::Closed].map(Role::name);
    filter.priority == PRIORITY && names.contains(&filter.name.as_str())
}

/// The lowest handle that no filter of our priority has.
fn free(filters: &[Filter]) -> u32 {
    let ours = |handle: &u32| {
        let has = |filter: &Filter| (filter.priority, filter.handle) == (PRIORITY, *handle);
        !filters.iter().any(has)
    };
    (1..).find(ours).unwrap_or(1)
}

fn link(
    interface: &str,
    hook: Hook,
    handle: u32,
) -> std::result::Result<SchedClassifierLink, ProgramError> {
    let link = SchedClassifierLink::attached(interface, place(hook), PRIORITY, handle.into(), None);
    link.map_err(|error: io::Error| link_error(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_is_taken_that_nobody_of_our_priority_has() {
        let filter = |priority, handle| Filter {
            priority,
            handle,
            ..Filter::default()
        };
        assert_eq!(free(&[]), 1);
        assert_eq!(free(&[filter(PRIORITY, 1), filter(2, 2)]), 2);
        assert_eq!(free(&[filter(PRIORITY, 2), filter(PRIORITY, 1)]), 3);
    }
}
