//! Having the kernel verify the programs of this object beside those that run.

use std::path::Path;

use sg_common::hook::Hook;

use super::earlier::Earlier;
use super::error::{Error, Result};
use super::flow_tables::{ADOPT, DISMISS};
use super::object::{Sizes, Wanted};
use super::programs::{Programs, Role};
use super::stock::Stock;
use super::sweep::Sweeping;

/// Loads the programs and pins them where the next start looks for them. Nothing that runs is changed: where there is
/// another layout, its tables get a place beside it. False for what a start has to do itself: tables of other sizes.
///
/// # Errors
///
/// [`Error::Program`] for what the kernel refuses; those of [`super::Kernel::open`] for pins that are not ours to use.
pub fn load(root: &Path, sizes: Sizes) -> Result<bool> {
    let wanted = Wanted::new(sizes)?;
    let Some((pins, at_xdp)) = Earlier::beside(root, &wanted)? else {
        return Ok(false);
    };
    let mut stock = Stock::new(wanted.load(&pins)?, &pins);
    drop(Sweeping::open(&mut stock));
    let tc = Hook::ALL.map(Role::Filter).map(Role::name).into_iter();
    let tc = tc
        .chain(Programs::SECOND)
        .chain([Role::Closed.name(), ADOPT, DISMISS]);
    for name in tc {
        let loaded = stock.tc(name);
        loaded.map_err(|source| Error::Program { name, source })?;
    }
    let xdp = Role::AT_XDP
        .map(Role::name)
        .into_iter()
        .chain([Programs::SECOND_AT_XDP]);
    for name in xdp.filter(|_| at_xdp) {
        let loaded = stock.xdp(name);
        loaded.map_err(|source| Error::Program { name, source })?;
    }
    Ok(true)
}
