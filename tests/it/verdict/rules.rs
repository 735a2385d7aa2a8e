//! What a rule permits: protocols, ports, ICMP types, CIDRs, groups.

use sg_common::reason::Accept::{InvalidPermitted, New, Stateless, Unfiltered};
use sg_common::reason::DropReason::{InvalidTcpFlags, InvalidTcpState, NoRule};
use sg_tests::inventory::{group, port};
use sg_tests::packet::{Packet, dccp, icmp, icmp_echo, protocol, sctp, tcp, udp, udplite};
use sg_tests::verdict::{Scene, check, port_in, web, web_port};

const PEER: &str = "198.51.100.7";
const WEB: &str = "10.0.0.5";
const PEER6: &str = "2001:db8:7::7";
const WEB6: &str = "2001:db8::5";

fn syn(port: u16) -> Packet {
    tcp("198.51.100.7:40000", &format!("{WEB}:{port}")).syn()
}

fn syn6(port: u16) -> Packet {
    tcp(&format!("[{PEER6}]:40000"), &format!("[{WEB6}]:{port}")).syn()
}

fn syn_from(peer: &str) -> Packet {
    tcp(&format!("{peer}:40000"), "10.0.0.5:80").syn()
}

#[test]
fn a_rule_permits_its_ports_and_no_others() {
    check(&[
        web(&["ingress IPv4 tcp 80"])
            .to_vm(syn(80), New)
            .to_vm(syn(79), NoRule)
            .to_vm(syn(81), NoRule)
            .to_vm(syn6(80), NoRule)
            .to_vm(udp("198.51.100.7:40000", "10.0.0.5:80"), NoRule),
        web(&["ingress IPv4 tcp 80-90"])
            .to_vm(syn(79), NoRule)
            .to_vm(syn(80), New)
            .to_vm(syn(85), New)
            .to_vm(syn(90), New)
            .to_vm(syn(91), NoRule),
        web(&[
            "ingress IPv4 tcp 80",
            "ingress IPv4 tcp 443",
            "ingress IPv4 tcp 8000-8100",
        ])
        .to_vm(syn(80), New)
        .to_vm(syn(443), New)
        .to_vm(syn(8050), New)
        .to_vm(syn(444), NoRule)
        .to_vm(syn(8101), NoRule),
        web(&["ingress IPv6 tcp 80"])
            .to_vm(syn6(80), New)
            .to_vm(syn(80), NoRule),
        web(&["ingress IPv4 udp 53"])
            .to_vm(udp("198.51.100.7:40000", "10.0.0.5:53"), New)
            .to_vm(udp("198.51.100.7:40000", "10.0.0.5:54"), NoRule),
        web(&[
            "ingress IPv4 sctp 5000",
            "ingress IPv4 dccp 6000",
            "ingress IPv4 udplite 7000",
        ])
        .to_vm(sctp("198.51.100.7:40000", "10.0.0.5:5000"), New)
        .to_vm(sctp("198.51.100.7:40000", "10.0.0.5:6000"), NoRule)
        .to_vm(dccp("198.51.100.7:40000", "10.0.0.5:6000"), New)
        .to_vm(udplite("198.51.100.7:40000", "10.0.0.5:7000"), New)
        .to_vm(udplite("198.51.100.7:40000", "10.0.0.5:7001"), NoRule),
        web(&["ingress IPv4 tcp"])
            .to_vm(syn(1), New)
            .to_vm(syn(65535), New),
    ]);
}

