//! Changes under established connections.

use super::{Table, change, into, out};
use crate::inventory::{Group, Inventory, Port, group, port};
use crate::packet::{tcp, udp};

fn vm1() -> Port {
    port("VM1").ip("10.0.0.5").ip("2001:db8::5").groups(&["G"])
}

fn with(rules: &[&str]) -> Inventory {
    Inventory::new()
        .group(
            rules
                .iter()
                .fold(group("G"), |group, rule| group.rule(rule)),
        )
        .port(vm1())
}

#[rustfmt::skip]
pub(super) fn rows(t: &mut Table) {
    let (web, ssh, dns) = ("ingress IPv4 tcp 80", "ingress IPv4 tcp 22", "ingress IPv4 udp 53");
    let (c, s) = ("198.51.100.7:9", "10.0.0.5:80");
    t.under(with(&[ssh]));
    t.row("3.2 rule added", "a rule is added", "-.+", &[into(tcp(c, s).syn()), change(with(&[ssh, web])), into(tcp(c, s).syn())]);
    t.under(with(&[ssh, web]));
    t.row("3.2 rule deleted", "a rule is removed under its connection", "+++.--", &[into(tcp(c, s).syn().sequence(100, 0)), out(tcp(s, c).syn_ack().sequence(500, 101)), into(tcp(c, s).ack().sequence(101, 501)), change(with(&[ssh])), into(tcp(c, s).ack().sequence(101, 501)), out(tcp(s, c).ack().sequence(501, 101))]);
    t.row("3.2 rule deleted, 0.7", "another rule's connection goes on, the client's packet first", "++.++", &[into(tcp(c, "10.0.0.5:22").syn().sequence(100, 0)), out(tcp("10.0.0.5:22", c).syn_ack().sequence(500, 101)), change(with(&[ssh])), into(tcp(c, "10.0.0.5:22").ack().sequence(101, 501)), out(tcp("10.0.0.5:22", c).ack().sequence(501, 101))]);
    t.deviation("3.2 rule deleted, 0.7", "another rule's connection goes on, the VM's packet first", "++.-", (9, "++.+"), &[into(tcp(c, "10.0.0.5:22").syn().sequence(100, 0)), out(tcp("10.0.0.5:22", c).syn_ack().sequence(500, 101)), change(with(&[ssh])), out(tcp("10.0.0.5:22", c).ack().sequence(501, 101))]);
    t.row("3.2 rule deleted", "a connection that another rule still permits", "++.+", &[into(tcp(c, s).syn().sequence(100, 0)), out(tcp(s, c).syn_ack().sequence(500, 101)), change(with(&[ssh, "ingress IPv4 tcp 80-90"])), into(tcp(c, s).ack().sequence(101, 501))]);
    t.under(with(&[dns, "egress IPv4 tcp"]));
    t.row("3.2 rule deleted", "an egress rule is removed under its connection", "++.--", &[out(tcp("10.0.0.5:9", "198.51.100.7:80").syn().sequence(100, 0)), into(tcp("198.51.100.7:80", "10.0.0.5:9").syn_ack().sequence(500, 101)), change(with(&[dns])), out(tcp("10.0.0.5:9", "198.51.100.7:80").ack().sequence(101, 501)), into(tcp("198.51.100.7:80", "10.0.0.5:9").ack().sequence(501, 101))]);

    let members = |members: &[&str]| {
        let base = Inventory::new().group(group("G").rule("ingress IPv4 udp 53 from group M")).group(group("M")).port(vm1());
        members.iter().fold(base, |inventory, ip| inventory.port(port(ip).ip(ip).groups(&["M"])))
    };
    t.under(members(&["10.0.0.77"]));
    t.row("3.2 member added", "a member joins", "-.++", &[into(udp("10.0.0.78:9", "10.0.0.5:53")), change(members(&["10.0.0.77", "10.0.0.78"])), into(udp("10.0.0.78:9", "10.0.0.5:53")), into(udp("10.0.0.77:9", "10.0.0.5:53"))]);
    t.under(members(&["10.0.0.77", "10.0.0.78"]));
    t.row("3.2 member removed", "a member leaves under its connection", "++.--", &[into(udp("10.0.0.78:9", "10.0.0.5:53")), out(udp("10.0.0.5:53", "10.0.0.78:9")), change(members(&["10.0.0.77"])), out(udp("10.0.0.5:53", "10.0.0.78:9")), into(udp("10.0.0.78:9", "10.0.0.5:53"))]);
    t.row("3.2 member removed", "the other member's connection goes on", "+.+", &[into(udp("10.0.0.77:9", "10.0.0.5:53")), change(members(&["10.0.0.77"])), out(udp("10.0.0.5:53", "10.0.0.77:9"))]);

    let addresses = |addresses: &[&str]| Inventory::new().group(group("G").rule("ingress IPv4 udp 53 from addresses A")).address_group("A", addresses).port(vm1());
    t.under(addresses(&["192.0.2.7/32", "192.0.2.8/32"]));
    t.deviation("3.2 address removed", "an address leaves an address group under its connection", "++.++", (10, "++.--"), &[into(udp("192.0.2.7:9", "10.0.0.5:53")), out(udp("10.0.0.5:53", "192.0.2.7:9")), change(addresses(&["192.0.2.8/32"])), out(udp("10.0.0.5:53", "192.0.2.7:9")), into(udp("192.0.2.7:9", "10.0.0.5:53"))]);
    t.row("3.2 address removed", "an address leaves: no new connections", "+.-", &[into(udp("192.0.2.8:9", "10.0.0.5:53")), change(addresses(&["192.0.2.8/32"])), into(udp("192.0.2.7:9", "10.0.0.5:53"))]);

    let pairs = |pair: &[&str]| Inventory::new().group(group("G").default_egress()).port(pair.iter().fold(vm1(), |port, pair| port.pair(pair)));
    let from_pair = || udp("10.0.0.99:9", "198.51.100.7:53").from_mac("fa:16:3e:00:00:05");
    t.under(pairs(&[]));
    t.row("1.2 v4 2", "a pair is added", "-.+", &[out(from_pair()), change(pairs(&["10.0.0.99"])), out(from_pair())]);
    t.under(pairs(&["10.0.0.99"]));
    t.row("3.2 pair removed", "a pair is removed: its packets fall", "++.-", &[out(from_pair()), into(udp("198.51.100.7:53", "10.0.0.99:9")), change(pairs(&[])), out(from_pair())]);
    t.deviation("3.2 pair removed", "a pair is removed: what answers it", "+.+", (10, "+.-"), &[out(from_pair()), change(pairs(&[])), into(udp("198.51.100.7:53", "10.0.0.99:9"))]);

    let groups = |names: &[&str]| {
        let rule = |name: &str, rule: &str| -> Group { group(name).rule(rule) };
        Inventory::new().group(rule("G", ssh)).group(rule("H", web)).port(vm1().groups(names))
    };
    t.under(groups(&["G", "H"]));
    t.row("3.2 group lost", "a port loses a group", "++.--", &[into(tcp(c, s).syn().sequence(100, 0)), out(tcp(s, c).syn_ack().sequence(500, 101)), change(groups(&["G"])), out(tcp(s, c).ack().sequence(501, 101)), into(tcp(c, s).ack().sequence(101, 501))]);
    t.under(groups(&["G"]));
    t.row("3.2 group gained", "a port gains a group", "-.+", &[into(tcp(c, s).syn()), change(groups(&["G", "H"])), into(tcp(c, s).syn())]);

    let secured = |on: bool| Inventory::new().group(group("G").rule(web)).port(if on { vm1() } else { vm1().groups(&[]).with("port_security_enabled", false) });
    t.under(secured(true));
    t.row("3.2 security", "port security goes off", "-.++", &[into(udp(c, s)), change(secured(false)), into(udp(c, s)), out(udp(s, c))]);
    t.under(secured(false));
    t.row("3.2 security", "port security comes on", "+.-+", &[into(udp(c, s)), change(secured(true)), into(udp(c, s)), into(tcp(c, s).syn())]);
    t.under(secured(true));
    t.row("3.2 security", "port security off and on: the connection still has its rule", "+..+", &[into(tcp(c, s).syn().sequence(100, 0)), change(secured(false)), change(secured(true)), into(tcp(c, s).ack().sequence(101, 501))]);

    let stateless = |rules: &[&str]| Inventory::new().group(rules.iter().fold(group("G").stateless(), |group, rule| group.rule(rule))).port(vm1());
    t.under(stateless(&[]));
    t.deviation("2.3 sticks", "a stateless group gets its first rule", "-.++", (33, "-.+-"), &[out(udp("10.0.0.5:9", "198.51.100.7:53")), change(stateless(&["egress IPv4"])), out(udp("10.0.0.5:9", "198.51.100.7:53")), into(udp("198.51.100.7:53", "10.0.0.5:9"))]);

    let named = |present: bool| {
        let base = Inventory::new().port(vm1()).port(port("REMOTE").ip("10.0.0.77").groups(if present { &["M"] } else { &[] }));
        if present { base.group(group("G").rule("ingress IPv4 udp 53 from group M")).group(group("M")) } else { base.group(group("G")) }
    };
    t.under(named(true));
    t.row("1.4 group deleted", "a remote group goes, and its rules with it", "+.--", &[into(udp("10.0.0.77:9", "10.0.0.5:53")), change(named(false)), out(udp("10.0.0.5:53", "10.0.0.77:9")), into(udp("10.0.0.77:9", "10.0.0.5:53"))]);
    t.under(with(&[ssh]));
    t.deviation("3.2 port removed", "nothing filters the tap of a port that is gone", "-.+", (5, "-.-"), &[into(udp(c, s)), change(Inventory::new().group(group("G"))), into(udp(c, s))]);
    t.under(with(&["ingress IPv6 tcp 80", "ingress IPv6 tcp 22"]));
    let (c6, s6) = ("[2001:db8:ff::7]:9", "[2001:db8::5]:80");
    t.row("3.2 rule deleted", "IPv6: a rule is removed under its connection", "++.--", &[into(tcp(c6, s6).syn().sequence(100, 0)), out(tcp(s6, c6).syn_ack().sequence(500, 101)), change(with(&["ingress IPv6 tcp 22"])), into(tcp(c6, s6).ack().sequence(101, 501)), out(tcp(s6, c6).ack().sequence(501, 101))]);
    t.under(with(&[web, "egress IPv4 tcp"]));
    t.deviation("3.2 rule deleted", "the VM goes on with a connection whose rule is gone, as a new one", "++.-+", (11, "++.--"), &[into(tcp(c, s).syn().sequence(100, 0)), out(tcp(s, c).syn_ack().sequence(500, 101)), change(with(&["egress IPv4 tcp"])), into(tcp(c, s).ack().sequence(101, 501)), out(tcp(s, c).ack().sequence(501, 101))]);
}
