//! Packets to the VM: the chain that begins with what is always let in.

use super::{Table, frames, into, out};
use crate::inventory::{Inventory, group, port};
use crate::packet::{
    dhcp_offer, dhcpv6_advertise, icmp, icmp_echo, neighbour_advertisement, neighbour_solicitation,
    protocol, router_advertisement, router_solicitation, tcp, udp,
};

#[rustfmt::skip]
pub(super) fn rows(t: &mut Table) {
    t.under(Inventory::new().group(group("G")).port(port("VM1").ip("10.0.0.5").ip("10.0.1.5").ip("2001:db8::5").groups(&["G"]).pair("10.0.0.99")));
    built_ins(t);
    t.row("1.3 v4 4", "anything else", "---", &[into(tcp("198.51.100.7:9", "10.0.0.5:22").syn()), into(udp("198.51.100.7:9", "10.0.0.5:53")), into(icmp_echo("198.51.100.7", "10.0.0.5"))]);
    t.row("1.3 v6 5", "anything else", "---", &[into(tcp("[2001:db8:ff::7]:9", "[2001:db8::5]:22").syn()), into(udp("[2001:db8:ff::7]:9", "[2001:db8::5]:53")), into(icmp_echo("2001:db8:ff::7", "2001:db8::5"))]);
    t.row("1.4 multicast", "multicast and broadcast need a rule", "----", &[into(udp("10.0.0.1:9", "224.0.0.251:5353")), into(udp("10.0.0.1:9", "255.255.255.255:9")), into(udp("[fe80::1]:9", "[ff02::fb]:5353")), into(protocol(112, "10.0.0.1", "224.0.0.18").payload(&[0; 20]))]);

    t.under(Inventory::new().group(group("G")).port(port("VM1").ip("10.0.0.5").groups(&["G"])));
    t.row("1.3 v6 3", "a router advertisement to a port without IPv6", "-", &[into(router_advertisement("fe80::1"))]);
    t.row("1.3 v6 1", "a solicitation to a port without IPv6", "+", &[into(neighbour_solicitation("fe80::1", "fe80::f816:3eff:fe00:5"))]);
    t.row("1.3 v6 3", "DHCPv6 to the link-local address of a port without IPv6", "+", &[into(dhcpv6_advertise("fe80::1", "fe80::f816:3eff:fe00:5"))]);
    t.under(Inventory::new().group(group("G")).port(port("VM1").ip("2001:db8::5").groups(&["G"])));
    t.row("1.3 v4 2", "broadcast DHCP to a port without IPv4", "+", &[into(dhcp_offer("10.0.0.1"))]);
    t.under(Inventory::new().port(port("VM1").ip("10.0.0.5").ip("2001:db8::5")));
    t.row("1.4 no group", "only the built-ins of a port without groups", "++--", &[into(dhcp_offer("10.0.0.1")), into(neighbour_solicitation("fe80::1", "2001:db8::5")), into(udp("198.51.100.7:9", "10.0.0.5:9")), out(udp("10.0.0.5:9", "198.51.100.7:9"))]);

    t.under(Inventory::new().group(group("G").rule("ingress IPv4").rule("ingress IPv6")).port(port("VM1").ip("10.0.0.5").ip("2001:db8::5").groups(&["G"])));
    t.row("1.4 destination, 0.6", "neither address nor MAC of the destination is looked at", "+++", &[into(udp("198.51.100.7:9", "203.0.113.1:9")), into(udp("198.51.100.7:9", "10.0.0.5:9").to_mac("02:00:00:00:00:99")), into(udp("[2001:db8:ff::7]:9", "[2001:db8::77]:9"))]);
    t.row("1.4 multicast", "multicast and broadcast with a rule", "+++", &[into(udp("10.0.0.1:9", "224.0.0.251:5353")), into(udp("10.0.0.1:9", "255.255.255.255:9")), into(udp("[fe80::1]:9", "[ff02::fb]:5353"))]);
    t.row("1.4 malformed", "version 5 in IPv4", "-", &[frames(into(udp("198.51.100.7:9", "10.0.0.5:9")), |frame| frame[14] = 0x55)]);
    t.row("1.4 malformed", "a header of four words", "-", &[frames(into(udp("198.51.100.7:9", "10.0.0.5:9")), |frame| frame[14] = 0x44)]);
    t.row("1.4 malformed", "shorter than its length says", "-", &[frames(into(udp("198.51.100.7:9", "10.0.0.5:9").payload(&[0; 40])), |frame| frame.truncate(60))]);
    t.deviation("1.4 malformed", "a wrong header checksum", "-", (13, "+"), &[frames(into(udp("198.51.100.7:9", "10.0.0.5:9")), |frame| frame[24] ^= 0x55)]);
    t.row("1.4 malformed", "version 4 in IPv6", "-", &[frames(into(udp("[2001:db8:ff::7]:9", "[2001:db8::5]:9")), |frame| frame[14] = 0x40)]);
    t.row("1.4 malformed", "IPv6 shorter than its length says", "-", &[frames(into(udp("[2001:db8:ff::7]:9", "[2001:db8::5]:9").payload(&[0; 40])), |frame| frame.truncate(80))]);
    t.deviation("1.3 v6 4, 1.4 malformed", "IPv6 that ends within its extension headers", "+", (29, "-"), &[into(protocol(60, "2001:db8:ff::7", "2001:db8::5").payload(&[17, 9, 0, 0, 0, 0, 0, 0]))]);
    t.row("1.4 malformed", "Ethernet padding", "+", &[frames(into(udp("198.51.100.7:9", "10.0.0.5:9")), |frame| frame.resize(60, 0))]);
}