#[test]
fn a_rule_with_source_ports_permits_what_comes_from_them() {
    let from =
        |source: u16, port: u16| tcp(&format!("{PEER}:{source}"), &format!("{WEB}:{port}")).syn();
    let out = |source: u16, port: u16| udp(&format!("{WEB}:{source}"), &format!("{PEER}:{port}"));
    check(&[
        web(&["ingress IPv4 tcp 80-90 sport 50-60"])
            .to_vm(from(50, 80), New)
            .to_vm(from(60, 90), New)
            .to_vm(from(49, 80), NoRule)
            .to_vm(from(61, 80), NoRule)
            .to_vm(from(55, 79), NoRule)
            .to_vm(from(55, 91), NoRule)
            .to_vm(from(80, 55), NoRule)
            .to_vm(udp("198.51.100.7:50", "10.0.0.5:80"), NoRule),
        web(&["egress IPv4 udp sport 50", "egress IPv4 udp 53 sport 60-61"])
            .from_vm(out(50, 1), New)
            .from_vm(out(50, 65535), New)
            .from_vm(out(51, 50), NoRule)
            .from_vm(out(60, 53), New)
            .from_vm(out(61, 54), NoRule),
        web(&["ingress IPv4 tcp 80 sport 50", "ingress IPv4 tcp 443"])
            .to_vm(from(50, 80), New)
            .to_vm(from(50, 443), New)
            .to_vm(from(51, 443), New)
            .to_vm(from(51, 80), NoRule),
        web(&[
            "ingress IPv4 sctp sport 5000",
            "ingress IPv4 dccp 6000 sport 1-2",
            "ingress IPv4 udplite 7000 sport 3",
        ])
        .to_vm(sctp("198.51.100.7:5000", "10.0.0.5:1"), New)
        .to_vm(sctp("198.51.100.7:5001", "10.0.0.5:5000"), NoRule)
        .to_vm(dccp("198.51.100.7:2", "10.0.0.5:6000"), New)
        .to_vm(dccp("198.51.100.7:3", "10.0.0.5:6000"), NoRule)
        .to_vm(udplite("198.51.100.7:3", "10.0.0.5:7000"), New)
        .to_vm(udplite("198.51.100.7:4", "10.0.0.5:7000"), NoRule),
        web(&["ingress IPv4 tcp 80 sport 50 from 198.51.100.0/24"])
            .to_vm(from(50, 80), New)
            .to_vm(from(51, 80), NoRule)
            .to_vm(tcp("203.0.113.9:50", "10.0.0.5:80").syn(), NoRule),
        web(&["ingress IPv6 tcp sport 40000"])
            .to_vm(syn6(1), New)
            .to_vm(syn(1), NoRule),
    ]);
}

#[test]
fn as_many_source_ports_as_have_room_are_all_asked() {
    let rules: Vec<String> = (1..=64)
        .map(|port| format!("ingress IPv4 tcp {port} sport {port}"))
        .collect();
    let rules: Vec<&str> = rules.iter().map(String::as_str).collect();
    let from =
        |source: u16, port: u16| tcp(&format!("{PEER}:{source}"), &format!("{WEB}:{port}")).syn();
    check(&[web(&rules)
        .to_vm(from(1, 1), New)
        .to_vm(from(32, 32), New)
        .to_vm(from(64, 64), New)
        .to_vm(from(64, 63), NoRule)
        .to_vm(from(65, 65), NoRule)]);
}

#[test]
fn a_rule_permits_its_protocol_by_number() {
    let of = |number| protocol(number, PEER, WEB);
    check(&[
        web(&[
            "ingress IPv4 47",
            "ingress IPv4 50",
            "ingress IPv4 112",
            "ingress IPv4 253",
        ])
        .to_vm(of(47), New)
        .to_vm(of(50), New)
        .to_vm(of(112), New)
        .to_vm(of(253), New)
        .to_vm(of(51), NoRule)
        .to_vm(of(2), NoRule),
        web(&["ingress IPv4"])
            .to_vm(of(47), New)
            .to_vm(of(2), New)
            .to_vm(syn(80), New)
            .to_vm(icmp_echo(PEER, WEB), New)
            .to_vm(syn6(80), NoRule),
    ]);
}

#[test]
fn an_icmp_rule_permits_its_type_and_code() {
    let of = |kind, code| icmp(PEER, WEB, kind, code);
    check(&[
        web(&["ingress IPv4 icmp 8"])
            .to_vm(of(8, 0), New)
            .to_vm(of(8, 3), New)
            .to_vm(of(13, 0), NoRule),
        web(&["ingress IPv4 icmp 8/0"])
            .to_vm(of(8, 0), New)
            .to_vm(of(8, 1), NoRule),
        web(&["ingress IPv4 icmp 13/0"])
            .to_vm(of(13, 0), New)
            .to_vm(of(8, 0), NoRule),
        web(&["ingress IPv4 icmp"])
            .to_vm(of(8, 0), New)
            .to_vm(of(13, 0), New),
        web(&["ingress IPv6 icmpv6 128"])
            .to_vm(icmp(PEER6, WEB6, 128, 0), New)
            .to_vm(icmp(PEER6, WEB6, 139, 0), NoRule),
    ]);
}

