//! What `sgctl explain` says of a packet in words is what the program does with it.

use clap::Parser;
use serde_json::Value;
use sg_common::hook::Hook;
use sg_tests::inventory::{Inventory, Port, group, port};
use sg_tests::node::Node;
use sg_tests::testrun::{Program, Verdict};
use sg_tests::vm::RawVm;
use sg_userspace::model::Mac;
use sg_userspace::packet::{Ends, PacketArgs, frames};

#[derive(Parser)]
struct Words {
    #[command(flatten)]
    packet: PacketArgs,
}

/// Packets of WEB1, in an order in which each finds the connections of those before it: which way, in words,
/// and the reason of the verdict.
const PACKETS: &[(&str, &str, &str)] = &[
    ("ingress", "tcp 198.51.100.7:40000 10.0.0.5:80", "new"),
    ("ingress", "tcp 198.51.100.7:40000 10.0.0.5:22", "no_rule"),
    (
        "egress",
        "tcp 10.0.0.5:80 198.51.100.7:40000 --flags syn,ack",
        "established",
    ),
    (
        "ingress",
        "icmp 192.0.2.1 10.0.0.5 --type 3 --code 4 --about tcp 10.0.0.5:80 198.51.100.7:40000",
        "related",
    ),
    (
        "ingress",
        "icmp 192.0.2.1 10.0.0.5 --type 3 --code 4 --about tcp 10.0.0.5:80 198.51.100.7:40001",
        "invalid_icmp",
    ),
    (
        "egress",
        "icmp 10.0.0.5 198.51.100.7 --type 3 --code 3 --about tcp 198.51.100.7:40000 10.0.0.5:80",
        "related",
    ),
    ("ingress", "tcp [2001:db8::7]:40000 [2001:db8::5]:80", "new"),
    (
        "ingress",
        "icmp fe80::1 2001:db8::5 --type 2 --about tcp [2001:db8::5]:80 [2001:db8::7]:40000",
        "related",
    ),
    (
        "ingress",
        "icmp fe80::1 2001:db8::5 --type 137 --about tcp [2001:db8::5]:80 [2001:db8::7]:40000",
        "related",
    ),
    (
        "ingress",
        "icmp fe80::1 2001:db8::5 --type 2 --about tcp [2001:db8::5]:81 [2001:db8::7]:40000",
        "invalid_icmp",
    ),
    (
        "ingress",
        "tcp 198.51.100.8:40000 10.0.0.5:80 --flags rst",
        "invalid_permitted",
    ),
    (
        "ingress",
        "tcp 198.51.100.8:40000 10.0.0.5:22 --flags rst",
        "invalid_tcp_state",
    ),
    (
        "ingress",
        "tcp 198.51.100.8:40000 10.0.0.5:22 --flags syn,fin",
        "invalid_tcp_flags",
    ),
    (
        "ingress",
        "udp 198.51.100.9:40000 10.0.0.5:53 --fragment first",
        "new",
    ),
    (
        "ingress",
        "udp 198.51.100.10:40000 10.0.0.5:53 --fragment later",
        "fragment",
    ),
    (
        "ingress",
        "udp 198.51.100.11:40000 10.0.0.5:53 --fragment lone",
        "fragment_unknown",
    ),
    (
        "ingress",
        "udp 198.51.100.12:40000 10.0.0.5:54 --fragment later",
        "fragment_unknown",
    ),
    (
        "ingress",
        "tcp 198.51.100.13:40000 10.0.0.5:80 --fragment later",
        "fragment",
    ),
    (
        "ingress",
        "icmp 198.51.100.14 10.0.0.5 --fragment later",
        "fragment_unknown",
    ),
    (
        "ingress",
        "udp [2001:db8::9]:40000 [2001:db8::5]:53 --fragment later",
        "fragment",
    ),
    (
        "ingress",
        "udp [2001:db8::9]:40000 [2001:db8::6]:53 --fragment lone",
        "fragment_unknown",
    ),
    (
        "egress",
        "udp 10.0.0.5:40000 198.51.100.15:53 --fragment later",
        "fragment",
    ),
    (
        "egress",
        "udp 10.0.0.66:40000 198.51.100.15:53 --fragment first",
        "spoofed_address",
    ),
    ("egress", "arp 10.0.0.5 10.0.0.1", "arp"),
    ("egress", "arp 10.0.0.66 10.0.0.1", "spoofed_arp"),
    (
        "egress",
        "arp 10.0.0.5 10.0.0.1 --sender-mac fa:16:3e:66:66:66",
        "spoofed_arp",
    ),
    (
        "egress",
        "arp 10.9.0.4 10.0.0.1 --src-mac fa:16:3e:00:00:99",
        "arp",
    ),
    ("egress", "arp 10.9.0.4 10.0.0.1", "spoofed_arp"),
    (
        "egress",
        "arp 10.0.0.5 10.0.0.1 --mac fa:16:3e:66:66:66",
        "spoofed_mac",
    ),
    ("ingress", "arp 10.0.0.1 10.0.0.5 --operation reply", "arp"),
    (
        "egress",
        "tcp 10.9.0.4:40000 198.51.100.7:80 --src-mac fa:16:3e:00:00:99",
        "new",
    ),
    (
        "egress",
        "tcp 10.9.0.4:40001 198.51.100.7:80",
        "spoofed_address",
    ),
    ("egress", "udp 10.0.0.5:67 10.0.0.6:68", "dhcp_server"),
    ("egress", "udp 0.0.0.0:68 255.255.255.255:67", "dhcp"),
    ("ingress", "udp 10.0.0.2:67 10.0.0.5:68", "dhcp"),
    ("egress", "icmp 10.0.0.5 198.51.100.7", "new"),
    (
        "ingress",
        "icmp 198.51.100.7 10.0.0.5 --type 0",
        "established",
    ),
    ("ingress", "1 198.51.100.7 10.0.0.5", "no_rule"),
    ("ingress", "icmp fe80::1 ff02::1 --type 134", "icmpv6"),
    (
        "egress",
        "icmp fe80::f816:3eff:fe00:5 ff02::1 --type 134",
        "router_advertisement",
    ),
    (
        "egress",
        "icmp 2001:db8::5 ff02::1 --type 136 --target 2001:db8::66",
        "spoofed_neighbor",
    ),
    ("ingress", "vrrp fe80::f816:3eff:fe00:6 ff02::12", "no_rule"),
    ("egress", "gre 10.0.0.5 198.51.100.7", "new"),
    ("egress", "sctp 10.0.0.5:9 198.51.100.7:9", "new"),
    ("egress", "dccp 10.0.0.5:9 198.51.100.7:9", "new"),
    ("egress", "udplite 10.0.0.5:9 198.51.100.7:9", "new"),
    ("ingress", "gre 198.51.100.7 10.0.0.5", "established"),
];

