//! Ethernet (IEEE 802.3) and VLAN tags (802.1Q, 802.1ad).

use crate::reason::DropReason;
use crate::wire::addr::Mac;
use crate::wire::frame::Frame;
use crate::wire::header;

header! {
    /// The Ethernet header.
    pub struct Header: 14 {
        /// Destination MAC.
        pub destination: [u8; 6],
        /// Source MAC.
        pub source: [u8; 6],
        /// What follows.
        pub ethertype: [u8; 2],
    }

    /// A VLAN tag in the frame, after its ethertype.
    pub struct Tag: 4 {
        /// Priority, drop eligibility, VLAN id.
        pub tci: [u8; 2],
        /// What follows.
        pub ethertype: [u8; 2],
    }
}

/// Ethertypes that the filter knows by name.
pub mod ethertype {
    #![expect(missing_docs, reason = "the names are IEEE's")]
    pub const IPV4: u16 = 0x0800;
    pub const ARP: u16 = 0x0806;
    pub const IPV6: u16 = 0x86dd;
    pub const VLAN: u16 = 0x8100;
    pub const JUMBO_LLC: u16 = 0x8870;
    pub const SERVICE_VLAN: u16 = 0x88a8;
}

/// The VLAN id within a TCI; 0 is a priority tag, which names no VLAN.
const VLAN_ID: u16 = 0x0fff;

/// An Ethernet header, its tag, and where the payload starts.
#[derive(Clone, Copy, Debug)]
pub struct Ethernet {
    /// Source MAC.
    pub source: Mac,
    /// VLAN id, 0 without a tag.
    pub vlan: u16,
    /// Ethertype of the payload; one of [`ethertype`]'s VLANs if there is a second tag.
    pub ethertype: u16,
    /// Offset of the payload.
    pub payload: u32,
}

/// Parses the Ethernet header and the outermost tag, whether it stands in the frame or beside it.
#[inline(always)]
pub fn parse<F: Frame + ?Sized>(frame: &F) -> Result<Ethernet, DropReason> {
    let Some((header, tag)) = read(frame) else {
        return Err(DropReason::MalformedEthernet);
    };
    let mut ethernet = Ethernet {
        source: Mac::new(header.source),
        vlan: 0,
        ethertype: u16::from_be_bytes(header.ethertype),
        payload: size_of::<Header>() as u32,
    };
    if let Some(tci) = frame.vlan() {
        ethernet.vlan = tci & VLAN_ID;
    } else if let Some(tag) = tag {
        ethernet.vlan = u16::from_be_bytes(tag.tci) & VLAN_ID;
        ethernet.ethertype = u16::from_be_bytes(tag.ethertype);
        ethernet.payload += size_of::<Tag>() as u32;
    }
    Ok(ethernet)
}

#[inline(always)]
fn read<F: Frame + ?Sized>(frame: &F) -> Option<(Header, Option<Tag>)> {
    let header: Header = frame.read(0)?;
    let tag = match is_tag(u16::from_be_bytes(header.ethertype)) && frame.vlan().is_none() {
        true => Some(frame.read(size_of::<Header>() as u32)?),
        false => None,
    };
    Some((header, tag))
}

/// Whether it is no ethertype but a length (IEEE 802.3 3.2.6), as receivers tell it (`eth_proto_is_802_3`).
#[inline(always)]
pub const fn is_length(value: u16) -> bool {
    value < 0x0600
}

/// Whether an ethertype announces a VLAN tag.
#[inline(always)]
pub const fn is_tag(value: u16) -> bool {
    value == ethertype::VLAN || value == ethertype::SERVICE_VLAN
}
