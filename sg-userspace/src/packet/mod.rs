//! A packet in words, and the frame it stands for.

mod args;
mod frame;
mod words;

pub use args::{PacketArgs, WordError};
pub use frame::{Ends, frame};
pub use words::{ArpOperation, Network, PacketWords, Ports, TcpFlag, Transport};