#[rustfmt::skip]
fn built_ins(t: &mut Table) {
    t.row("1.3 v6 1", "a neighbor solicitation, an advertisement, a listener query", "+++", &[into(neighbour_solicitation("fe80::1", "2001:db8::5")), into(neighbour_advertisement("fe80::1", "2001:db8::1")), into(icmp("fe80::1", "ff02::1", 130, 0).payload(&[0; 16]))]);
    t.row("1.3 v6 1", "the other ICMPv6", "------", &[into(icmp("fe80::1", "ff02::16", 143, 0).payload(&[0; 16])), into(icmp("fe80::1", "ff02::1", 131, 0).payload(&[0; 16])), into(router_solicitation("fe80::1")), into(icmp("fe80::1", "2001:db8::5", 137, 0).payload(&[0; 32])), into(icmp("fe80::1", "2001:db8::5", 2, 0).payload(&[0; 48])), into(icmp("fe80::1", "2001:db8::5", 200, 0).payload(&[0; 16]))]);
    t.row("1.3 v6 3", "a router advertisement", "+", &[into(router_advertisement("fe80::1"))]);
    t.row("1.3 v6 3", "a router advertisement from any address", "+", &[into(router_advertisement("2001:db8::1"))]);
    t.row("1.3 v4 2", "a DHCP offer by broadcast", "+", &[into(dhcp_offer("10.0.0.1"))]);
    t.row("1.3 v4 2", "a DHCP offer to each fixed address", "++", &[into(udp("10.0.0.1:67", "10.0.0.5:68")), into(udp("203.0.113.1:67", "10.0.1.5:68"))]);
    t.row("1.3 v4 2", "a DHCP offer to a pair's address", "-", &[into(udp("10.0.0.1:67", "10.0.0.99:68"))]);
    t.row("1.3 v4 2", "a DHCP offer to another address", "-", &[into(udp("10.0.0.1:67", "10.0.0.66:68"))]);
    t.row("1.3 v4 2", "the other DHCP ports", "--", &[into(udp("10.0.0.1:68", "10.0.0.5:67")), into(udp("10.0.0.1:67", "10.0.0.5:67"))]);
    t.row("1.3 v6 3", "a DHCPv6 answer to the fixed address", "+", &[into(dhcpv6_advertise("fe80::1", "2001:db8::5"))]);
    t.row("1.3 v6 3", "a DHCPv6 answer to any link-local address", "++", &[into(dhcpv6_advertise("fe80::1", "fe80::f816:3eff:fe00:5")), into(dhcpv6_advertise("2001:db8::1", "fe80::99"))]);
    t.row("1.3 v6 3", "a DHCPv6 answer to another address", "-", &[into(dhcpv6_advertise("fe80::1", "2001:db8::66"))]);
}
