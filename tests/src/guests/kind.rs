//! What kind of frame it is, in words that do not change with ports, numbers and times.

use std::net::{IpAddr, Ipv6Addr};

use super::passage::Way;
use crate::inventory::Port;
use crate::packet::DOT1Q;
use crate::parity::frame::{Frame, Ip};
use crate::parity::plug::link_local;

/// The kind of a frame of these ports, subports among them: `router solicitation from ::`.
#[must_use]
pub fn kind(bytes: &[u8], way: Way, ports: &[&Port]) -> String {
    let inner;
    let (bytes, tag) = if bytes.get(12..14) == Some(&DOT1Q.to_be_bytes()) && bytes.len() >= 18 {
        inner = [&bytes[..12], &bytes[16..]].concat();
        (inner.as_slice(), "in a VLAN: ")
    } else {
        (bytes, "")
    };
    let Some(frame) = Frame::read(bytes) else {
        return "no Ethernet frame".to_owned();
    };
    let what = match (frame.ip(), frame.arp(), frame.ethertype) {
        (Some(ip), ..) => {
            let part = ip.part.map_or("", |_| "fragment of ");
            let from = match way {
                Way::FromVm => format!(" from {}", source(&ip, &frame, ports)),
                Way::ToVm => String::new(),
            };
            format!("{part}{}{from}", packet(&ip))
        }
        (_, Some(arp), _) if arp.sender == arp.target => "gratuitous ARP".to_owned(),
        (_, Some(arp), _) if arp.sender.is_unspecified() => "ARP probe".to_owned(),
        (_, Some(_), _) if frame.payload.get(7) == Some(&1) => "ARP request".to_owned(),
        (_, Some(_), _) => "ARP reply".to_owned(),
        (_, _, 0x8035) => "RARP".to_owned(),
        (_, _, 0x888e) => "EAPOL".to_owned(),
        (_, _, other) => format!("ethertype {other:#06x}"),
    };
    format!("{tag}{what}")
}

fn packet(ip: &Ip<'_>) -> String {
    const SYN: u8 = 0x02;
    const ACK: u8 = 0x10;
    const RST: u8 = 0x04;
    match (ip.protocol, ip.ports(), ip.icmp()) {
        (17, Some((68, 67)), _) => "DHCP request".to_owned(),
        (17, Some((67, 68)), _) => "DHCP answer".to_owned(),
        (17, Some((546, 547)), _) => "DHCPv6 request".to_owned(),
        (17, Some((547, 546)), _) => "DHCPv6 answer".to_owned(),
        (17, Some((_, 69)), _) => "TFTP request".to_owned(),
        (17, Some(ports), _) if is_high(ports) => "UDP between high ports (TFTP)".to_owned(),
        (17, Some((a, b)), _) => format!("UDP of port {}", a.min(b)),
        (6, Some((a, b)), _) => {
            let flags = ip.payload.get(13).copied().unwrap_or_default();
            let what = match flags & (SYN | ACK | RST) {
                SYN => "SYN",
                flags if flags & RST != 0 => "RST",
                _ => "segment",
            };
            format!("TCP {what} of port {}", a.min(b))
        }
        (1, _, Some((kind, code))) => match (kind, code) {
            (8, _) => "echo request".to_owned(),
            (0, _) => "echo reply".to_owned(),
            (3, 3) => "port unreachable".to_owned(),
            other => format!("ICMP {}/{}", other.0, other.1),
        },
        (58, _, Some((kind, code))) => match kind {
            1 if code == 4 => "port unreachable".to_owned(),
            128 => "echo request".to_owned(),
            129 => "echo reply".to_owned(),
            130 => "MLD query".to_owned(),
            131 => "MLDv1 report".to_owned(),
            132 => "MLDv1 done".to_owned(),
            133 => "router solicitation".to_owned(),
            134 => "router advertisement".to_owned(),
            135 => "neighbor solicitation".to_owned(),
            136 => "neighbor advertisement".to_owned(),
            143 => "MLDv2 report".to_owned(),
            _ => format!("ICMPv6 {kind}/{code}"),
        },
        (2, ..) => "IGMP".to_owned(),
        (other, ..) => format!("protocol {other}"),
    }
}

fn is_high((a, b): (u16, u16)) -> bool {
    a.min(b) >= 1024
}

fn source(ip: &Ip<'_>, frame: &Frame<'_>, ports: &[&Port]) -> String {
    const LINK_LOCAL: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0);
    let own = ports
        .iter()
        .any(|port| port.addresses().contains(&ip.source));
    match ip.source {
        source if source.is_unspecified() => source.to_string(),
        _ if own => "its address".to_owned(),
        source if source == link_local(frame.source) => "its EUI-64 link-local address".to_owned(),
        IpAddr::V6(v6) if v6.segments()[0] == LINK_LOCAL.segments()[0] => {
            "another link-local address".to_owned()
        }
        _ => "an address that is not its own".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::kind;
    use crate::guests::passage::Way;
    use crate::inventory::port;
    use crate::packet::{arp_request, neighbour_solicitation, tcp, udp};

    #[test]
    fn a_frame_is_told_by_what_it_is_for_and_whom_it_says_it_is_from() {
        let vm = port("VM1").ip("10.0.0.5").ip("2001:db8::5");
        let kind = |frame: &[u8]| kind(frame, Way::FromVm, &[&vm]);
        let sent = |packet: crate::packet::Packet| kind(&packet.from_mac(vm.mac_address()).bytes());
        assert_eq!(
            sent(udp("0.0.0.0:68", "255.255.255.255:67")),
            "DHCP request from 0.0.0.0"
        );
        assert_eq!(
            sent(neighbour_solicitation("::", "2001:db8::5")),
            "neighbor solicitation from ::"
        );
        assert_eq!(
            sent(neighbour_solicitation(
                "fe80::f816:3eff:fe00:5",
                "2001:db8::1"
            )),
            "neighbor solicitation from its EUI-64 link-local address"
        );
        assert_eq!(
            sent(neighbour_solicitation("fe80::99", "2001:db8::1")),
            "neighbor solicitation from another link-local address"
        );
        assert_eq!(
            sent(tcp("10.0.0.5:33000", "10.0.0.1:80").syn()),
            "TCP SYN of port 80 from its address"
        );
        assert_eq!(
            sent(udp("10.0.0.66:2000", "10.0.0.1:3000").vlan(7)),
            "in a VLAN: UDP between high ports (TFTP) from an address that is not its own"
        );
        assert_eq!(sent(arp_request("10.0.0.5", "10.0.0.1")), "ARP request");
        assert_eq!(sent(arp_request("10.0.0.5", "10.0.0.5")), "gratuitous ARP");
    }
}
