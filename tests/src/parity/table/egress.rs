//! Packets from the VM: the chain that begins with the spoof check.

use super::{Table, into, out};
use crate::inventory::{Inventory, Port, group, port};
use crate::packet::{
    Extension, arp_request, dhcp_discover, dhcp_offer, dhcpv6_advertise, dhcpv6_solicit, icmp,
    icmp_echo, icmp_echo_reply, neighbour_advertisement, neighbour_solicitation, protocol,
    router_advertisement, router_solicitation, tcp, udp,
};

const PAIR_MAC: &str = "00:00:5e:00:01:05";
const FOREIGN: &str = "02:00:00:00:00:66";

fn vm1() -> Port {
    port("VM1").ip("10.0.0.5").ip("2001:db8::5").groups(&["G"])
}

fn paired() -> Port {
    vm1()
        .pair("10.0.0.99")
        .pair_with_mac("10.9.0.0/24", PAIR_MAC)
        .pair("2001:db8:9::/64")
        .pair_with_mac("2001:db8:8::8", PAIR_MAC)
}

#[rustfmt::skip]
pub(super) fn rows(t: &mut Table) {
    built_ins(t);
    t.under(Inventory::new().group(group("G").default_egress()).port(paired()));
    t.row("1.2 v4 2", "the fixed address", "+", &[out(udp("10.0.0.5:9", "198.51.100.7:9"))]);
    t.row("1.2 v4 2", "another address", "-", &[out(udp("10.0.0.66:9", "198.51.100.7:9").from_mac("fa:16:3e:00:00:05"))]);
    t.row("1.2 v4 2", "the fixed address with another MAC", "-", &[out(udp("10.0.0.5:9", "198.51.100.7:9").from_mac(FOREIGN))]);
    t.row("1.2 v4 2", "the fixed address with the MAC of a pair", "-", &[out(udp("10.0.0.5:9", "198.51.100.7:9").from_mac(PAIR_MAC))]);
    t.row("1.2 v4 2", "a pair without a MAC has the port's", "+", &[out(udp("10.0.0.99:9", "198.51.100.7:9").from_mac("fa:16:3e:00:00:05"))]);
    t.row("1.2 v4 2", "the first address of a CIDR pair", "+", &[out(udp("10.9.0.0:9", "198.51.100.7:9").from_mac(PAIR_MAC))]);
    t.row("1.2 v4 2", "the last address of a CIDR pair", "+", &[out(udp("10.9.0.255:9", "198.51.100.7:9").from_mac(PAIR_MAC))]);
    t.row("1.2 v4 2", "one beyond a CIDR pair", "-", &[out(udp("10.9.1.0:9", "198.51.100.7:9").from_mac(PAIR_MAC))]);
    t.row("1.2 v4 2", "a pair's address with the port's MAC", "-", &[out(udp("10.9.0.7:9", "198.51.100.7:9").from_mac("fa:16:3e:00:00:05"))]);
    t.row("1.2 v4 2", "the unspecified address", "-", &[out(udp("0.0.0.0:9", "198.51.100.7:9").from_mac("fa:16:3e:00:00:05"))]);
    t.row("1.2 v4 4, 0.5", "a DHCP offer with everything permitted", "-", &[out(dhcp_offer("10.0.0.5"))]);
    t.row("1.2 v4 4", "an unicast DHCP offer", "-", &[out(udp("10.0.0.5:67", "10.0.0.6:68"))]);
    t.row("1.2 v4 4, 0.5", "a DHCP server does not answer on a known connection", "+-", &[into(udp("10.0.0.1:67", "10.0.0.5:68")), out(udp("10.0.0.5:68", "10.0.0.1:67").from_mac(FOREIGN))]);
    t.row("1.2 v4 5, 0.4", "an answer needs no rule, but its source", "+-", &[out(udp("10.0.0.5:9", "198.51.100.7:9")), out(udp("10.0.0.5:9", "198.51.100.7:9").from_mac(FOREIGN))]);
    t.row("1.2 v6 2", "the fixed address", "+", &[out(udp("[2001:db8::5]:9", "[2001:db8:ff::7]:9"))]);
    t.row("1.2 v6 2", "another address", "-", &[out(udp("[2001:db8::66]:9", "[2001:db8:ff::7]:9").from_mac("fa:16:3e:00:00:05"))]);
    t.row("1.2 v6 2", "the fixed address with another MAC", "-", &[out(udp("[2001:db8::5]:9", "[2001:db8:ff::7]:9").from_mac(FOREIGN))]);
    t.row("1.2 v6 2", "the link-local address of the port's MAC", "+", &[out(udp("[fe80::f816:3eff:fe00:5]:9", "[ff02::fb]:9"))]);
    t.row("1.2 v6 2", "another link-local address", "-", &[out(udp("[fe80::1]:9", "[ff02::fb]:9").from_mac("fa:16:3e:00:00:05"))]);
    t.row("1.2 v6 2", "the link-local address of the MAC of an IPv6 pair", "+", &[out(udp("[fe80::200:5eff:fe00:105]:9", "[ff02::fb]:9").from_mac(PAIR_MAC))]);
    t.row("1.2 v6 2", "a pair with its MAC", "+", &[out(udp("[2001:db8:8::8]:9", "[2001:db8:ff::7]:9").from_mac(PAIR_MAC))]);
    t.row("1.2 v6 2", "inside a CIDR pair", "+", &[out(udp("[2001:db8:9::ffff]:9", "[2001:db8:ff::7]:9").from_mac("fa:16:3e:00:00:05"))]);
    t.row("1.2 v6 2", "outside a CIDR pair", "-", &[out(udp("[2001:db8:9:1::]:9", "[2001:db8:ff::7]:9").from_mac("fa:16:3e:00:00:05"))]);
    t.row("1.2 v6 6, 0.5", "a DHCPv6 answer with everything permitted", "-", &[out(dhcpv6_advertise("2001:db8::5", "2001:db8::6"))]);
    t.row("1.2 v6 2", "an extension header hides no spoofed address", "-", &[out(udp("[2001:db8::66]:9", "[2001:db8:ff::7]:9").extension(Extension::HopByHop).from_mac("fa:16:3e:00:00:05"))]);
    t.row("1.2 v6 8", "what a rule matches", "+++", &[out(tcp("[2001:db8::5]:9", "[2001:db8:ff::7]:80").syn()), out(udp("[2001:db8::5]:9", "[ff02::fb]:5353")), out(protocol(50, "2001:db8::5", "2001:db8:ff::7").payload(&[0; 24]))]);
    t.row("1.2 v4 2", "a pair's address with another pair's MAC", "--", &[out(udp("10.0.0.99:9", "198.51.100.7:9").from_mac(PAIR_MAC)), out(udp("10.9.0.7:9", "198.51.100.7:9").from_mac(FOREIGN))]);
    t.row("1.2 v6 2", "a pair's address with the port's MAC", "--", &[out(udp("[2001:db8:8::8]:9", "[2001:db8:ff::7]:9").from_mac("fa:16:3e:00:00:05")), out(udp("[2001:db8:9::1]:9", "[2001:db8:ff::7]:9").from_mac(PAIR_MAC))]);
    t.row("1.2 v6 2", "the unspecified address", "-", &[out(udp("[::]:9", "[2001:db8:ff::7]:9").from_mac("fa:16:3e:00:00:05"))]);
    t.row("1.2 v6 5", "DHCPv6 to one server", "+", &[out(udp("[2001:db8::5]:546", "[2001:db8::1]:547"))]);
    t.row("1.2 v4 6", "multicast and broadcast are addresses like any", "+++", &[out(udp("10.0.0.5:9", "224.0.0.251:5353")), out(udp("10.0.0.5:9", "255.255.255.255:9")), out(protocol(2, "10.0.0.5", "224.0.0.22").payload(&[0x22, 0, 0, 0, 0, 0, 0, 0]))]);

    t.under(Inventory::new().group(group("G").default_egress()).port(port("VM1").ip("10.0.0.5").groups(&["G"]).pair_with_mac("10.0.0.99", PAIR_MAC)));
    t.deviation("0.3", "IPv6 of a port without IPv6", "+", (1, "-"), &[out(udp("[2001:db8::66]:9", "[2001:db8:ff::7]:9").from_mac("fa:16:3e:00:00:05"))]);
    t.deviation("0.3", "an echo request from any IPv6 address", "+", (1, "-"), &[out(icmp_echo("2001:db8::66", "2001:db8:ff::7").from_mac("fa:16:3e:00:00:05"))]);
    t.deviation("0.3, 1.2 v6 2", "the link-local address of an IPv4 port", "+", (1, "-"), &[out(udp("[fe80::f816:3eff:fe00:5]:9", "[ff02::fb]:9"))]);
    t.row("1.2 v6 1", "duplicate address detection of a port without IPv6", "+", &[out(neighbour_solicitation("::", "fe80::f816:3eff:fe00:5").from_mac("fa:16:3e:00:00:05"))]);
    t.under(Inventory::new().group(group("G").default_egress()).port(port("VM1").ip("2001:db8::5").groups(&["G"])));
    t.deviation("0.3", "IPv4 of a port without IPv4", "+", (1, "-"), &[out(udp("10.0.0.66:9", "198.51.100.7:9").from_mac("fa:16:3e:00:00:05"))]);
    t.row("1.2 v4 1", "a DHCP request of a port without IPv4", "+", &[out(dhcp_discover("fa:16:3e:00:00:05"))]);

    t.under(Inventory::new().group(group("G").default_egress()).port(port("VM1").mac("fa:16:3e:00:00:05").groups(&["G"]).pair_with_mac("10.9.0.0/24", PAIR_MAC)));
    t.row("1.2 v4 2", "any address of a port without fixed addresses", "+", &[out(udp("203.0.113.9:9", "198.51.100.7:9").from_mac("fa:16:3e:00:00:05"))]);
    t.row("1.2 v4 2", "but not with another MAC", "-", &[out(udp("203.0.113.9:9", "198.51.100.7:9").from_mac(FOREIGN))]);
    t.row("1.2 v4 2", "its pairs keep their MAC", "+-", &[out(udp("10.9.0.9:9", "198.51.100.7:9").from_mac(PAIR_MAC)), out(udp("10.8.0.9:9", "198.51.100.7:9").from_mac(PAIR_MAC))]);
    t.row("1.2 v6 2", "any IPv6 address of a port without fixed addresses", "+", &[out(udp("[2001:db8:77::1]:9", "[2001:db8:ff::7]:9").from_mac("fa:16:3e:00:00:05"))]);
    t.under(Inventory::new().group(group("G").default_egress()).port(vm1().pair("0.0.0.0/0").pair("::/0")));
    t.row("1.2 v4 2", "a pair of all IPv4 addresses", "+-", &[out(udp("203.0.113.9:9", "198.51.100.7:9").from_mac("fa:16:3e:00:00:05")), out(udp("203.0.113.9:9", "198.51.100.7:9").from_mac(FOREIGN))]);
    t.row("1.2 v6 2", "a pair of all IPv6 addresses", "+-", &[out(udp("[2001:db8:77::1]:9", "[2001:db8:ff::7]:9").from_mac("fa:16:3e:00:00:05")), out(udp("[2001:db8:77::1]:9", "[2001:db8:ff::7]:9").from_mac(FOREIGN))]);
    t.row("1.5 all addresses", "the sender of ARP is not checked with a pair of all addresses", "+", &[out(arp_request("203.0.113.9", "10.0.0.1").from_mac("fa:16:3e:00:00:05"))]);
}