#[test]
fn a_cidr_permits_the_addresses_within() {
    check(&[
        web(&["ingress IPv4 tcp 80 from 198.51.100.0/24"])
            .to_vm(syn_from("198.51.100.7"), New)
            .to_vm(syn_from("198.51.100.255"), New)
            .to_vm(syn_from("198.51.101.0"), NoRule),
        web(&["ingress IPv4 tcp 80 from 198.51.100.7/32"])
            .to_vm(syn_from("198.51.100.7"), New)
            .to_vm(syn_from("198.51.100.6"), NoRule),
        web(&["ingress IPv4 tcp 80 from 0.0.0.0/0"]).to_vm(syn_from("203.0.113.9"), New),
        // The longest prefix does not hide what a wider one permits.
        web(&[
            "ingress IPv4 tcp 80 from 198.51.0.0/16",
            "ingress IPv4 tcp 443 from 198.51.100.0/24",
        ])
        .to_vm(syn(80), New)
        .to_vm(syn(443), New)
        .to_vm(syn_from("198.51.1.1"), New),
        web(&["ingress IPv6 tcp 80 from 2001:db8:7::/48"])
            .to_vm(syn6(80), New)
            .to_vm(
                tcp("[2001:db8:8::7]:40000", "[2001:db8::5]:80").syn(),
                NoRule,
            ),
    ]);
}

#[test]
fn a_remote_group_permits_its_members_wherever_they_are() {
    let scene = || -> Scene {
        web(&["ingress IPv4 tcp 80 from group DB"])
            .group(group("DB"))
            .beside(port("DB1").ip("10.0.0.20").groups(&["DB"]))
            .beside(
                port("DB2")
                    .ip("10.0.0.21")
                    .pair("10.9.0.0/24")
                    .groups(&["DB"]),
            )
    };
    check(&[
        scene()
            .to_vm(syn_from("10.0.0.20"), New)
            .to_vm(syn_from("10.0.0.21"), New)
            .to_vm(syn_from("10.9.0.77"), New)
            .to_vm(syn_from("10.9.1.77"), NoRule)
            .to_vm(syn_from("10.0.0.22"), NoRule)
            .to_vm(tcp("10.0.0.20:1", "10.0.0.5:81").syn(), NoRule),
        web(&["ingress IPv4 tcp 80 from group EMPTY"])
            .group(group("EMPTY"))
            .to_vm(syn(80), NoRule),
        web(&["ingress IPv4 tcp 80 from addresses MONITORING"])
            .addresses("MONITORING", &["198.51.100.7/32", "192.0.2.0/24"])
            .to_vm(syn_from("198.51.100.7"), New)
            .to_vm(syn_from("192.0.2.200"), New)
            .to_vm(syn_from("192.0.3.1"), NoRule),
    ]);
}

#[test]
fn groups_of_a_port_add_up() {
    let both = web_port().groups(&["WEB", "SSH"]);
    check(&[
        port_in(both, &["ingress IPv4 tcp 80"])
            .group(group("SSH").rule("ingress IPv4 tcp 22"))
            .to_vm(syn(80), New)
            .to_vm(syn(22), New)
            .to_vm(syn(23), NoRule),
        port_in(web_port().groups(&[]), &["ingress IPv4 tcp 80"]).to_vm(syn(80), NoRule),
    ]);
}

#[test]
fn a_port_without_port_security_is_not_filtered() {
    let open = port("WEB1")
        .ip("10.0.0.5")
        .with("port_security_enabled", false);
    let trusted = port("WEB1")
        .ip("10.0.0.5")
        .with("device_owner", "network:dhcp");
    check(&[
        port_in(open, &[])
            .to_vm(syn(80), Unfiltered)
            .from_vm(udp("10.0.0.66:67", "10.0.0.7:68"), Unfiltered),
        port_in(trusted, &[]).to_vm(syn(80), Unfiltered),
    ]);
}

#[test]
fn a_stateless_group_needs_a_rule_for_every_packet() {
    let web = group("STATELESS").stateless().rule("ingress IPv4 tcp 80");
    check(&[port_in(web_port().groups(&["STATELESS"]), &[])
        .group(web)
        .in_order()
        .to_vm(syn(80), Stateless)
        .from_vm(tcp("10.0.0.5:80", "198.51.100.7:40000").syn_ack(), NoRule)
        .to_vm(tcp("198.51.100.7:40000", "10.0.0.5:80").rst(), Stateless)]);
}

#[test]
fn invalid_packets_meet_the_rules_first() {
    check(&[web(&["ingress IPv4 tcp 80"])
        .to_vm(
            tcp("198.51.100.7:40000", "10.0.0.5:80").rst(),
            InvalidPermitted,
        )
        .to_vm(
            tcp("198.51.100.7:40000", "10.0.0.5:81").rst(),
            InvalidTcpState,
        )
        .to_vm(
            tcp("198.51.100.7:40000", "10.0.0.5:80").syn_ack(),
            InvalidPermitted,
        )
        .to_vm(tcp("198.51.100.7:40000", "10.0.0.5:81"), InvalidTcpFlags)]);
}
