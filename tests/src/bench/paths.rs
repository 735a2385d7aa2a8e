//! The ways a packet goes through the filter, by name: what is measured and what has to come out.

use sg_common::hook::Hook;

use crate::inventory::{Inventory, Port, group, port};
use crate::packet::{Packet, arp_request, dhcp_discover, icmp_error, tcp, udp};
use crate::testrun::Verdict;

/// The addresses of the VM and of who talks to it, by family.
const ENDS: [(&str, &str, &str); 2] = [
    ("IPv4", "10.0.0.5", "198.51.100.7"),
    ("IPv6", "[2001:db8::5]", "[2001:db8:9::7]"),
];

/// A timestamp as all stacks align it (RFC 7323 appendix A), and one block acknowledged selectively
/// beside it.
const TIMESTAMP: [u8; 12] = [1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 1];
const SELECTIVE: [u8; 24] = [
    1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 1, 1, 1, 5, 10, 0, 0, 16, 0, 0, 0, 32, 0,
];

/// A way through the filter.
pub struct Path {
    /// What it is, for people.
    pub name: String,
    /// Where the packet is met.
    pub hook: Hook,
    /// What becomes of it.
    pub verdict: Verdict,
    /// What goes before it, once.
    pub before: Vec<(Hook, Vec<u8>)>,
    /// The packet.
    pub frames: Frames,
}

/// The packets of a way.
pub enum Frames {
    /// The same one over and over.
    Same(Vec<u8>),
    /// Each time another one: of a flow that was never seen.
    New(Box<dyn Fn(u32) -> Vec<u8>>),
}

/// The port that all of it is about.
#[must_use]
pub fn server() -> Port {
    port("WEB1")
        .ip("10.0.0.5")
        .ip("2001:db8::5")
        .groups(&["WEB_SERVERS"])
}

/// Its groups: web and a range of UDP in, everything out.
#[must_use]
pub fn inventory() -> Inventory {
    let group = group("WEB_SERVERS")
        .rule("ingress IPv4 tcp 80 from 0.0.0.0/0")
        .rule("ingress IPv6 tcp 80 from ::/0")
        .rule("ingress IPv4 udp 53 from 0.0.0.0/0")
        .rule("ingress IPv6 udp 53 from ::/0")
        .default_egress();
    Inventory::new().port(server()).group(group)
}

/// Every way.
#[must_use]
pub fn all() -> Vec<Path> {
    let mut paths = Vec::new();
    for (family, vm, peer) in ENDS {
        of_family(&mut paths, family, vm, peer);
        first(&mut paths, family, vm, peer);
    }
    rare(&mut paths);
    paths
}

fn of_family(paths: &mut Vec<Path>, family: &str, vm: &str, peer: &str) {
    let mut add = |name: &str, to: u16, packet: &dyn Fn(Packet) -> Packet, vlan: bool| {
        let tagged = |packet: Packet| if vlan { packet.vlan(0) } else { packet };
        let (server, client) = (format!("{vm}:80"), format!("{peer}:{to}"));
        let inward = || tagged(tcp(&client, &server).sequence(100, 500).window(8_000));
        let outward = || tagged(tcp(&server, &client).sequence(500, 100).window(8_000));
        let before = vec![
            (Hook::ToVm, inward().sequence(99, 0).syn().bytes()),
            (Hook::FromVm, outward().sequence(499, 100).syn_ack().bytes()),
            (Hook::ToVm, inward().ack().bytes()),
            (Hook::FromVm, outward().ack().bytes()),
        ];
        for (hook, frame) in [
            (Hook::ToVm, packet(inward().ack())),
            (Hook::FromVm, packet(outward().ack())),
        ] {
            paths.push(Path {
                name: format!("{name}, {family}"),
                hook,
                verdict: Verdict::Accept,
                before: before.clone(),
                frames: Frames::Same(frame.bytes()),
            });
        }
    };
    add("established tcp", 40_000, &|p| p, false);
    add(
        "established tcp, timestamp",
        40_001,
        &|p| p.tcp_options(&TIMESTAMP),
        false,
    );
    add(
        "established tcp, selective",
        40_002,
        &|p| p.tcp_options(&SELECTIVE),
        false,
    );
    add("established tcp, priority tag", 40_003, &|p| p, true);
    add("fin", 40_004, &|p| p.fin(), false);
    add("rst", 40_005, &|p| p.rst(), false);
    let (server, client) = (format!("{vm}:53"), format!("{peer}:40000"));
    let (asks, answers) = (udp(&client, &server).bytes(), udp(&server, &client).bytes());
    for hook in [Hook::ToVm, Hook::FromVm] {
        let frame = if hook == Hook::ToVm { &asks } else { &answers };
        paths.push(Path {
            name: format!("established udp, {family}"),
            hook,
            verdict: Verdict::Accept,
            before: vec![(Hook::ToVm, asks.clone()), (Hook::FromVm, answers.clone())],
            frames: Frames::Same(frame.clone()),
        });
    }
    let about = tcp(&format!("{vm}:80"), &format!("{peer}:40000")).ack();
    let mut error = |kind, code| {
        paths.push(Path {
            name: format!("icmp error, {family}"),
            hook: Hook::ToVm,
            verdict: Verdict::Accept,
            before: Vec::new(),
            frames: Frames::Same(
                icmp_error(peer.trim_matches(['[', ']']), kind, code, &about).bytes(),
            ),
        });
    };
    match family {
        "IPv4" => error(3, 4),
        _ => error(2, 0),
    }
}

