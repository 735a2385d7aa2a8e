//! Interfaces and hooks in aya's words.

use std::io;

use aya::programs::{ProgramError, TcAttachType};
use sg_common::hook::Hook;

/// A hook in tc's words.
pub const fn place(hook: Hook) -> TcAttachType {
    match hook {
        Hook::FromVm => TcAttachType::Ingress,
        Hook::ToVm => TcAttachType::Egress,
    }
}

/// A hook in tc's words on the command line.
pub const fn direction(hook: Hook) -> &'static str {
    match hook {
        Hook::FromVm => "ingress",
        Hook::ToVm => "egress",
    }
}

/// The name of an interface, which aya attaches by.
///
/// # Errors
///
/// The interface is gone.
pub fn interface(ifindex: u32) -> Result<String, ProgramError> {
    let name = nix::net::if_::if_indextoname(ifindex).map_err(io::Error::from)?;
    // nix 0.31.3 takes the null pointer that says "no such interface" for an empty name.
    match name.is_empty() {
        true => Err(io::Error::from_raw_os_error(libc::ENXIO).into()),
        false => Ok(name.to_string_lossy().into_owned()),
    }
}

/// What is wrong with a link, as a program that cannot be attached.
pub fn link_error(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> ProgramError {
    ProgramError::IOError(io::Error::other(error))
}

#[cfg(test)]
mod tests {
    use super::interface;

    #[test]
    fn an_interface_that_is_gone_has_no_name() {
        assert_eq!(interface(1).unwrap(), "lo");
        assert!(interface(i32::MAX.cast_unsigned()).is_err());
    }
}
