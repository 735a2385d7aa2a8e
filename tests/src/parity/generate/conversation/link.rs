//! What is not IP, or hides it: ARP, tags, other ethertypes.

use crate::mac::Mac;
use crate::packet::{
    BRIDGE_TUNNEL, DOT1AD, DOT1Q, Packet, RFC_1042, arp_reply, arp_request, ether, tcp, udp,
};
use crate::parity::generate::talk::FOREIGN_MAC;
use crate::parity::generate::world::{Machine, PAIR_MAC};
use crate::parity::random::Random;
use crate::parity::scenario::{End, Step};

const BROADCAST: Mac = Mac::BROADCAST;

/// Nearest-customer-bridge address (IEEE 802.1Q), to which LLDP goes.
const LLDP: Mac = Mac([0x01, 0x80, 0xc2, 0, 0, 0x0e]);

/// IPv4 of a spoofed source in a PPPoE session.
const SESSION: [u8; 28] = [
    0x11, 0, 0, 1, 0, 22, 0, 0x21, 0x45, 0, 0, 20, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 66, 198, 51,
    100, 7,
];

pub fn steps(machine: &Machine, random: &mut Random) -> Vec<Step> {
    let from_vm = random.percent(60);
    let mac = match random.below(100) {
        0..70 => machine.mac,
        70..85 => PAIR_MAC,
        _ => FOREIGN_MAC,
    };
    let (source, destination) = match from_vm {
        true => (mac, random.pick(&[BROADCAST, FOREIGN_MAC, LLDP])),
        false => (FOREIGN_MAC, random.pick(&[BROADCAST, machine.mac, LLDP])),
    };
    let packet = match random.below(100) {
        0..45 => arp(machine, from_vm, random),
        45..65 => tagged(machine, random),
        _ => other(random),
    };
    let packet = match random.percent(10) {
        true => packet.llc(random.pick(&[RFC_1042, BRIDGE_TUNNEL])),
        false => packet,
    };
    let mut bytes = packet.from_mac(source).to_mac(destination).bytes();
    if bytes[12..14] == [0x08, 0x06] {
        spoil_arp(&mut bytes, source, random);
    }
    let end = if from_vm { machine.end } else { End::Fabric };
    vec![Step::frames(end, vec![bytes])]
}

/// For the machine's own addresses, others', and for none.
fn arp(machine: &Machine, from_vm: bool, random: &mut Random) -> Packet {
    let own = machine.addresses[0].first().cloned();
    let own = own.unwrap_or_else(|| "10.0.0.66".to_owned());
    let (own, other) = (own.as_str(), "10.0.0.1");
    let sender = match (from_vm, random.below(100)) {
        (true, 0..60) => own,
        (true, 60..75) => random.pick(&["10.0.0.99", "10.9.0.200", "10.8.0.2"]),
        (true, 75..85) => "0.0.0.0",
        (true, _) => "10.0.0.66",
        (false, _) => random.pick(&[other, "0.0.0.0", own]),
    };
    let target = random.pick(&[own, other, "10.0.0.66", sender]);
    match random.percent(50) {
        true => arp_request(sender, target),
        false => arp_reply(sender, target),
    }
}

/// The sender's MAC is that of the frame, most of the time; some are no ARP of IPv4 over Ethernet.
fn spoil_arp(bytes: &mut Vec<u8>, source: Mac, random: &mut Random) {
    bytes[22..28].copy_from_slice(&source.0);
    match random.below(100) {
        0..8 => bytes[22..28].copy_from_slice(&FOREIGN_MAC.0),
        // IEEE 802 instead of Ethernet.
        8..12 => bytes[15] = 6,
        12..15 => bytes.truncate(30),
        15..18 => bytes[21] = 9,
        _ => bytes.resize(60, 0),
    }
}

fn tagged(machine: &Machine, random: &mut Random) -> Packet {
    let own = machine.addresses[0].first().cloned();
    let own = own.unwrap_or_else(|| "10.0.0.66".to_owned());
    let inner = match random.below(4) {
        0 => arp_request("10.0.0.66", "10.0.0.1"),
        1 => udp("[2001:db8::66]:9", "[2001:db8:ff::7]:9"),
        2 => udp(&format!("{own}:9"), "198.51.100.7:9"),
        _ => tcp("198.51.100.7:9", &format!("{own}:80")).syn(),
    };
    let id = random.pick(&[0, 1, 7, 4094]);
    match random.below(4) {
        0 => inner.tag(DOT1AD, id),
        1 => inner.tag(DOT1AD, id).tag(DOT1Q, 9),
        // With a priority.
        2 => inner.tag(DOT1Q, 0xa000 | id),
        _ => inner.vlan(id),
    }
}

fn other(random: &mut Random) -> Packet {
    // LLDP, EAPOL, RARP, IPX, MPLS, PPPoE discovery, AoE, FCoE, local experiments, IEEE 802.3 with LLC.
    let kinds = [
        0x88cc, 0x888e, 0x8035, 0x8137, 0x8847, 0x8863, 0x88a2, 0x8906, 0x88b6, 0x0026,
    ];
    match random.percent(20) {
        true => ether(0x8864, BROADCAST, &SESSION),
        false => ether(random.pick(&kinds), BROADCAST, &[0; 46]),
    }
}