/// Packets of no connection: refused, spoofed or new.
fn first(paths: &mut Vec<Path>, family: &str, vm: &str, peer: &str) {
    let wide = family == "IPv6";
    let same = |name: &str, hook, packet: Packet| Path {
        name: format!("{name}, {family}"),
        hook,
        verdict: Verdict::Drop,
        before: Vec::new(),
        frames: Frames::Same(packet.bytes()),
    };
    let (closed, client) = (format!("{vm}:81"), format!("{peer}:41000"));
    paths.push(same("refused syn", Hook::ToVm, tcp(&client, &closed).syn()));
    paths.push(same("refused udp", Hook::ToVm, udp(&client, &closed)));
    paths.push(same("stray ack", Hook::ToVm, tcp(&client, &closed).ack()));
    let stranger = if wide {
        "[2001:db8::6]:9"
    } else {
        "10.0.0.6:9"
    };
    let spoofed = udp(stranger, &client).from_mac(server().mac_address());
    paths.push(same("spoofed", Hook::FromVm, spoofed));
    let (open, vm) = (format!("{vm}:80"), vm.to_owned());
    let port = |number: u32| 1024 + number % 60_000;
    let address = move |number: u32| match wide {
        false => format!("198.51.{}.{}", 100 + number / 60_000 % 100, 7),
        true => format!("[2001:db8:9::{:x}]", 7 + number / 60_000),
    };
    paths.push(Path {
        name: format!("new tcp, {family}"),
        hook: Hook::ToVm,
        verdict: Verdict::Accept,
        before: Vec::new(),
        frames: Frames::New(Box::new(move |number| {
            tcp(&format!("{}:{}", address(number), port(number)), &open)
                .syn()
                .bytes()
        })),
    });
    paths.push(Path {
        name: format!("new tcp, {family}"),
        hook: Hook::FromVm,
        verdict: Verdict::Accept,
        before: Vec::new(),
        frames: Frames::New(Box::new(move |number| {
            let from = format!("{vm}:{}", port(number));
            tcp(&from, &format!("{}:443", address(number)))
                .syn()
                .bytes()
        })),
    });
}

fn rare(paths: &mut Vec<Path>) {
    let datagram = || udp("198.51.100.7:40000", "10.0.0.5:53").payload(&[0; 1_200]);
    let mut add = |name: &str, hook, before: Vec<(Hook, Vec<u8>)>, frame: Vec<u8>| {
        paths.push(Path {
            name: name.to_owned(),
            hook,
            verdict: Verdict::Accept,
            before,
            frames: Frames::Same(frame),
        });
    };
    let first = datagram().fragment(7, 0, 600).bytes();
    let later = datagram().fragment(7, 600, 1_208).bytes();
    add(
        "later fragment, IPv4",
        Hook::ToVm,
        vec![(Hook::ToVm, first)],
        later,
    );
    let discover = dhcp_discover(server().mac_address()).bytes();
    add("dhcp, IPv4", Hook::FromVm, Vec::new(), discover);
    let request = arp_request("10.0.0.5", "10.0.0.1").bytes();
    add("arp", Hook::FromVm, Vec::new(), request.clone());
    add("arp", Hook::ToVm, Vec::new(), request);
}
