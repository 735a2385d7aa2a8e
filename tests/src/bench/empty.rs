//! The peer: a tc program that does nothing.

use std::path::Path;

use super::code;
use super::kernel::{Kind, Program};

/// `TC_ACT_UNSPEC`, as the filter ends for a packet that it accepts: the next program speaks.
pub const NEXT: i32 = -1;

/// Loads the empty program and pins it.
///
/// # Panics
/// If the kernel refuses.
pub fn pin(path: &Path) {
    pin_saying(path, NEXT);
}

/// As [`pin`], for a program that ends with this code for every packet.
///
/// # Panics
/// If the kernel refuses.
pub fn pin_saying(path: &Path, code: i32) {
    saying(code).pin(path);
}

/// A program that ends with this code for every packet.
///
/// # Panics
/// If the kernel refuses.
#[must_use]
pub fn saying(code: i32) -> Program {
    Program::load(Kind::SchedCls, &code::verdict(code))
}

/// As [`pin_saying`], for a program of XDP.
///
/// # Panics
/// If the kernel refuses.
pub fn pin_xdp(path: &Path, code: i32) {
    Program::load(Kind::Xdp, &code::verdict(code)).pin(path);
}