/// Under a group without rules.
#[rustfmt::skip]
fn built_ins(t: &mut Table) {
    t.under(Inventory::new().group(group("G")).port(paired()));
    t.row("1.2 v4 1", "a DHCP request", "+", &[out(dhcp_discover("fa:16:3e:00:00:05"))]);
    t.deviation("1.2 v4 1", "a DHCP request from another MAC", "+", (4, "-"), &[out(dhcp_discover(FOREIGN))]);
    t.row("1.2 v4 1", "from 0.0.0.0 to one server", "-", &[out(udp("0.0.0.0:68", "10.0.0.1:67").from_mac("fa:16:3e:00:00:05"))]);
    t.row("1.2 v4 1", "from 0.0.0.0 between other ports", "--", &[out(udp("0.0.0.0:68", "255.255.255.255:68").from_mac("fa:16:3e:00:00:05")), out(udp("0.0.0.0:67", "255.255.255.255:67").from_mac("fa:16:3e:00:00:05"))]);
    t.row("1.2 v4 3", "renewing a lease", "+", &[out(udp("10.0.0.5:68", "10.0.0.1:67"))]);
    t.row("1.2 v4 3", "renewing from another address", "-", &[out(udp("10.0.0.66:68", "10.0.0.1:67").from_mac("fa:16:3e:00:00:05"))]);
    t.row("1.2 v4 3", "the answer to a renewal comes back", "++", &[out(udp("10.0.0.5:68", "10.0.0.1:67")), into(udp("10.0.0.1:67", "10.0.0.5:68"))]);
    t.row("1.2 v4 8", "anything else", "---", &[out(tcp("10.0.0.5:9", "198.51.100.7:80").syn()), out(udp("10.0.0.5:9", "198.51.100.7:53")), out(icmp_echo("10.0.0.5", "198.51.100.7"))]);
    t.row("1.2 v6 1", "duplicate address detection", "+", &[out(neighbour_solicitation("::", "2001:db8::5").from_mac("fa:16:3e:00:00:05"))]);
    t.row("1.2 v6 1", "multicast reports from the unspecified address", "++", &[out(icmp("::", "ff02::16", 143, 0).payload(&[0; 20]).from_mac("fa:16:3e:00:00:05")), out(icmp("::", "ff02::1:ff00:5", 131, 0).payload(&[0; 16]).from_mac("fa:16:3e:00:00:05"))]);
    t.row("1.2 v6 1", "a router solicitation from the unspecified address", "-", &[out(router_solicitation("::").from_mac("fa:16:3e:00:00:05"))]);
    t.row("1.2 v6 1", "a solicitation from the unspecified address to one host", "-", &[out(icmp("::", "2001:db8::1", 135, 0).payload(&[0; 16]).from_mac("fa:16:3e:00:00:05"))]);
    t.row("1.2 v6 1", "a solicitation to a wider multicast scope", "-", &[out(icmp("::", "ff05::1", 135, 0).payload(&[0; 16]).from_mac("fa:16:3e:00:00:05"))]);
    t.deviation("1.2 v6 1", "duplicate address detection from another MAC", "+", (4, "-"), &[out(neighbour_solicitation("::", "2001:db8::66").from_mac(FOREIGN))]);
    t.row("1.2 v6 3", "a router advertisement", "-", &[out(router_advertisement("fe80::f816:3eff:fe00:5"))]);
    t.row("1.2 v6 4", "a router solicitation", "+", &[out(router_solicitation("fe80::f816:3eff:fe00:5"))]);
    t.row("1.2 v6 4, 0.2", "an echo request without a rule, and its reply", "++", &[out(icmp_echo("2001:db8::5", "2001:db8:ff::7")), into(icmp_echo_reply("2001:db8:ff::7", "2001:db8::5"))]);
    t.row("1.2 v6 4", "a redirect, a query, an unknown type", "+++", &[out(icmp("2001:db8::5", "2001:db8::1", 137, 0).payload(&[0; 32])), out(icmp("2001:db8::5", "ff02::1", 130, 0).payload(&[0; 16])), out(icmp("2001:db8::5", "2001:db8::1", 200, 0).payload(&[0; 16]))]);
    t.row("1.2 v6 4", "a neighbor solicitation", "+", &[out(neighbour_solicitation("2001:db8::5", "2001:db8::1"))]);
    t.row("1.2 v6 4", "an advertisement of the own address", "+", &[out(neighbour_advertisement("2001:db8::5", "2001:db8::5"))]);
    t.row("1.2 v6 4", "ICMPv6 from another address", "-", &[out(icmp_echo("2001:db8::66", "2001:db8:ff::7").from_mac("fa:16:3e:00:00:05"))]);
    t.deviation("1.5 advertisement", "an advertisement of another address", "+", (8, "-"), &[out(neighbour_advertisement("2001:db8::5", "2001:db8::1").from_mac("fa:16:3e:00:00:05"))]);
    t.row("1.2 v6 4", "an echo request behind an extension header", "+", &[out(icmp_echo("2001:db8::5", "2001:db8:ff::7").extension(Extension::Destination))]);
    t.row("1.2 v6 5", "a DHCPv6 request", "+", &[out(dhcpv6_solicit("fe80::f816:3eff:fe00:5"))]);
    t.row("1.2 v6 5", "a DHCPv6 request from another address", "-", &[out(dhcpv6_solicit("fe80::1").from_mac("fa:16:3e:00:00:05"))]);
    t.row("1.2 v6 10", "anything else", "--", &[out(tcp("[2001:db8::5]:9", "[2001:db8:ff::7]:80").syn()), out(udp("[2001:db8::5]:9", "[2001:db8:ff::7]:53"))]);
}
