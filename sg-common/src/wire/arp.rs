//! ARP for IPv4 over Ethernet (RFC 826).

use crate::reason::DropReason;
use crate::wire::addr::{Address, Mac, from_v4};
use crate::wire::frame::Frame;
use crate::wire::header;

header! {
    /// The packet; the fixed part and the addresses.
    pub struct Header: 28 {
        /// Hardware type, protocol type, address lengths: [`ETHERNET_IPV4`].
        pub format: [u8; 6],
        /// Request, reply, ...
        pub operation: [u8; 2],
        /// Sender MAC.
        pub sender_mac: [u8; 6],
        /// Sender address.
        pub sender: [u8; 4],
        /// Target MAC.
        pub target_mac: [u8; 6],
        /// Target address.
        pub target: [u8; 4],
    }
}

/// The only format that Ethernet and IPv4 have.
const ETHERNET_IPV4: [u8; 6] = [0, 1, 8, 0, 6, 4];

/// Who an ARP packet says its sender and target are.
#[derive(Clone, Copy, Debug)]
pub struct Arp {
    /// Sender address, mapped.
    pub sender: Address,
    /// Target address, mapped.
    pub target: Address,
    /// Sender MAC.
    pub sender_mac: Mac,
}

/// Parses an ARP packet.
#[inline(always)]
pub fn parse<F: Frame + ?Sized>(frame: &F, offset: u32) -> Result<Arp, DropReason> {
    match frame.read::<Header>(offset) {
        Some(arp) if arp.format == ETHERNET_IPV4 => Ok(Arp {
            sender_mac: Mac::new(arp.sender_mac),
            sender: from_v4(arp.sender),
            target: from_v4(arp.target),
        }),
        _ => Err(DropReason::MalformedArp),
    }
}
