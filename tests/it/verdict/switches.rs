//! What the operator can have as iptables has it: off by default, and one thing each.

use sg_common::layout::settings::switch;
use sg_common::reason::Accept::{Fragment, Icmpv6, New, Tagged};
use sg_common::reason::DropReason::{
    FragmentUnknown, NoRule, OtherFamilySource, SpoofedAddress, SpoofedMac, SpoofedNeighbor, Vlan,
};
use sg_tests::inventory::{Port, port};
use sg_tests::packet::{neighbour_advertisement, tcp, udp};
use sg_tests::verdict::{Scene, check_alone, port_in, web, web_port};

const EGRESS: [&str; 2] = ["egress IPv4", "egress IPv6"];
const FOREIGN: &str = "fa:16:3e:66:66:66";

/// The scene as it is, and with a switch; what comes after is for both.
fn both(switch: u32, scene: impl Fn() -> Scene) -> (Scene, Scene) {
    (scene(), scene().switched(switch))
}

#[test]
fn sources_of_a_family_without_addresses_may_pass() {
    let single = || -> Port { port("WEB1").ip("10.0.0.5").groups(&["WEB"]) };
    let own = single().mac_address();
    let other = || udp("[2001:db8::66]:1", "[2001:db8:7::7]:2").from_mac(own);
    let (off, on) = both(switch::OTHER_FAMILY, || port_in(single(), &EGRESS));
    check_alone(&[
        off.from_vm(other(), OtherFamilySource),
        on.from_vm(other(), New)
            .from_vm(other().from_mac(FOREIGN), SpoofedMac)
            .from_vm(
                udp("10.0.0.66:1", "10.0.0.7:2").from_mac(own),
                SpoofedAddress,
            ),
        web(&EGRESS)
            .switched(switch::OTHER_FAMILY)
            .from_vm(other(), SpoofedAddress),
    ]);
}

#[test]
fn tagged_frames_may_pass() {
    let (off, on) = both(switch::TAGGED, || web(&[]));
    let out = || tcp("10.0.0.66:40000", "198.51.100.7:80").syn().vlan(100);
    let into = || tcp("198.51.100.7:40000", "10.0.0.66:80").syn().vlan(100);
    let own = web_port().mac_address();
    check_alone(&[
        off.from_vm(out().from_mac(own), Vlan).to_vm(into(), Vlan),
        on.from_vm(out().from_mac(own), Tagged)
            .from_vm(out().from_mac(FOREIGN), SpoofedMac)
            .to_vm(into(), Tagged)
            // A priority tag names no VLAN: the frame is the port's.
            .to_vm(
                tcp("198.51.100.7:40000", "10.0.0.5:80").syn().vlan(0),
                NoRule,
            ),
    ]);
}

#[test]
fn any_neighbor_may_be_advertised() {
    let own = web_port().mac_address();
    let (off, on) = both(switch::ANY_NEIGHBOR, || web(&[]));
    let lie = || neighbour_advertisement("2001:db8::5", "2001:db8::66").from_mac(own);
    let spoofed = neighbour_advertisement("2001:db8::66", "2001:db8::66").from_mac(own);
    check_alone(&[
        off.from_vm(lie(), SpoofedNeighbor),
        on.from_vm(lie(), Icmpv6).from_vm(spoofed, SpoofedAddress),
    ]);
}

#[test]
fn fragments_may_come_before_their_first_if_their_protocol_may() {
    let later = || {
        udp("198.51.100.7:40000", "10.0.0.5:53")
            .payload(&[7; 3000])
            .fragment(1, 1480, 3008)
    };
    let switch = switch::FRAGMENTS_UNORDERED;
    let (off, on) = both(switch, || web(&["ingress IPv4 udp"]));
    check_alone(&[
        off.to_vm(later(), FragmentUnknown),
        on.to_vm(later(), Fragment),
        web(&["ingress IPv4 udp 53"])
            .switched(switch)
            .to_vm(later(), NoRule),
    ]);
}
