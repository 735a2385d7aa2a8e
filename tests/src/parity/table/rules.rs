//! What the fields of a rule match.

use super::{Shot, Table, frames, into, out};
use crate::inventory::{Inventory, group, port};
use crate::packet::{Extension, Packet, dccp, icmp, icmp_echo, protocol, sctp, tcp, udp, udplite};

/// A port whose only group has these rules.
fn under(t: &mut Table, rules: &[&str]) {
    let group = rules
        .iter()
        .fold(group("G"), |group, rule| group.rule(rule));
    t.under(
        Inventory::new()
            .group(group)
            .port(port("VM1").ip("10.0.0.5").ip("2001:db8::5").groups(&["G"])),
    );
}

/// Into VM1 from a peer, IPv4, by source and destination port.
fn tcp4(port: u16) -> Shot {
    into(tcp("198.51.100.7:9", &format!("10.0.0.5:{port}")).syn())
}

fn udp4(port: u16) -> Shot {
    into(udp("198.51.100.7:9", &format!("10.0.0.5:{port}")))
}

fn udp6(port: u16) -> Packet {
    udp("[2001:db8:ff::7]:9", &format!("[2001:db8::5]:{port}"))
}

fn icmp4(kind: u8, code: u8) -> Shot {
    into(icmp("198.51.100.7", "10.0.0.5", kind, code).payload(&[0; 28]))
}

fn icmp6(kind: u8, code: u8) -> Shot {
    into(icmp("2001:db8:ff::7", "2001:db8::5", kind, code).payload(&[0; 48]))
}

fn proto4(number: u8) -> Shot {
    into(protocol(number, "198.51.100.7", "10.0.0.5").payload(&[0; 24]))
}

fn proto6(number: u8) -> Shot {
    into(protocol(number, "2001:db8:ff::7", "2001:db8::5").payload(&[0; 24]))
}

