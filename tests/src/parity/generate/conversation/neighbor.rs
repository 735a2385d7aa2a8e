//! What every port may do without a rule, and what none may: DHCP, neighbors, routers, listeners.

use crate::mac::Mac;
use crate::packet::{
    Packet, dhcp_discover, dhcp_offer, dhcpv6_advertise, dhcpv6_solicit, icmp,
    neighbour_advertisement, neighbour_solicitation, protocol, router_advertisement,
    router_solicitation, udp,
};
use crate::parity::generate::talk::FOREIGN_MAC;
use crate::parity::generate::world::{Machine, PAIR_MAC};
use crate::parity::plug::link_local;
use crate::parity::random::Random;
use crate::parity::scenario::{End, Step};

/// The addresses that these packets are about.
struct Names {
    v4: String,
    v6: String,
    link_local: String,
}

pub fn steps(machine: &Machine, random: &mut Random) -> Vec<Step> {
    let address = |family: usize, stranger: &str| {
        let own = machine.addresses[family].last().cloned();
        own.unwrap_or_else(|| stranger.to_owned())
    };
    let names = Names {
        v4: address(0, "10.0.0.66"),
        v6: address(1, "2001:db8::66"),
        link_local: link_local(machine.mac).to_string(),
    };
    let from = |packet: Packet, mac: Mac| Step::send(machine.end, &packet.from_mac(mac));
    let mac = match random.below(100) {
        0..85 => machine.mac,
        85..93 => PAIR_MAC,
        _ => FOREIGN_MAC,
    };
    let to = |packet: Packet| Step::send(End::Fabric, &packet.to_mac(machine.mac));
    match random.below(5) {
        0 => vec![from(dhcp_out(&names, mac, random), mac)],
        1 => vec![to(dhcp_in(&names, random))],
        2 => vec![from(discovery_out(&names, random), mac)],
        3 => vec![to(discovery_in(&names, random))],
        // A lease is renewed.
        _ => {
            let (client, server) = (format!("{}:68", names.v4), "10.0.0.1:67");
            let ask = from(udp(&client, server), mac);
            vec![ask.clone(), to(udp(server, &client)), ask]
        }
    }
}

fn dhcp_out(names: &Names, mac: Mac, random: &mut Random) -> Packet {
    let Names { v4, v6, link_local } = names;
    match random.below(9) {
        0 | 1 => dhcp_discover(mac),
        2 => udp("0.0.0.0:68", "10.0.0.1:67"),
        3 => udp(&format!("{v4}:67"), "10.0.0.1:68"),
        4 => udp("0.0.0.0:67", "255.255.255.255:68"),
        5 => dhcpv6_solicit(link_local),
        6 => dhcpv6_solicit(v6),
        7 => dhcpv6_solicit("::"),
        _ => dhcpv6_advertise(v6, "fe80::1"),
    }
}

fn dhcp_in(names: &Names, random: &mut Random) -> Packet {
    let Names { v4, v6, link_local } = names;
    let server = random.pick(&["10.0.0.1", "203.0.113.1"]);
    match random.below(8) {
        0 => dhcp_offer(server),
        1 => udp(&format!("{server}:67"), &format!("{v4}:68")),
        2 => udp(&format!("{server}:67"), "10.0.0.66:68"),
        3 => udp(&format!("{server}:68"), &format!("{v4}:67")),
        4 => dhcpv6_advertise("fe80::1", link_local),
        5 => dhcpv6_advertise("2001:db8::1", v6),
        6 => dhcpv6_advertise("fe80::1", "2001:db8::66"),
        _ => dhcpv6_advertise("fe80::1", "fe80::99"),
    }
}

fn discovery_out(names: &Names, random: &mut Random) -> Packet {
    let Names { v4, v6, link_local } = names;
    let source = random.pick(&["::", v6, link_local, "2001:db8::66"]);
    match random.below(12) {
        0..3 => neighbour_solicitation(source, random.pick(&[v6.as_str(), "2001:db8::1"])),
        3..6 => {
            let target = random.pick(&[v6, link_local, "2001:db8::66", "2001:db8:9::7"]);
            neighbour_advertisement(random.pick(&[v6, link_local]), target)
        }
        6 => router_solicitation(source),
        7 => router_advertisement(link_local),
        8 => listener(source, random),
        // Too short to hold its target.
        9 => icmp(v6, "ff02::1", 136, 0).payload(&[0; 8]),
        10 => icmp(v6, "ff02::1", random.pick(&[137, 141, 144, 151, 152]), 0).payload(&[0; 40]),
        _ => match random.percent(50) {
            true => udp(&format!("{v4}:5353"), "224.0.0.251:5353"),
            false => protocol(2, v4, "224.0.0.22").payload(&[0x22, 0, 0, 0, 0, 0, 0, 0]),
        },
    }
}

fn discovery_in(names: &Names, random: &mut Random) -> Packet {
    let Names { v6, link_local, .. } = names;
    let source = random.pick(&["fe80::1", "2001:db8::1"]);
    match random.below(10) {
        0 | 1 => neighbour_solicitation(source, v6),
        2 => neighbour_solicitation(source, link_local),
        3 | 4 => neighbour_advertisement(source, "2001:db8::1"),
        5 => router_advertisement(source),
        6 => router_solicitation(source),
        7 => listener(source, random),
        8 => icmp(source, v6, random.pick(&[137, 141, 144, 151]), 0).payload(&[0; 40]),
        _ => {
            let to = ["224.0.0.251:5353", "255.255.255.255:5353"];
            udp("10.0.0.1:5353", random.pick(&to))
        }
    }
}

/// Multicast listeners: queries and reports of both versions.
fn listener(source: &str, random: &mut Random) -> Packet {
    let kind = random.pick(&[130, 131, 132, 143]);
    let to = random.pick(&["ff02::1", "ff02::16", "ff05::2", "2001:db8::1"]);
    icmp(source, to, kind, 0).payload(&[0; 24])
}
