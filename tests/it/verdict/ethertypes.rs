//! Neither IP nor ARP: what passes, and what only looks like it.

use sg_common::layout::settings::{ethertypes::LENGTH, switch};
use sg_common::reason::Accept::{Arp, Ethertype, New, Tagged, Unfiltered};
use sg_common::reason::DropReason::{Encapsulated, RefusedEthertype, SpoofedMac, Vlan};
use sg_tests::packet::{BRIDGE_TUNNEL, Packet, RFC_1042, arp_request, ether, icmp_echo, tcp, udp};
use sg_tests::verdict::{Scene, check_alone, port_in, web, web_port};

const EVERYTHING: [&str; 4] = ["ingress IPv4", "ingress IPv6", "egress IPv4", "egress IPv6"];
const FOREIGN: &str = "fa:16:3e:66:66:66";

/// Harmless packets: an echo to the own address, ARP for it.
fn harmless() -> [Packet; 3] {
    [
        icmp_echo("10.0.0.5", "10.0.0.5"),
        icmp_echo("2001:db8::5", "2001:db8::5"),
        arp_request("10.0.0.5", "10.0.0.5"),
    ]
}

#[test]
fn ip_and_arp_behind_llc_fall_both_ways() {
    let mut scene = web(&EVERYTHING);
    for packet in harmless() {
        for llc in [
            RFC_1042,
            BRIDGE_TUNNEL,
            [0xab, 0x42, 0x13, 0, 0, 0],
            [0x06, 0x06, 3, 0x45, 0, 0],
            [0x98, 0x98, 3, 0, 1, 8],
        ] {
            let hidden = packet.clone().llc(llc);
            let priority = hidden.clone().vlan(0);
            let mut jumbo = hidden.bytes();
            jumbo[12..14].copy_from_slice(&[0x88, 0x70]);
            let mut wrong = hidden.bytes();
            wrong[12..14].copy_from_slice(&[0, 3]);
            for frame in [hidden.bytes(), priority.bytes(), jumbo, wrong] {
                scene = scene
                    .from_vm(frame.clone(), Encapsulated)
                    .to_vm(frame, Encapsulated);
            }
        }
    }
    check_alone(&[scene]);
}

#[test]
fn ip_behind_llc_passes_only_where_all_that_carries_it_passes() {
    let hidden = || icmp_echo("10.0.0.5", "10.0.0.5").llc(RFC_1042);
    let trusted = web_port().groups(&[]).with("port_security_enabled", false);
    check_alone(&[
        port_in(trusted, &[])
            .from_vm(hidden(), Unfiltered)
            .to_vm(hidden(), Unfiltered),
        web(&[])
            .from_vm(hidden().vlan(100), Vlan)
            .to_vm(hidden().vlan(100), Vlan),
        web(&[])
            .switched(switch::TAGGED)
            .from_vm(hidden().vlan(100), Tagged)
            .to_vm(hidden().vlan(100), Tagged),
    ]);
}

/// Spanning tree, RARP and EAPOL, both ways, and each from another MAC.
fn others(scene: Scene, expected: [bool; 3]) -> Scene {
    let own = web_port().mac_address();
    let kinds: [(u16, &[u8]); 3] = [
        (38, &[0x42, 0x42, 3, 0, 0, 0, 0, 0]),
        (0x8035, &[0; 46]),
        (0x888e, &[1, 1, 0, 0]),
    ];
    let mut scene = scene;
    for ((kind, payload), passes) in kinds.into_iter().zip(expected) {
        let sent = ether(kind, own, payload);
        let came = ether(kind, FOREIGN, payload);
        scene = match passes {
            true => scene.from_vm(sent, Ethertype).to_vm(came, Ethertype),
            false => scene
                .from_vm(sent, RefusedEthertype)
                .to_vm(came, RefusedEthertype),
        };
        scene = scene.from_vm(ether(kind, FOREIGN, payload), SpoofedMac);
    }
    scene
}

#[test]
fn the_operator_says_which_ethertypes_pass() {
    let full: Vec<u16> = (0x9001..0x9010).chain([0x888e]).collect();
    check_alone(&[
        others(web(&[]), [true, true, true]),
        others(web(&[]).ethertypes(&[]), [false, false, false]),
        others(web(&[]).ethertypes(&[0x8035]), [false, true, false]),
        others(web(&[]).ethertypes(&[LENGTH, 0x8035]), [true, true, false]),
        others(web(&[]).ethertypes(&full), [false, false, true]),
    ]);
}

#[test]
fn ip_and_arp_are_no_matter_of_it() {
    check_alone(&[web(&["egress IPv4", "egress IPv6"])
        .ethertypes(&[])
        .from_vm(tcp("10.0.0.5:40000", "198.51.100.7:80").syn(), New)
        .from_vm(udp("[2001:db8::5]:1", "[2001:db8:7::7]:2"), New)
        .from_vm(arp_request("10.0.0.5", "10.0.0.7"), Arp)
        .from_vm(
            icmp_echo("10.0.0.5", "10.0.0.5").llc(RFC_1042),
            Encapsulated,
        )]);
}