#[rustfmt::skip]
pub(super) fn rows(t: &mut Table) {
    for (rule, name) in [("ingress IPv4", "no protocol"), ("ingress IPv4 0", "protocol 0"), ("ingress IPv4 ip", "ip"), ("ingress IPv4 hopopt", "hopopt"), ("ingress IPv4 any", "any"), ("ingress IPv4 tcp 1-65535", "tcp 1..65535")] {
        under(t, &[rule]);
        if rule.contains("tcp") {
            t.row("2.2 range", name, "++-", &[tcp4(1), tcp4(65535), udp4(1)]);
        } else {
            t.row("2.2 any", name, "+++++++", &[tcp4(1), udp4(65535), icmp4(8, 0), proto4(47), proto4(50), proto4(253), proto4(2)]);
        }
        t.row("2.2 any", &format!("{name}: an IPv4 rule is none for IPv6"), "-", &[into(udp6(9))]);
    }
    under(t, &["ingress IPv4 tcp 80"]);
    t.row("2.2 port", "tcp 80", "-+--", &[tcp4(79), tcp4(80), tcp4(81), udp4(80)]);
    t.row("2.2 port", "the source port does not count", "-", &[into(tcp("198.51.100.7:80", "10.0.0.5:9").syn())]);
    t.row("2.2 port", "any flags open a connection", "++++", &[into(tcp("198.51.100.7:1", "10.0.0.5:80").ack()), into(tcp("198.51.100.7:2", "10.0.0.5:80").syn_ack()), into(tcp("198.51.100.7:3", "10.0.0.5:80").rst()), into(tcp("198.51.100.7:4", "10.0.0.5:80").fin())]);
    under(t, &["ingress IPv4 tcp 80 sport 53", "ingress IPv4 udp sport 53-54", "egress IPv4 udp 9 sport 1000-1001"]);
    t.row("2.2 source port", "tcp 80 from port 53", "+---", &[into(tcp("198.51.100.7:53", "10.0.0.5:80").syn()), into(tcp("198.51.100.7:54", "10.0.0.5:80").syn()), into(tcp("198.51.100.7:53", "10.0.0.5:81").syn()), into(tcp("198.51.100.7:80", "10.0.0.5:53").syn())]);
    t.row("2.2 source port", "udp from ports 53 to 54, to any", "-++-+", &[into(udp("198.51.100.7:52", "10.0.0.5:7")), into(udp("198.51.100.7:53", "10.0.0.5:7")), into(udp("198.51.100.7:54", "10.0.0.5:65535")), into(udp("198.51.100.7:55", "10.0.0.5:7")), out(udp("10.0.0.5:7", "198.51.100.7:53"))]);
    t.row("2.2 source port", "what the VM sends: its own port", "++--", &[out(udp("10.0.0.5:1000", "198.51.100.7:9")), into(udp("198.51.100.7:9", "10.0.0.5:1000")), out(udp("10.0.0.5:1002", "198.51.100.7:9")), out(udp("10.0.0.5:9", "198.51.100.7:1000"))]);
    under(t, &["ingress IPv4 udplite 80 sport 9", "ingress IPv4 dccp 81 sport 9", "ingress IPv4 sctp 82 sport 9", "ingress IPv6 tcp sport 1-65535"]);
    t.row("2.2 source port", "UDP-Lite, DCCP and SCTP", "+-+-+-", &[into(udplite("198.51.100.7:9", "10.0.0.5:80")), into(udplite("198.51.100.7:8", "10.0.0.5:80")), into(dccp("198.51.100.7:9", "10.0.0.5:81")), into(dccp("198.51.100.8:8", "10.0.0.5:81")), into(sctp("198.51.100.7:9", "10.0.0.5:82")), into(sctp("198.51.100.7:8", "10.0.0.5:82"))]);
    t.row("2.2 source port", "1 to 65535 is not port 0", "+-", &[into(tcp("[2001:db8:ff::7]:1", "[2001:db8::5]:81").syn()), into(tcp("[2001:db8:ff::7]:0", "[2001:db8::5]:81").syn())]);
    under(t, &["ingress IPv4 tcp 80-90"]);
    t.row("2.2 range", "tcp 80-90", "-+++-", &[tcp4(79), tcp4(80), tcp4(85), tcp4(90), tcp4(91)]);
    under(t, &["ingress IPv4 tcp 1", "ingress IPv4 tcp 65535", "ingress IPv4 udp 1-2", "ingress IPv4 udp 65534-65535"]);
    t.row("2.2 range", "the ends of the numbers", "+-+-++-++-", &[tcp4(1), tcp4(2), tcp4(65535), tcp4(65534), udp4(1), udp4(2), udp4(3), udp4(65534), udp4(65535), udp4(0)]);
    under(t, &["ingress IPv4 6 443", "ingress IPv4 17 53"]);
    t.row("2.2 number", "tcp and udp by number", "++-", &[tcp4(443), udp4(53), udp4(443)]);
    under(t, &["ingress IPv4 udplite 80", "ingress IPv4 dccp 81", "ingress IPv4 sctp 82-84"]);
    t.row("2.2 udplite", "UDP-Lite", "+-", &[into(udplite("198.51.100.7:9", "10.0.0.5:80")), into(udplite("198.51.100.7:9", "10.0.0.5:81"))]);
    t.row("2.2 udplite", "DCCP", "+-", &[into(dccp("198.51.100.7:9", "10.0.0.5:81")), into(dccp("198.51.100.7:9", "10.0.0.5:80"))]);
    t.row("2.2 udplite", "SCTP", "-++-", &[into(sctp("198.51.100.7:9", "10.0.0.5:81")), into(sctp("198.51.100.7:9", "10.0.0.5:82")), into(sctp("198.51.100.7:9", "10.0.0.5:84")), into(sctp("198.51.100.7:9", "10.0.0.5:85"))]);
    t.deviation("2.2 udplite, 3.4 addresses", "DCCP to another port, once one is established", "++-+", (30, "++--"), &[into(dccp("198.51.100.7:9", "10.0.0.5:81")), out(dccp("10.0.0.5:81", "198.51.100.7:9")), into(dccp("198.51.100.8:9", "10.0.0.5:80")), into(dccp("198.51.100.7:9", "10.0.0.5:80"))]);
    under(t, &["ingress IPv6 udplite 80-81", "ingress IPv6 dccp 81", "ingress IPv6 sctp 82"]);
    t.row("2.2 udplite", "UDP-Lite, DCCP and SCTP over IPv6", "+-+-+-", &[into(udplite("[2001:db8:ff::7]:9", "[2001:db8::5]:81")), into(udplite("[2001:db8:ff::7]:9", "[2001:db8::5]:82")), into(dccp("[2001:db8:ff::7]:9", "[2001:db8::5]:81")), into(dccp("[2001:db8:ff::7]:9", "[2001:db8::5]:80")), into(sctp("[2001:db8:ff::7]:9", "[2001:db8::5]:82")), into(sctp("[2001:db8:ff::7]:9", "[2001:db8::5]:83"))]);

    under(t, &["ingress IPv4 icmp 8"]);
    t.row("2.2 icmp", "a type is any code of it", "++-", &[icmp4(8, 0), icmp4(8, 7), icmp4(13, 0)]);
    under(t, &["ingress IPv4 icmp 8/0", "ingress IPv4 icmp 0/0"]);
    t.row("2.2 icmp", "type and code", "+-", &[icmp4(8, 0), icmp4(8, 1)]);
    t.row("0.1, 2.2 icmp", "an unasked reply that a rule permits", "+-", &[icmp4(0, 0), icmp4(0, 1)]);
    under(t, &["ingress IPv4 icmp"]);
    t.row("2.2 icmp", "all of ICMP", "+++++", &[icmp4(8, 0), icmp4(0, 0), icmp4(3, 1), icmp4(255, 255), icmp4(42, 0)]);
    under(t, &["ingress IPv4 icmp 255"]);
    t.row("2.2 icmp 255, 0.9", "type 255 of IPv4 is any ICMP", "+++", &[icmp4(8, 0), icmp4(3, 1), icmp4(255, 0)]);
    under(t, &["ingress IPv4 icmp 255/0"]);
    t.row("2.2 icmp 255, 0.9", "type 255 with a code", "++", &[icmp4(8, 3), icmp4(255, 1)]);
    under(t, &["ingress IPv6 ipv6-icmp 255"]);
    t.row("2.2 icmp 255, 0.9", "type 255 of IPv6 is literal", "+-", &[icmp6(255, 0), icmp6(128, 0)]);
    under(t, &["ingress IPv6 ipv6-icmp 128", "ingress IPv6 icmpv6 1/4", "ingress IPv6 ipv6-icmp 129/0"]);
    t.row("2.2 icmpv6", "types and codes of IPv6", "+++-+-", &[icmp6(128, 0), icmp6(128, 9), icmp6(1, 4), icmp6(1, 3), icmp6(129, 0), icmp6(129, 1)]);
    under(t, &["ingress IPv6 icmp"]);
    t.row("2.2 icmpv6", "icmp of an IPv6 rule is ICMPv6", "+++-", &[icmp6(128, 0), icmp6(137, 0), icmp6(143, 0), proto6(1)]);

    under(t, &["ingress IPv4 gre", "ingress IPv4 esp", "ingress IPv4 ah", "ingress IPv4 igmp", "ingress IPv4 vrrp", "ingress IPv4 253", "ingress IPv4 255", "ingress IPv4 ipip", "ingress IPv4 94", "ingress IPv4 pgm", "ingress IPv4 ospf"]);
    t.row("2.2 name, 2.2 number", "protocols by name and number", "+++++++++++", &[proto4(47), proto4(50), proto4(51), proto4(2), proto4(112), proto4(253), proto4(255), proto4(4), proto4(94), proto4(113), proto4(89)]);
    t.row("2.2 number", "their neighbors", "-----", &[proto4(46), proto4(52), proto4(3), proto4(254), proto4(95)]);
    under(t, &["ingress IPv4 egp", "ingress IPv4 rsvp", "ingress IPv4 sctp", "ingress IPv4 dccp", "ingress IPv4 udplite"]);
    t.row("2.2 name", "whole protocols that have ports", "+++-+", &[into(sctp("198.51.100.7:9", "10.0.0.5:1")), into(dccp("198.51.100.7:9", "10.0.0.5:1")), into(udplite("198.51.100.7:9", "10.0.0.5:1")), udp4(1), proto4(46)]);

    under(t, &["ingress IPv6 ipv6-route", "ingress IPv6 ipv6-frag", "ingress IPv6 ipv6-opts", "ingress IPv6 ipv6-nonxt", "ingress IPv6 esp", "ingress IPv6 ah", "ingress IPv6 41", "ingress IPv6 4"]);
    t.row("2.2 header", "an extension header is no protocol", "--", &[into(udp6(9).extension(Extension::Routing)), into(udp6(9).extension(Extension::Destination))]);
    t.row("2.2 last header", "no next header, ESP, IPv6 and IPv4 in IPv6", "++++", &[proto6(59), proto6(50), proto6(41), proto6(4)]);
    t.row("2.2 last header", "AH is where the walk ends", "+", &[into(udp6(9).extension(Extension::Authentication))]);
    under(t, &["ingress IPv6 udp 53"]);
    t.row("2.2 behind headers", "UDP behind extension headers", "+++-", &[into(udp6(53).extension(Extension::HopByHop)), into(udp6(53).extension(Extension::Destination)), into(udp6(53).extension(Extension::Routing)), into(udp6(54).extension(Extension::Destination))]);
    t.row("2.2 behind headers", "UDP behind several", "+", &[into(udp6(53).extension(Extension::HopByHop).extension(Extension::Routing).extension(Extension::Destination))]);
    t.row("2.2 last header", "UDP behind AH", "-", &[into(udp6(53).extension(Extension::Authentication))]);

    under(t, &["ingress IPv4 udp 53 from 10.1.2.3/16", "ingress IPv4 udp 54 from 0.0.0.0/0", "ingress IPv4 udp 55 from 192.0.2.7/32", "ingress IPv4 udp 56 from 10.1.2.3/0"]);
    t.row("2.2 prefix", "host bits do not count", "++--", &[into(udp("10.1.0.0:9", "10.0.0.5:53")), into(udp("10.1.255.255:9", "10.0.0.5:53")), into(udp("10.0.255.255:9", "10.0.0.5:53")), into(udp("10.2.0.0:9", "10.0.0.5:53"))]);
    t.row("2.2 prefix", "/0 is everyone", "++", &[into(udp("203.0.113.1:9", "10.0.0.5:54")), into(udp("203.0.113.1:9", "10.0.0.5:56"))]);
    t.row("2.2 prefix", "one host", "+--", &[into(udp("192.0.2.7:9", "10.0.0.5:55")), into(udp("192.0.2.6:9", "10.0.0.5:55")), into(udp("192.0.2.8:9", "10.0.0.5:55"))]);
    under(t, &["egress IPv4 tcp 443 to 198.51.100.0/24", "egress IPv6 udp 53 to 2001:db8:ff::/48", "egress IPv4 icmp 8 to 203.0.113.0/25"]);
    t.row("2.2 prefix", "of the destination, from the VM", "+---", &[out(tcp("10.0.0.5:9", "198.51.100.255:443").syn()), out(tcp("10.0.0.5:9", "198.51.101.0:443").syn()), out(tcp("10.0.0.5:9", "198.51.100.1:444").syn()), out(udp("10.0.0.5:9", "198.51.100.1:443"))]);
    t.row("2.2 prefix", "IPv6 from the VM", "+--", &[out(udp("[2001:db8::5]:9", "[2001:db8:ff:ffff::1]:53")), out(udp("[2001:db8::5]:9", "[2001:db8:100::1]:53")), out(udp("[2001:db8::5]:9", "[2001:db8:ff::1]:54"))]);
    t.row("2.2 icmp", "echo from the VM", "+-", &[out(icmp_echo("10.0.0.5", "203.0.113.127")), out(icmp_echo("10.0.0.5", "203.0.113.128"))]);
    t.row("2.2 prefix", "an egress rule is none for ingress", "-", &[into(tcp("198.51.100.1:9", "10.0.0.5:443").syn())]);
    under(t, &["ingress IPv6 tcp 22 from 2001:db8:1:2:3:4:5:6/48", "ingress IPv6 tcp 23 from ::/0"]);
    t.row("2.2 prefix", "IPv6 into the VM", "+-+", &[into(tcp("[2001:db8:1:ffff::1]:9", "[2001:db8::5]:22").syn()), into(tcp("[2001:db8:2::1]:9", "[2001:db8::5]:22").syn()), into(tcp("[3fff::1]:9", "[2001:db8::5]:23").syn())]);
    over_ipv6(t);
    outwards(t);
}

