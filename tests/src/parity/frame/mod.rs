//! What a frame says, read by a reader that has nothing in common with the filter's.

mod ip;

use std::net::Ipv4Addr;

pub use self::ip::{Ip, Part};
use crate::mac::Mac;

/// An Ethernet frame.
#[derive(Clone, Debug)]
pub struct Frame<'a> {
    /// Who sent it.
    pub source: Mac,
    /// What follows the MACs.
    pub ethertype: u16,
    /// What follows that.
    pub payload: &'a [u8],
}

/// The sender's side of an ARP packet, and whom it asks for.
#[derive(Clone, Copy, Debug)]
pub struct Arp {
    /// MAC of the sender, as it says.
    pub sender_mac: Mac,
    /// Its address.
    pub sender: Ipv4Addr,
    /// The address asked for.
    pub target: Ipv4Addr,
}

impl<'a> Frame<'a> {
    /// Reads the Ethernet header.
    #[must_use]
    pub fn read(bytes: &'a [u8]) -> Option<Self> {
        Some(Self {
            source: Mac(bytes.get(6..12)?.try_into().ok()?),
            ethertype: number(bytes, 12)?,
            payload: bytes.get(14..)?,
        })
    }

    /// Whether it has a VLAN tag.
    #[must_use]
    pub fn is_tagged(&self) -> bool {
        matches!(self.ethertype, 0x8100 | 0x88a8)
    }

    /// Whether an ethertype stands behind LLC and SNAP, or IP or ARP behind LLC alone.
    #[must_use]
    pub fn is_behind_llc(&self) -> bool {
        let llc = self.ethertype < 0x0600 || self.ethertype == 0x8870;
        llc && matches!(
            self.payload,
            [0xaa | 0xab, _, _, 0, 0, 0 | 0xf8, _, _, ..]
                | [0x06 | 0x07 | 0x98 | 0x99, _, _, _, _, _, _, _, ..]
        )
    }

    /// Whether it says that it is IP.
    #[must_use]
    pub fn is_ip(&self) -> bool {
        matches!(self.ethertype, 0x0800 | 0x86dd)
    }

    /// The packet in it, if it is whole.
    #[must_use]
    pub fn ip(&self) -> Option<Ip<'a>> {
        match self.ethertype {
            0x0800 => Ip::v4(self.payload),
            0x86dd => Ip::v6(self.payload),
            _ => None,
        }
    }

    /// Whether the IP header is whole and its lengths are those of the frame: what a bridge asks of it
    /// before any rule sees it (`br_netfilter_hooks.c`, `br_validate_ipv4`; `br_netfilter_ipv6.c`).
    #[must_use]
    pub fn is_sound(&self) -> bool {
        let bytes = self.payload;
        let sound = |header: usize, length: Option<usize>| {
            bytes.len() >= header && length.is_some_and(|l| header <= l && l <= bytes.len())
        };
        match (
            self.ethertype,
            bytes.first().map(|first| (first >> 4, first & 15)),
        ) {
            (0x0800, Some((4, words @ 5..))) => {
                let sum_right = self.ip().is_none_or(|ip| ip.sum_right);
                sum_right && sound(usize::from(words) * 4, number(bytes, 2).map(usize::from))
            }
            (0x86dd, Some((6, _))) => sound(40, number(bytes, 4).map(|l| 40 + usize::from(l))),
            _ => false,
        }
    }

    /// Whether the hop-by-hop options, if there are any, end where their header ends: a bridge asks that
    /// of IPv6 too (`nf_ip6_check_hbh_len`).
    #[must_use]
    pub fn has_sound_options(&self) -> bool {
        let bytes = self.payload;
        if self.ethertype != 0x86dd || bytes.get(6) != Some(&0) {
            return true;
        }
        let end = bytes.get(41).map(|length| 48 + 8 * usize::from(*length));
        let Some(mut options) = end.and_then(|end| bytes.get(42..end)) else {
            return false;
        };
        const PAD1: u8 = 0;
        loop {
            let length = match options {
                [] => return true,
                [PAD1, ..] => 1,
                [_, length, ..] => 2 + usize::from(*length),
                [_] => return false,
            };
            match options.get(length..) {
                Some(rest) => options = rest,
                None => return false,
            }
        }
    }

    /// The ARP packet in it, for IPv4 over Ethernet.
    #[must_use]
    pub fn arp(&self) -> Option<Arp> {
        let bytes = self.payload.get(..28)?;
        let is_arp = self.ethertype == 0x0806 && bytes[..6] == [0, 1, 8, 0, 6, 4];
        is_arp.then_some(Arp {
            sender_mac: Mac([
                bytes[8], bytes[9], bytes[10], bytes[11], bytes[12], bytes[13],
            ]),
            sender: Ipv4Addr::new(bytes[14], bytes[15], bytes[16], bytes[17]),
            target: Ipv4Addr::new(bytes[24], bytes[25], bytes[26], bytes[27]),
        })
    }
}

fn number(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes([*bytes.get(at)?, *bytes.get(at + 1)?]))
}

#[cfg(test)]
mod tests {
    use super::Frame;
    use crate::packet::{Extension, arp_request, icmp_error, udp};

    #[test]
    fn a_fragment_behind_an_extension_header_is_read() {
        let bytes = udp("[2001:db8::5]:9", "[2001:db8::6]:53")
            .payload(&[7; 100])
            .extension(Extension::HopByHop)
            .fragment(8, 64, 999)
            .bytes();
        let ip = Frame::read(&bytes).and_then(|frame| frame.ip()).unwrap();
        let part = ip.part.unwrap();
        assert_eq!((ip.protocol, ip.extensions), (17, 2));
        assert_eq!(
            (part.id, part.start, part.end, part.more),
            (8, 64, 108, false)
        );
        assert_eq!(ip.ports(), None);
    }

    #[test]
    fn an_error_is_read_with_what_it_quotes() {
        let about = udp("10.0.0.5:9", "10.0.0.6:53");
        let bytes = icmp_error("10.0.0.6", 3, 3, &about).bytes();
        let ip = Frame::read(&bytes).and_then(|frame| frame.ip()).unwrap();
        assert!(ip.sum_right);
        assert_eq!(ip.icmp(), Some((3, 3)));
        assert_eq!(ip.quoted().and_then(|quoted| quoted.ports()), Some((9, 53)));
    }

    #[test]
    fn an_arp_packet_is_read() {
        let bytes = arp_request("10.0.0.5", "10.0.0.1").bytes();
        let arp = Frame::read(&bytes).and_then(|frame| frame.arp()).unwrap();
        assert_eq!(arp.sender_mac.to_string(), "fa:16:3e:00:00:05");
        assert_eq!(
            (arp.sender.to_string(), arp.target.to_string()),
            ("10.0.0.5".into(), "10.0.0.1".into())
        );
    }
}
