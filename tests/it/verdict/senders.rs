//! What a VM may send, and what it always gets: sources, DHCP, ARP, ICMPv6, tags.

use sg_common::reason::Accept::{Arp, Dhcp, Ethertype, Icmpv6, New};
use sg_common::reason::DropReason::{
    DhcpServer, LinkLocalSource, NoRule, OtherFamilySource, RouterAdvertisement, SpoofedAddress,
    SpoofedArp, SpoofedMac, UnspecifiedSource, Vlan,
};
use sg_tests::inventory::port;
use sg_tests::packet::{
    arp_request, dhcp_discover, dhcp_offer, dhcpv6_solicit, ether, icmp, icmp_echo,
    neighbour_advertisement, neighbour_solicitation, protocol, router_solicitation, tcp, udp,
};
use sg_tests::verdict::{check, port_in, web, web_port};

const EGRESS: [&str; 2] = ["egress IPv4", "egress IPv6"];
const FOREIGN: &str = "fa:16:3e:66:66:66";

#[test]
fn a_vm_sends_only_from_its_own_macs_and_addresses() {
    let out = || tcp("10.0.0.5:40000", "198.51.100.7:80").syn();
    check(&[
        web(&EGRESS)
            .from_vm(out(), New)
            .from_vm(out().from_mac(FOREIGN), SpoofedMac)
            .from_vm(
                tcp("10.0.0.66:40000", "198.51.100.7:80")
                    .syn()
                    .from_mac(web_port().mac_address()),
                SpoofedAddress,
            )
            .from_vm(ether(0x88cc, web_port().mac_address(), b"lldp"), Ethertype)
            .from_vm(ether(0x88cc, FOREIGN, b"lldp"), SpoofedMac),
        web(&["egress IPv4 tcp 80"])
            .from_vm(out(), New)
            .from_vm(udp("10.0.0.5:40000", "198.51.100.7:80"), NoRule),
    ]);
}

/// The frames of firmware and guests that have no address, or another one than the port: what falls of
/// them is no alarm.
#[test]
fn what_honest_guests_send_is_not_counted_as_spoofed() {
    let own = web_port().mac_address();
    let link_local = "fe80::14bb:d2ff:fe01:203";
    let both = web(&EGRESS)
        // OVMF, in the first second and at 61 s.
        .from_vm(
            icmp("::", "ff02::1:ff00:50", 131, 0)
                .payload(&[0; 16])
                .from_mac(own),
            Icmpv6,
        )
        .from_vm(
            neighbour_solicitation("::", link_local).from_mac(own),
            Icmpv6,
        )
        .from_vm(router_solicitation("::").from_mac(own), UnspecifiedSource)
        // IGMP of a host without an address.
        .from_vm(
            protocol(2, "0.0.0.0", "224.0.0.22")
                .payload(&[0x22, 0, 0, 0, 0, 0, 0, 0])
                .from_mac(own),
            UnspecifiedSource,
        )
        // Linux with an interface identifier of its own making.
        .from_vm(
            icmp(link_local, "ff02::16", 143, 0)
                .payload(&[0; 20])
                .from_mac(own),
            LinkLocalSource,
        )
        .from_vm(
            router_solicitation(link_local).from_mac(own),
            LinkLocalSource,
        )
        .from_vm(dhcpv6_solicit(link_local).from_mac(own), LinkLocalSource)
        // An address that a host gave itself.
        .from_vm(
            udp("169.254.7.9:5353", "224.0.0.251:5353").from_mac(own),
            LinkLocalSource,
        )
        .from_vm(router_solicitation("::").from_mac(FOREIGN), SpoofedMac)
        .from_vm(
            icmp_echo("2001:db8::66", "2001:db8::7").from_mac(own),
            SpoofedAddress,
        );
    let single = port("WEB1").mac(own).ip("10.0.0.5").groups(&["WEB"]);
    let of_ipv4 = port_in(single, &EGRESS)
        // Of every guest with IPv6, and again after a migration.
        .from_vm(
            router_solicitation("fe80::f816:3eff:fe00:5").from_mac(own),
            OtherFamilySource,
        )
        .from_vm(
            neighbour_advertisement("2001:db8::5", "2001:db8::5").from_mac(own),
            OtherFamilySource,
        )
        .from_vm(router_solicitation("::").from_mac(own), OtherFamilySource)
        .from_vm(
            neighbour_solicitation("::", "2001:db8::5").from_mac(own),
            Icmpv6,
        )
        .from_vm(
            udp("169.254.7.9:1", "10.0.0.7:2").from_mac(own),
            LinkLocalSource,
        );
    check(&[both, of_ipv4]);
}