/// The same fields in IPv6.
#[rustfmt::skip]
fn over_ipv6(t: &mut Table) {
    let tcp6 = |port: u16| into(tcp("[2001:db8:ff::7]:9", &format!("[2001:db8::5]:{port}")).syn());
    for (rule, name) in [("ingress IPv6", "no protocol, IPv6"), ("ingress IPv6 0", "protocol 0, IPv6"), ("ingress IPv6 hopopt", "hopopt, IPv6"), ("ingress IPv6 any", "any, IPv6")] {
        under(t, &[rule]);
        t.row("2.2 any", name, "++++++-", &[tcp6(1), into(udp6(65535)), icmp6(128, 0), proto6(47), proto6(50), proto6(253), udp4(9)]);
    }
    under(t, &["ingress IPv6 tcp 80", "ingress IPv6 udp 53-54", "ingress IPv6 tcp 65535", "ingress IPv6 udp 1"]);
    t.row("2.2 port, 2.2 range", "ports of IPv6", "-+-+--++-+-", &[tcp6(79), tcp6(80), tcp6(81), tcp6(65535), tcp6(65534), into(udp6(52)), into(udp6(53)), into(udp6(54)), into(udp6(55)), into(udp6(1)), into(udp6(0))]);
    under(t, &["ingress IPv6 gre", "ingress IPv6 253", "ingress IPv6 vrrp", "ingress IPv6 ipv6-encap", "ingress IPv6 ospf", "ingress IPv6 6 81"]);
    t.row("2.2 name, 2.2 number", "protocols of IPv6", "++++++--", &[proto6(47), proto6(253), proto6(112), proto6(41), proto6(89), tcp6(81), proto6(254), tcp6(82)]);
    under(t, &["ingress IPv6 58 128", "ingress IPv6 1 1"]);
    t.row("2.2 icmpv6", "by number, 1 too", "++-", &[icmp6(128, 0), icmp6(1, 0), icmp6(2, 0)]);
    under(t, &["ingress IPv4 icmp 0/0", "ingress IPv4 1 13", "ingress IPv6 ipv6-icmp 0/0"]);
    t.row("2.2 icmp, 2.2 icmpv6", "type 0 and code 0 are values", "+-+-+-", &[icmp4(0, 0), icmp4(0, 3), icmp4(13, 0), icmp4(8, 0), icmp6(0, 0), icmp6(0, 1)]);
    under(t, &["ingress IPv6 udp 53"]);
    t.row("2.2 behind headers", "a fragment header around all of it", "+-", &[into(udp6(53).fragment(5, 0, 999)), into(udp6(54).fragment(6, 0, 999))]);
    under(t, &["ingress IPv4 tcp 80-90", "ingress IPv4 tcp", "ingress IPv4 icmp 8", "ingress IPv4 icmp", "ingress IPv6 udp 53-54", "ingress IPv6 udp"]);
    t.deviation("1.3 v4 3", "half a port, though a later rule permits all of TCP", "-", (27, "+"), &[cut(tcp4(81), 2)]);
    t.deviation("1.3 v4 3", "half a header of ICMP, though a later rule permits all of it", "-", (27, "+"), &[cut(icmp4(13, 0), 4)]);
    t.deviation("1.3 v6 4", "half a port, though a later rule permits all of UDP", "-", (27, "+"), &[cut(into(udp6(55)), 2)]);
    t.deviation("1.3 v4 3, 1.3 v6 4", "the ports but no more of the header", "--", (27, "++"), &[cut(tcp4(81), 10), cut(into(udp6(55)), 4)]);
    under(t, &["ingress IPv6"]);
    t.row("1.3 v6 1", "half of an ICMPv6 header, though a rule permits all", "-", &[cut(into(icmp("2001:db8:ff::7", "2001:db8::5", 128, 0)), 4)]);
    under(t, &["ingress IPv6 udp"]);
    t.row("2.2 behind headers", "seven headers", "+", &[into((0..6).fold(udp6(53).extension(Extension::HopByHop), |packet, _| packet.extension(Extension::Destination)))]);
    t.deviation("2.2 behind headers", "eight headers", "+", (20, "-"), &[into((0..7).fold(udp6(53).extension(Extension::HopByHop), |packet, _| packet.extension(Extension::Destination)))]);
}

