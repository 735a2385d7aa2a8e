//! What runs at a hook, in its order: the programs of tcx, then the filters of the clsact qdisc.

use std::io;

use sg_common::hook::Hook;

use super::filters;
use super::pins::Way;
use super::place::direction;
use super::sys;
use crate::agent::{Attachment, Other};

/// A program at a hook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Running {
    /// How it hangs there.
    pub way: Way,
    /// Its number; 0 for what is no BPF program.
    pub program: u32,
    /// The number of the link of tcx that holds it there; 0 if it is there without one.
    pub link: u32,
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

    /// What the places at all hooks of an interface make of it.
    pub fn attachment(places: &[Place]) -> Attachment {
        if places.contains(&Place::Absent) {
            Attachment::Lost
        } else if places.iter().all(|place| *place == Place::First) {
            Attachment::InForce
        } else {
            Attachment::Behind
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
    let mut order = sys::tcx_order(ifindex, hook)?;
    if has_filters {
        let filters = filters::at(ifindex, hook)?.into_iter();
        order.extend(filters.map(|filter| Running {
            way: Way::Clsact,
            program: filter.program,
            link: 0,
        }));
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
            link: self.link,
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
            link: 0,
        };
        assert_eq!(Place::of(7, &[tcx(7), tcx(8)]), Place::First);
        assert_eq!(Place::of(8, &[tcx(7), tcx(8)]), Place::Behind(tcx(7)));
        assert_eq!(Place::of(9, &[tcx(7), tcx(8)]), Place::Absent);
        assert_eq!(Place::of(9, &[]), Place::Absent);
        let [first, behind] = [7, 8].map(|program| Place::of(program, &[tcx(7), tcx(8)]));
        let became = |there| Place::attachment(&[first.clone(), there]);
        assert_eq!(became(first.clone()), Attachment::InForce);
        assert_eq!(became(behind.clone()), Attachment::Behind);
        assert_eq!(
            Place::attachment(&[behind, Place::Absent]),
            Attachment::Lost
        );
    }
}
