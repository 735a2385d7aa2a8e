//! What the kernel and userspace both know, each thing defined once.
//!
//! The filter itself is here ([`filter::filter`]), generic over the packet ([`wire::frame::Frame`]) and the
//! tables ([`tables::Tables`]): the code that runs in the kernel is the code that host tests, fuzzers
//! and `sgctl explain` run.
//!
//! Words: **ingress** is towards the VM, **egress** is from the VM, as in Neutron. The kernel hooks run
//! the other way round, so they are named [`hook::Hook::FromVm`] and [`hook::Hook::ToVm`].
#![cfg_attr(not(any(test, feature = "memory")), no_std)]

pub mod conntrack;
pub mod filter;
pub mod guard;
pub mod hook;
pub mod layout;
#[cfg(any(test, feature = "memory"))]
pub mod memory;
pub mod packet;
pub mod reason;
pub mod scratch;
pub mod stage;
pub mod sweep;
pub mod tables;
#[cfg(test)]
mod testing;
pub mod wire;
