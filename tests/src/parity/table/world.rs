//! Several ports and groups: remote groups, address groups, stateless groups, ports that are not
//! filtered.

use super::{Table, across, back, frames, into, out};
use crate::inventory::{Inventory, Port, group, port};
use crate::packet::{
    icmp, icmp_echo, icmp_echo_reply, icmp_error, neighbour_solicitation, router_advertisement,
    tcp, udp,
};

fn vm1() -> Port {
    port("VM1").ip("10.0.0.5").ip("2001:db8::5").groups(&["G"])
}

fn vm2() -> Port {
    port("VM2").ip("10.0.0.6").ip("2001:db8::6")
}

fn remote() -> Port {
    port("REMOTE").ip("10.0.0.77").ip("2001:db8::77")
}

#[rustfmt::skip]
pub(super) fn rows(t: &mut Table) {
    let members = || group("G").rule("ingress IPv4 udp 53 from group M").rule("ingress IPv6 udp 53 from group M").rule("egress IPv4 udp 53 to group M").rule("ingress IPv4 udp 54 from group G").rule("ingress IPv4 udp 55 from addresses A").rule("ingress IPv6 udp 55 from addresses A").rule("ingress IPv4 udp 56 from group EMPTY");
    let inventory = || Inventory::new().group(members()).group(group("M")).group(group("EMPTY")).address_group("A", &["192.0.2.0/24", "198.51.100.7/32", "2001:db8:1::/48"]);
    t.under(inventory().port(vm1()).port(remote().groups(&["M"]).pair("10.3.0.0/16").pair_with_mac("10.4.0.4", "02:00:00:00:00:04").with("device_owner", "compute:other").with("status", "DOWN")));
    t.row("1.4 member anywhere, 2.2 remote group", "a member's fixed addresses", "++", &[into(udp("10.0.0.77:9", "10.0.0.5:53")), into(udp("[2001:db8::77]:9", "[2001:db8::5]:53"))]);
    t.row("1.4 member anywhere", "a member's pairs, whatever their MAC", "+++-", &[into(udp("10.3.0.0:9", "10.0.0.5:53")), into(udp("10.3.255.255:9", "10.0.0.5:53")), into(udp("10.4.0.4:9", "10.0.0.5:53")), into(udp("10.4.0.5:9", "10.0.0.5:53"))]);
    t.row("2.2 remote group", "another port of a member's rule", "-", &[into(udp("10.0.0.77:9", "10.0.0.5:54"))]);
    t.row("2.2 remote group", "the destination, from the VM", "+-", &[out(udp("10.0.0.5:9", "10.0.0.77:53")), out(udp("10.0.0.5:9", "10.0.0.78:53"))]);
    t.row("2.2 remote group", "a group names itself", "+-", &[into(udp("10.0.0.5:9", "10.0.0.5:54")), into(udp("10.0.0.6:9", "10.0.0.5:54"))]);
    t.row("1.4 no member", "a group without members matches nothing", "-", &[into(udp("10.0.0.77:9", "10.0.0.5:56"))]);
    t.row("2.2 address group", "its addresses", "+++--", &[into(udp("192.0.2.0:9", "10.0.0.5:55")), into(udp("198.51.100.7:9", "10.0.0.5:55")), into(udp("[2001:db8:1:ffff::1]:9", "[2001:db8::5]:55")), into(udp("198.51.100.8:9", "10.0.0.5:55")), into(udp("[2001:db8:2::1]:9", "[2001:db8::5]:55"))]);
    t.under(inventory().port(vm1()).port(remote().groups(&["M"]).pair("0.0.0.0/0").pair("::/0")));
    t.row("2.2 remote group", "a member with a pair of all addresses", "++", &[into(udp("203.0.113.1:9", "10.0.0.5:53")), into(udp("[3fff::1]:9", "[2001:db8::5]:53"))]);
    t.under(inventory().port(vm1()).port(remote().groups(&["M"]).with("port_security_enabled", false)));
    t.row("1.4 member anywhere", "a member that is not filtered itself", "+", &[into(udp("10.0.0.77:9", "10.0.0.5:53"))]);

    let pair = |rules: &[&str]| {
        let two = rules.iter().fold(group("H"), |group, rule| group.rule(rule));
        Inventory::new().group(group("G").default_egress()).group(two).port(vm1()).port(vm2().groups(&["H"]))
    };
    t.under(pair(&["ingress IPv4 tcp 80 from group G"]));
    t.row("1.2 v4 6", "both have to permit", "+-", &[across(tcp("10.0.0.5:9", "10.0.0.6:80").syn()), across(tcp("10.0.0.5:9", "10.0.0.6:81").syn())]);
    t.row("1.2 v4 5, 1.3 v4 1", "an answer passes both", "+++", &[across(tcp("10.0.0.5:9", "10.0.0.6:80").syn()), back(tcp("10.0.0.6:80", "10.0.0.5:9").syn_ack().sequence(5, 1)), across(tcp("10.0.0.5:9", "10.0.0.6:80").ack().sequence(1, 6))]);
    t.row("1.2 v4 6", "the other way nothing is permitted", "-", &[back(tcp("10.0.0.6:9", "10.0.0.5:80").syn())]);
    t.row("1.2 v4 6", "the refused SYN leaves an entry at its sender", "-+", &[across(tcp("10.0.0.5:9", "10.0.0.6:81").syn()), into(tcp("10.0.0.6:81", "10.0.0.5:9").syn_ack().sequence(5, 1))]);

    for field in [("port_security_enabled", serde_json::json!(false)), ("device_owner", serde_json::json!("network:dhcp"))] {
        let row = if field.0 == "device_owner" { "1.4 trusted" } else { "1.4 security off" };
        t.under(Inventory::new().group(group("G")).group(group("H")).port(vm1().groups(&[]).with(field.0, field.1)).port(vm2().groups(&["H"])));
        t.row(row, "everything passes, spoofed too", "+++++", &[out(udp("10.0.0.5:9", "198.51.100.7:9")), out(udp("203.0.113.1:9", "198.51.100.7:9").from_mac("02:00:00:00:00:66")), into(udp("198.51.100.7:9", "10.0.0.5:9")), out(router_advertisement("fe80::99")), out(udp("10.0.0.5:67", "10.0.0.9:68"))]);
        t.row(row, "everything of IPv6 passes, spoofed too", "+++", &[out(udp("[2001:db8::66]:9", "[2001:db8:ff::7]:9").from_mac("02:00:00:00:00:66")), into(udp("[2001:db8:ff::7]:9", "[2001:db8::5]:9")), into(router_advertisement("fe80::1"))]);
        t.deviation(row, "a malformed packet", "-", (25, "+"), &[frames(out(udp("10.0.0.5:9", "198.51.100.7:9")), |frame| frame[14] = 0x55)]);
        t.deviation(row, "a later fragment alone, both ways", "--", (12, "++"), &[out(udp("10.0.0.5:9", "198.51.100.7:9").payload(&[7; 200]).fragment(91, 104, 999)), into(udp("198.51.100.7:9", "10.0.0.5:9").payload(&[7; 200]).fragment(92, 104, 999))]);
        t.row(row, "a filtered neighbor stays filtered", "-", &[across(udp("10.0.0.5:9", "10.0.0.6:9"))]);
        t.row(row, "tagged frames pass, but into no filtered neighbor", "++", &[out(udp("10.0.0.5:9", "198.51.100.7:9").vlan(7)), into(udp("198.51.100.7:9", "10.0.0.5:9").vlan(7))]);
    }
    stateless(t);
}