fn web() -> Port {
    port("WEB1")
        .mac("fa:16:3e:00:00:05")
        .ip("10.0.0.5")
        .ip("2001:db8::5")
        .pair_with_mac("10.9.0.0/24", "fa:16:3e:00:00:99")
        .groups(&["WEB"])
}

fn inventory() -> Inventory {
    let rules = [
        "ingress IPv4 tcp 80",
        "ingress IPv6 tcp 80",
        "ingress IPv4 udp 53",
        "ingress IPv6 udp 53",
        "egress IPv4",
        "egress IPv6",
    ];
    let web_ = rules
        .iter()
        .fold(group("WEB"), |group, rule| group.rule(rule));
    Inventory::new().port(web()).group(web_)
}

#[test]
fn a_packet_in_words_meets_the_verdict_that_its_frame_meets_in_the_kernel() {
    let mut node = Node::new("explained");
    let _vm = RawVm::new(&node, &web());
    node.start(&inventory());
    let interface = web().interface();
    let ifindex = node.netns().ifindex(&interface);
    let program = |hook| Program::attached(node.netns(), &interface, hook);
    let (from_vm, to_vm) = (program(Hook::FromVm), program(Hook::ToVm));
    let count = |way: &str, reason: &str| -> u64 {
        let counters = node.query("counters WEB1");
        counters[0][way][reason]["packets"].as_u64().expect(reason)
    };

    let mut wrong = Vec::new();
    for (way, words, expected) in PACKETS {
        let explained = node.sgctl(&format!("-o json explain --port WEB1 --{way} {words}"));
        let view: Value = serde_json::from_str(&explained.stdout)
            .unwrap_or_else(|e| panic!("{words}: {e}: {}", explained.stderr));
        let (vm, someone) = (
            Mac::parse("fa:16:3e:00:00:05").unwrap(),
            Mac([2, 0, 0, 0, 0, 1]),
        );
        let (program, source, destination) = match *way {
            "egress" => (&from_vm, vm, someone),
            _ => (&to_vm, someone, vm),
        };
        let args = Words::parse_from(std::iter::once("explain").chain(words.split(' ')));
        let frames = frames(
            &args.packet.parse().unwrap(),
            Ends {
                source,
                destination,
            },
        );
        let before = count(way, expected);
        // All of them are run: a later fragment needs its first.
        let verdicts = frames.iter().map(|f| program.run(node.netns(), ifindex, f));
        let verdicts: Vec<_> = verdicts.collect();
        let done = match verdicts.last() {
            Some(Verdict::Accept) => "accept",
            _ => "drop",
        };
        let counted = count(way, expected) - before;
        if view["reason"] != *expected || view["verdict"] != done || counted == 0 {
            wrong.push(format!(
                "{way} {words}: expected {expected}; explained {} {}; the program: {done}, {counted} \
                 of {expected}",
                view["verdict"], view["reason"]
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
