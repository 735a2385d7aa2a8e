//! A packet in words, and the frames it stands for.

mod args;
mod fragment;
mod frame;
mod hex;
mod words;

pub use args::{PacketArgs, WordError};
pub use frame::{Ends, frames};
pub use hex::{from_hex, to_hex};
pub use words::{ArpOperation, FragmentPart, Network, PacketWords, Ports, TcpFlag, Transport};