#[test]
fn allowed_address_pairs_are_pairs() {
    let port = web_port()
        .pair("10.0.0.99")
        .pair_with_mac("10.9.0.0/24", FOREIGN);
    let from = |address: &str| tcp(&format!("{address}:40000"), "198.51.100.7:80").syn();
    let own = port.mac_address();
    check(&[port_in(port, &EGRESS)
        .from_vm(from("10.0.0.99").from_mac(own), New)
        .from_vm(from("10.9.0.3").from_mac(FOREIGN), New)
        .from_vm(from("10.9.0.3").from_mac(own), SpoofedAddress)
        .from_vm(from("10.0.0.5").from_mac(FOREIGN), SpoofedAddress)
        .from_vm(from("10.9.1.3").from_mac(FOREIGN), SpoofedAddress)]);
}

#[test]
fn dhcp_works_without_rules_but_not_as_a_server() {
    let own = web_port().mac_address();
    check(&[web(&[])
        .from_vm(dhcp_discover(own), Dhcp)
        .from_vm(dhcp_discover(FOREIGN), SpoofedMac)
        .from_vm(dhcp_offer("10.0.0.5").from_mac(own), DhcpServer)
        .to_vm(udp("10.0.0.2:67", "10.0.0.5:68"), Dhcp)
        .to_vm(udp("10.0.0.2:67", "255.255.255.255:68"), Dhcp)
        .to_vm(udp("10.0.0.2:67", "10.0.0.6:68"), NoRule)
        .to_vm(udp("[fe80::2]:547", "[2001:db8::5]:546"), Dhcp)]);
}

#[test]
fn arp_is_for_the_ports_own_addresses() {
    let own = web_port().mac_address();
    check(&[web(&[])
        .from_vm(arp_request("10.0.0.5", "10.0.0.7"), Arp)
        .from_vm(
            arp_request("10.0.0.66", "10.0.0.7").from_mac(own),
            SpoofedArp,
        )
        .to_vm(arp_request("10.0.0.7", "10.0.0.5"), Arp)]);
}

#[test]
fn icmpv6_from_the_vm_needs_no_rule_but_must_not_be_a_router() {
    let own = web_port().mac_address();
    check(&[web(&[])
        .from_vm(icmp_echo("2001:db8::5", "2001:db8::7"), Icmpv6)
        .from_vm(
            icmp("2001:db8::5", "ff02::1", 134, 0).from_mac(own),
            RouterAdvertisement,
        )
        .from_vm(
            icmp_echo("2001:db8::66", "2001:db8::7").from_mac(own),
            SpoofedAddress,
        )
        .to_vm(icmp("fe80::1", "ff02::1", 134, 0), Icmpv6)
        .to_vm(icmp("fe80::1", "2001:db8::5", 135, 0), Icmpv6)
        .to_vm(icmp("fe80::1", "ff02::1", 130, 0), Icmpv6)
        .to_vm(icmp_echo("2001:db8::7", "2001:db8::5"), NoRule)]);
}

#[test]
fn tagged_frames_belong_to_nobody() {
    check(&[web(&["ingress IPv4", "egress IPv4"])
        .to_vm(
            tcp("198.51.100.7:40000", "10.0.0.5:80").syn().vlan(100),
            Vlan,
        )
        .from_vm(
            tcp("10.0.0.5:40000", "198.51.100.7:80").syn().vlan(100),
            Vlan,
        )]);
}
