//! What runs at a hook, in its order: the programs of tcx, then the filters of the clsact qdisc.

use std::io;

use sg_common::hook::Hook;

use super::filters;
use super::pins::Way;
use super::place::direction;
use super::sys;
use crate::agent::Other;

/// A program at a hook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Running {
    /// How it hangs there.
    pub way: Way,
    /// Its number; 0 for what is no BPF program.
    pub program: u32,
}

/// Where a program of ours is among those of its hook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// Before all others.
    First,
    /// Behind others, of which this is the first.
    Behind(Running),
    /// Nowhere.
    Absent,
}

impl Place {
    /// Of a program in this order.
    pub fn of(program: u32, order: &[Running]) -> Place {
        match order.iter().position(|one| one.program == program) {
            Some(0) => Place::First,
            Some(_) => Place::Behind(order[0].clone()),
            None => Place::Absent,
        }
    }
}

/// Everything that runs at a hook of an interface. `has_filters` says whether it has a qdisc with this
/// hook.
///
/// # Errors
///
/// What the kernel says; above all `ENODEV`.
pub fn at(ifindex: u32, hook: Hook, has_filters: bool) -> io::Result<Vec<Running>> {
    let by = |way| move |program| Running { way, program };
    let tcx = sys::tcx_order(ifindex, hook)?.into_iter();
    let mut order: Vec<_> = tcx.map(|one| one.program).map(by(Way::Tcx)).collect();
    if has_filters {
        let filters = filters::at(ifindex, hook)?.into_iter();
        order.extend(filters.map(|filter| filter.program).map(by(Way::Clsact)));
    }
    Ok(order)
}

impl Running {
    /// Whether it has the name of our program of a hook, of whatever version.
    pub fn is_named(&self, hook: Hook) -> bool {
        sys::program_name(self.program).as_deref() == Some(hook.as_str())
    }

    /// For people.
    pub fn other(&self, hook: Hook) -> Other {
        Other {
            direction: direction(hook),
            way: self.way.as_str(),
            program: self.program,
            name: sys::program_name(self.program).unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_runs_before_ours_is_named() {
        let tcx = |program| Running {
            way: Way::Tcx,
            program,
        };
        assert_eq!(Place::of(7, &[tcx(7), tcx(8)]), Place::First);
        assert_eq!(Place::of(8, &[tcx(7), tcx(8)]), Place::Behind(tcx(7)));
        assert_eq!(Place::of(9, &[tcx(7), tcx(8)]), Place::Absent);
        assert_eq!(Place::of(9, &[]), Place::Absent);
    }
}