#[rustfmt::skip]
fn stateless(t: &mut Table) {
    let g = || group("G").stateless();
    t.under(Inventory::new().group(g().rule("egress IPv4").rule("ingress IPv4 tcp 80").rule("egress IPv6 udp")).port(vm1()));
    t.row("2.3 reply", "an answer needs a rule", "+-", &[out(udp("10.0.0.5:9", "198.51.100.7:53")), into(udp("198.51.100.7:53", "10.0.0.5:9"))]);
    t.row("2.3 reply", "and passes with one", "++", &[into(tcp("198.51.100.7:9", "10.0.0.5:80").syn()), out(tcp("10.0.0.5:80", "198.51.100.7:9").syn_ack())]);
    t.row("2.3 flags", "any flags", "++++", &[into(tcp("198.51.100.7:9", "10.0.0.5:80").ack()), into(tcp("198.51.100.7:9", "10.0.0.5:80").rst()), into(tcp("198.51.100.7:9", "10.0.0.5:80").syn().fin()), into(tcp("198.51.100.7:9", "10.0.0.5:80"))]);
    t.row("2.3 related", "an ICMP error needs a rule", "+-", &[out(udp("10.0.0.5:9", "198.51.100.7:53")), into(icmp_error("198.51.100.1", 3, 4, &udp("10.0.0.5:9", "198.51.100.7:53")))]);
    t.row("2.3 reply", "an echo reply of IPv6 needs a rule", "+-", &[out(icmp_echo("2001:db8::5", "2001:db8:ff::7")), into(icmp_echo_reply("2001:db8:ff::7", "2001:db8::5"))]);
    t.row("2.3 built-ins", "the built-ins remain", "+++", &[into(neighbour_solicitation("fe80::1", "2001:db8::5")), into(router_advertisement("fe80::1")), into(udp("10.0.0.1:67", "10.0.0.5:68"))]);
    t.row("2.3 built-ins", "the spoof check remains", "-", &[out(udp("10.0.0.66:9", "198.51.100.7:53").from_mac("fa:16:3e:00:00:05"))]);
    t.row("2.3 fragments, 0.10", "fragments in order", "+", &[super::together(vec![into(tcp("198.51.100.7:9", "10.0.0.5:80").ack().payload(&[0; 100]).fragment(71, 0, 64)), into(tcp("198.51.100.7:9", "10.0.0.5:80").ack().payload(&[0; 100]).fragment(71, 64, 999))])]);
    let two = |one: crate::inventory::Group, other: crate::inventory::Group| Inventory::new().group(one).group(other).port(vm1().groups(&["G", "H"]));
    t.under(Inventory::new().group(g().rule("egress IPv6 udp").rule("ingress IPv6 tcp 80").rule("ingress IPv6 ipv6-icmp 129")).port(vm1()));
    t.row("2.3 reply", "IPv6: each direction by its rules", "+-+-", &[out(udp("[2001:db8::5]:9", "[2001:db8:ff::7]:53")), into(udp("[2001:db8:ff::7]:53", "[2001:db8::5]:9")), into(tcp("[2001:db8:ff::7]:9", "[2001:db8::5]:80").ack()), out(tcp("[2001:db8::5]:80", "[2001:db8:ff::7]:9").ack())]);
    t.row("2.3 reply", "an echo reply of IPv6 with a rule", "++", &[out(icmp_echo("2001:db8::5", "2001:db8:ff::7")), into(icmp_echo_reply("2001:db8:ff::7", "2001:db8::5"))]);
    t.row("2.3 fragments, 0.10", "of IPv6", "+-", &[super::together(vec![into(tcp("[2001:db8:ff::7]:9", "[2001:db8::5]:80").ack().payload(&[0; 100]).fragment(72, 0, 64)), into(tcp("[2001:db8:ff::7]:9", "[2001:db8::5]:80").ack().payload(&[0; 100]).fragment(72, 64, 999))]), into(tcp("[2001:db8:ff::7]:9", "[2001:db8::5]:80").ack().payload(&[0; 100]).fragment(73, 64, 999))]);
    t.under(two(g().rule("egress IPv4"), group("H").rule("ingress IPv4 tcp 80")));
    t.row("2.3 first rule, 0.8", "the first group decides: stateless", "+-", &[out(udp("10.0.0.5:9", "198.51.100.7:53")), into(udp("198.51.100.7:53", "10.0.0.5:9"))]);
    t.under(two(group("G").rule("egress IPv4"), group("H").stateless().rule("ingress IPv4 tcp 80")));
    t.row("2.3 first rule, 0.8", "the first group decides: stateful", "++", &[out(udp("10.0.0.5:9", "198.51.100.7:53")), into(udp("198.51.100.7:53", "10.0.0.5:9"))]);
    t.under(two(g(), group("H").stateless().rule("egress IPv4")));
    t.row("2.3 empty first, 0.8", "a first group without rules is stateful", "++", &[out(udp("10.0.0.5:9", "198.51.100.7:53")), into(udp("198.51.100.7:53", "10.0.0.5:9"))]);
    t.under(Inventory::new().group(g().rule("egress IPv4")).group(group("H").rule("ingress IPv4")).port(vm1()).port(vm2().groups(&["H"])));
    t.row("2.3 mix", "a stateless and a stateful port", "+-", &[across(tcp("10.0.0.5:9", "10.0.0.6:80").syn()), back(tcp("10.0.0.6:80", "10.0.0.5:9").syn_ack())]);
    t.under(Inventory::new().group(g().rule("egress IPv4").rule("ingress IPv4 icmp 3")).port(vm1()));
    t.row("2.3 related", "an ICMP error with a rule", "+", &[into(icmp("198.51.100.1", "10.0.0.5", 3, 4).payload(&[0; 28]))]);
}
