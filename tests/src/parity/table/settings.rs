//! The settings that give what iptables does, where this filter by default does not.

use super::{Table, into, out, together};
use crate::inventory::{Inventory, group, port};
use crate::packet::{arp_request, icmp_echo, icmp_echo_reply, neighbour_advertisement, tcp, udp};

const OWN: &str = "fa:16:3e:00:00:05";

#[rustfmt::skip]
pub(super) fn rows(t: &mut Table) {
    let other_family = "other_family = \"pass\"";
    t.under(Inventory::new().group(group("G").default_egress()).port(port("VM1").ip("10.0.0.5").groups(&["G"])));
    t.setting(other_family, "0.3", "IPv6 of a port without IPv6", "+++", &[out(udp("[2001:db8::66]:9", "[2001:db8:ff::7]:9").from_mac(OWN)), into(udp("[2001:db8:ff::7]:9", "[2001:db8::66]:9")), out(udp("[fe80::f816:3eff:fe00:5]:9", "[ff02::fb]:5353"))]);
    t.setting(other_family, "0.3", "an echo from any IPv6 address", "++", &[out(icmp_echo("2001:db8::66", "2001:db8:ff::7").from_mac(OWN)), into(icmp_echo_reply("2001:db8:ff::7", "2001:db8::66"))]);
    t.under(Inventory::new().group(group("G").default_egress()).port(port("VM1").ip("2001:db8::5").groups(&["G"])));
    t.setting(other_family, "0.3", "IPv4 of a port without IPv4", "+", &[out(udp("10.0.0.66:9", "198.51.100.7:9").from_mac(OWN))]);

    let vm1 = || port("VM1").ip("10.0.0.5").ip("2001:db8::5").groups(&["G"]);
    t.under(Inventory::new().group(group("G")).port(vm1()));
    t.setting("tagged = \"pass\"", "1.4 tags, 1.5 tagged arp", "IP and ARP in a tag, both ways", "++++", &[out(udp("10.0.0.66:9", "198.51.100.7:9").vlan(7).from_mac(OWN)), into(udp("198.51.100.7:9", "10.0.0.5:9").vlan(7)), out(arp_request("10.0.0.66", "10.0.0.1").vlan(7).from_mac(OWN)), into(arp_request("10.0.0.1", "10.0.0.5").vlan(7))]);
    t.setting("neighbor_advertisements = \"pass\"", "1.5 advertisement", "an advertisement of another address", "+", &[out(neighbour_advertisement("2001:db8::5", "2001:db8::1").from_mac(OWN))]);

    t.setting("arp = \"pass\"", "1.5 arp", "a request from another address", "+", &[out(arp_request("10.0.0.66", "10.0.0.1").from_mac(OWN))]);

    t.under(Inventory::new().group(group("G").rule("ingress IPv4 udp").rule("ingress IPv4 tcp 80")).port(vm1()));
    let part = |from: usize, to: usize| into(udp("198.51.100.7:9", "10.0.0.5:53").payload(&[7; 200]).fragment(31, from, to));
    t.setting("fragments = \"by_protocol\"", "0.10", "the second before the first", "+", &[together(vec![part(104, 999), part(0, 104)])]);
    let of_tcp = |from: usize, to: usize| into(tcp("198.51.100.7:9", "10.0.0.5:80").syn().payload(&[7; 200]).fragment(32, from, to));
    t.setting("fragments = \"by_protocol\"", "0.10", "of TCP in order", "+", &[together(vec![of_tcp(0, 104), of_tcp(104, 999)])]);
}
