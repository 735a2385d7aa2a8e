//! What iptables does not see: ARP, tags, other ethertypes, and who may send them.

use super::{Shot, Table, frames, into, out};
use crate::inventory::{Inventory, group, port};
use crate::packet::{BRIDGE_TUNNEL, DOT1AD, DOT1Q, RFC_1042, arp_reply, arp_request, ether, udp};

const OWN: &str = "fa:16:3e:00:00:05";
const PAIR_MAC: &str = "00:00:5e:00:01:05";
const FOREIGN: &str = "02:00:00:00:00:66";

/// VM1 looks whether an address is free (RFC 5227).
fn probe(address: &str) -> Shot {
    let sender_mac = [0xfa, 0x16, 0x3e, 0, 0, 5];
    let request = arp_request("0.0.0.0", address).from_mac(OWN);
    frames(out(request), |frame| {
        frame[22..28].copy_from_slice(&sender_mac)
    })
}

#[rustfmt::skip]
pub(super) fn rows(t: &mut Table) {
    let port = port("VM1").ip("10.0.0.5").ip("2001:db8::5").groups(&["G"]).pair_with_mac("10.9.0.0/24", PAIR_MAC);
    t.under(Inventory::new().group(group("G")).port(port));
    t.row("1.5 arp", "a request, an announcement and an answer", "+++", &[out(arp_request("10.0.0.5", "10.0.0.1")), out(arp_request("10.0.0.5", "10.0.0.5")), out(arp_reply("10.0.0.5", "10.0.0.1"))]);
    t.row("1.4 arp", "from the network nothing is checked", "+", &[into(arp_request("10.0.0.77", "10.0.0.5"))]);
    t.deviation("1.5 arp", "for another address", "+", (7, "-"), &[out(arp_request("10.0.0.66", "10.0.0.1").from_mac(OWN))]);
    t.row("1.5 probe", "the probe for the own address", "+", &[probe("10.0.0.5")]);
    t.row("1.4 ethertypes", "LLDP, EAPOL, RARP, IPX both ways", "++++++++", &[out(ether(0x88cc, OWN, &[0; 46]).to_mac("01:80:c2:00:00:0e")), out(ether(0x888e, OWN, &[0; 46])), out(ether(0x8035, OWN, &[0; 46])), out(ether(0x8137, OWN, &[0; 46])), into(ether(0x88cc, FOREIGN, &[0; 46]).to_mac("01:80:c2:00:00:0e")), into(ether(0x888e, FOREIGN, &[0; 46])), into(ether(0x8035, FOREIGN, &[0; 46])), into(ether(0x8137, FOREIGN, &[0; 46]))]);
    t.row("1.5 mac", "with the MAC of a pair", "+", &[out(ether(0x88cc, PAIR_MAC, &[0; 46]))]);
    t.deviation("1.5 mac", "with another MAC", "+", (23, "-"), &[out(ether(0x88cc, FOREIGN, &[0; 46]))]);
    t.deviation("1.4 tags", "IP in an 802.1Q tag", "+", (2, "-"), &[out(udp("10.0.0.66:9", "198.51.100.7:9").vlan(7).from_mac(OWN))]);
    t.deviation("1.4 tags", "IP in an 802.1ad tag", "+", (2, "-"), &[out(udp("10.0.0.66:9", "198.51.100.7:9").tag(DOT1AD, 7).from_mac(OWN))]);
    t.deviation("1.4 tags", "a priority tag", "+", (2, "-"), &[out(udp("10.0.0.66:9", "198.51.100.7:9").vlan(0).from_mac(OWN))]);
    t.deviation("1.4 tags", "a tag towards the VM", "+", (2, "-"), &[into(udp("198.51.100.7:9", "10.0.0.5:9").vlan(7))]);
    t.row("1.4 pppoe", "IP in a session", "+", &[out(ether(0x8864, OWN, &[0x11, 0, 0, 1, 0, 22, 0, 0x21, 0x45, 0, 0, 20, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 66, 198, 51, 100, 7]))]);
    t.deviation("1.5 arp", "for an address of a pair with the port's MAC", "+", (7, "-"), &[out(arp_reply("10.9.0.7", "10.0.0.1").from_mac(OWN))]);
    t.row("1.5 arp", "for an address of a pair with its MAC", "+", &[frames(out(arp_reply("10.9.0.7", "10.0.0.1").from_mac(PAIR_MAC)), |frame| frame[22..28].copy_from_slice(&[0, 0, 0x5e, 0, 1, 5]))]);
    t.deviation("1.5 probe", "the probe for another address", "+", (7, "-"), &[probe("10.0.0.66")]);
    t.deviation("1.5 sender mac", "a forged MAC inside", "+", (7, "-"), &[frames(out(arp_reply("10.0.0.5", "10.0.0.1").from_mac(OWN)), |frame| frame[22..28].copy_from_slice(&[2, 0, 0, 0, 0, 0x66]))]);
    t.deviation("1.5 sender mac", "a frame from another MAC", "+", (7, "-"), &[out(arp_request("10.0.0.5", "10.0.0.1").from_mac(FOREIGN))]);
    t.deviation("1.5 arp", "ARP of another hardware from the VM", "+", (7, "-"), &[frames(out(arp_request("10.0.0.5", "10.0.0.1").from_mac(OWN)), |frame| frame[15] = 6)]);
    t.row("1.4 arp", "ARP of another hardware, and half of one, to the VM", "++", &[frames(into(arp_request("10.0.0.1", "10.0.0.5")), |frame| frame[15] = 6), frames(into(arp_request("10.0.0.1", "10.0.0.5")), |frame| frame.truncate(30))]);
    t.deviation("1.5 tagged arp", "ARP in a tag, both ways", "++", (2, "--"), &[out(arp_request("10.0.0.66", "10.0.0.1").vlan(7).from_mac(OWN)), into(arp_request("10.0.0.66", "10.0.0.5").vlan(7))]);
    t.row("1.5 rarp", "with the port's MAC, both ways", "++", &[out(ether(0x8035, OWN, &[0; 46])), into(ether(0x8035, FOREIGN, &[0; 46]))]);
    t.deviation("1.5 rarp", "with another MAC", "+", (23, "-"), &[out(ether(0x8035, FOREIGN, &[0; 46]))]);
    t.deviation("1.4 tags", "two tags, both ways", "++", (2, "--"), &[out(udp("10.0.0.5:9", "198.51.100.7:9").tag(DOT1AD, 7).tag(DOT1Q, 9)), into(udp("198.51.100.7:9", "10.0.0.5:9").tag(DOT1AD, 7).tag(DOT1Q, 9))]);
    t.deviation("1.4 tags", "IPv6 in a tag, both ways", "++", (2, "--"), &[out(udp("[2001:db8::66]:9", "[2001:db8:ff::7]:9").vlan(7).from_mac(OWN)), into(udp("[2001:db8:ff::7]:9", "[2001:db8::5]:9").vlan(7))]);
    for (name, llc) in [("RFC 1042", RFC_1042), ("IEEE 802.1H", BRIDGE_TUNNEL)] {
        t.deviation("1.4 llc", &format!("IP and ARP behind LLC of {name}, both ways"), "++++", (32, "----"), &[out(udp("10.0.0.66:9", "198.51.100.7:9").from_mac(OWN).llc(llc)), into(udp("198.51.100.7:9", "10.0.0.5:9").llc(llc)), out(arp_request("10.0.0.66", "10.0.0.1").from_mac(OWN).llc(llc)), into(arp_request("10.0.0.66", "10.0.0.5").llc(llc))]);
    }
    t.deviation("1.4 llc", "IPv6 behind LLC, both ways", "++", (32, "--"), &[out(udp("[2001:db8::66]:9", "[2001:db8:ff::7]:9").from_mac(OWN).llc(RFC_1042)), into(udp("[2001:db8:ff::7]:9", "[2001:db8::5]:9").llc(RFC_1042))]);
    t.row("1.4 pppoe", "a session and its discovery to the VM", "++", &[into(ether(0x8864, FOREIGN, &[0x11, 0, 0, 1, 0, 2, 0, 0x21])), into(ether(0x8863, FOREIGN, &[0x11, 9, 0, 0, 0, 0]))]);
    t.row("1.4 ethertypes", "MPLS and IEEE 802.3 with LLC, both ways", "++++", &[out(ether(0x8847, OWN, &[0; 46])), into(ether(0x8847, FOREIGN, &[0; 46])), out(ether(0x0026, OWN, &[0; 46])), into(ether(0x0026, FOREIGN, &[0; 46]))]);
}
