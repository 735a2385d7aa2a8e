//! A packet in words, and the frames it stands for.

mod args;
mod captured;
mod fragment;
mod frame;
mod hex;
mod pcap;
mod words;

pub use args::{PacketArgs, WordError};
pub use captured::Captured;
pub use frame::{Ends, frames};
pub use hex::{from_hex, to_hex};
pub use pcap::packet_of;
pub use words::{ArpOperation, FragmentPart, Network, PacketWords, Ports, TcpFlag, Transport};
