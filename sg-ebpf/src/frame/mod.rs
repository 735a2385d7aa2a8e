//! The packet at a hook. The only pointer arithmetic.

mod linear;
mod tc;
mod xdp;

pub use tc::TcFrame;
pub use xdp::{Outer, XdpFrame};
