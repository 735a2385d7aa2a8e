//! Logical link control (IEEE 802.2), where an ethertype would be: another way to write IP and ARP.
//!
//! Ethernet has no need of it, but some stacks and all bridges to 802.11 unwrap it (RFC 1042, IEEE
//! 802.1H), whatever length is written (CERT VU#855201).

use crate::wire::ethernet::{ethertype, is_length};
use crate::wire::frame::Frame;
use crate::wire::header;

header! {
    /// LLC of the unnumbered format, and SNAP.
    pub struct Header: 8 {
        /// Destination service access point; the lowest bit says whether it is a group.
        pub dsap: [u8; 1],
        /// Source service access point.
        pub ssap: [u8; 1],
        /// Command or response.
        pub control: [u8; 1],
        /// SNAP: who says what follows.
        pub oui: [u8; 3],
        /// SNAP: what follows; an ethertype under [`RFC_1042`] and [`BRIDGE_TUNNEL`].
        pub ethertype: [u8; 2],
    }
}

/// The bit of a DSAP that is no part of its number.
const GROUP: u8 = 1;

/// DSAPs by number (IEEE 802, RFC 1700): SNAP, and what were the Internet's own.
const SNAP: u8 = 0xaa;
const IP: u8 = 0x06;
const ARP: u8 = 0x98;

/// OUIs of SNAP under which an ethertype follows.
const RFC_1042: [u8; 3] = [0, 0, 0];
const BRIDGE_TUNNEL: [u8; 3] = [0, 0, 0xf8];

/// Whether LLC follows.
#[inline(always)]
pub const fn follows(ethertype: u16) -> bool {
    is_length(ethertype) || ethertype == ethertype::JUMBO_LLC
}

/// Whether there is an ethertype, IP or ARP behind LLC. Source, command and length are not looked at, as
/// little as some receivers do; and what cannot be read is not let through unread.
///
/// A subprogram of its own in the kernel: few frames need it.
#[cfg_attr(target_arch = "bpf", inline(never))]
pub fn hides_ip<F: Frame + ?Sized>(frame: &F, offset: u32) -> bool {
    let Some(header) = frame.read::<Header>(offset) else {
        return frame.len() >= offset + size_of::<Header>() as u32;
    };
    match header.dsap[0] & !GROUP {
        SNAP => header.oui == RFC_1042 || header.oui == BRIDGE_TUNNEL,
        IP | ARP => true,
        _ => false,
    }
}