/// The same fields in rules for what the VM sends.
#[rustfmt::skip]
fn outwards(t: &mut Table) {
    let (vm, peer) = ("10.0.0.5", "198.51.100.7");
    let (vm6, peer6) = ("2001:db8::5", "2001:db8:ff::7");
    let tcp4 = |port: u16| out(tcp("10.0.0.5:9", &format!("198.51.100.7:{port}")).syn());
    let udp4 = |port: u16| out(udp("10.0.0.5:9", &format!("198.51.100.7:{port}")));
    let udp6 = |port: u16| out(udp("[2001:db8::5]:9", &format!("[2001:db8:ff::7]:{port}")));
    under(t, &["egress IPv4 tcp 80-90", "egress IPv4 udp 53", "egress IPv4 icmp 8/0", "egress IPv4 47", "egress IPv4 sctp 80"]);
    t.row("2.2 port, 2.2 range", "from the VM", "-++--+-", &[tcp4(79), tcp4(80), tcp4(90), tcp4(91), udp4(80), udp4(53), udp4(54)]);
    t.row("2.2 icmp", "from the VM", "+--", &[out(icmp_echo(vm, peer)), out(icmp(vm, peer, 8, 1)), out(icmp(vm, peer, 13, 0))]);
    t.row("2.2 number, 2.2 udplite", "from the VM", "+-+-", &[out(protocol(47, vm, peer).payload(&[0; 24])), out(protocol(50, vm, peer).payload(&[0; 24])), out(sctp("10.0.0.5:9", "198.51.100.7:80")), out(sctp("10.0.0.5:9", "198.51.100.7:81"))]);
    under(t, &["egress IPv4 icmp 255", "egress IPv6 udp 53-54", "egress IPv6 esp", "egress IPv6 ipv6-opts", "egress IPv6 udplite 80"]);
    t.row("2.2 icmp 255", "any ICMP from the VM", "++", &[out(icmp(vm, peer, 13, 0)), out(icmp_echo(vm, peer))]);
    t.row("2.2 port, 2.2 range", "IPv6 from the VM", "-++-", &[udp6(52), udp6(53), udp6(54), udp6(55)]);
    t.row("2.2 last header, 2.2 header", "IPv6 from the VM", "+-", &[out(protocol(50, vm6, peer6).payload(&[0; 24])), out(tcp("[2001:db8::5]:9", "[2001:db8:ff::7]:80").syn().extension(Extension::Destination))]);
    t.row("2.2 udplite", "IPv6 from the VM", "+-", &[out(udplite("[2001:db8::5]:9", "[2001:db8:ff::7]:80")), out(udplite("[2001:db8::5]:9", "[2001:db8:ff::7]:81"))]);
}

/// The packet ends so many bytes into its transport header, and says so.
fn cut(shot: Shot, kept: usize) -> Shot {
    frames(shot, |frame| {
        let v6 = frame[12] == 0x86;
        let header = if v6 { 40 } else { 20 };
        frame.truncate(14 + header + kept);
        let (at, length) = if v6 { (18, kept) } else { (16, header + kept) };
        frame[at..at + 2].copy_from_slice(&(length as u16).to_be_bytes());
        if !v6 {
            sum_header(&mut frame[14..34]);
        }
    })
}

/// Makes the checksum of an IPv4 header without options right.
fn sum_header(header: &mut [u8]) {
    header[10..12].fill(0);
    let sum = etherparse::checksum::Sum16BitWords::new().add_slice(header);
    header[10..12].copy_from_slice(&sum.ones_complement().to_be().to_be_bytes());
}
