//! A trunk: a parent and two subports behind one interface, the tags in the frames.

use serde_json::{Value, json};
use sg_common::layout::settings::switch;
use sg_common::reason::Accept::{Arp, Established, New, Unfiltered};
use sg_common::reason::DropReason::{NoRule, SpoofedAddress, SpoofedArp, SpoofedMac, Vlan};
use sg_tests::inventory::{Port, group, port};
use sg_tests::packet::{DOT1AD, Packet, arp_request, tcp, udp};
use sg_tests::verdict::{Scene, check, check_alone, port_in, web_port};

/// WEB1, 10.0.0.5, which serves 80, with BLUE, 10.1.0.5, in VLAN 100, which serves 443 to group GUESTS
/// and asks anything, and RED, 10.2.0.5, in VLAN 200, which may nothing.
fn trunk() -> Scene {
    trunk_of(web_port())
}

fn trunk_of(parent: Port) -> Scene {
    let parent = parent.with("trunk_details", details(&[(blue(), 100), (red(), 200)]));
    let serves_guests = group("BLUE")
        .rule("ingress IPv4 tcp 443 from group GUESTS")
        .rule("egress IPv4");
    port_in(parent, &["ingress IPv4 tcp 80", "egress IPv4"])
        .beside(blue())
        .beside(red())
        .beside(port("GUEST").ip("10.1.0.7").groups(&["GUESTS"]))
        .group(serves_guests)
        .group(group("RED"))
        .group(group("GUESTS"))
}

fn blue() -> Port {
    port("BLUE").ip("10.1.0.5").groups(&["BLUE"])
}

fn red() -> Port {
    port("RED").ip("10.2.0.5").groups(&["RED"])
}

fn details(subports: &[(Port, u16)]) -> Value {
    let subports = subports.iter().map(|(port, vlan)| {
        json!({
            "port_id": port.id(), "mac_address": port.mac_address().to_string(),
            "segmentation_id": vlan, "segmentation_type": "vlan",
        })
    });
    json!({"trunk_id": web_port().id(), "sub_ports": subports.collect::<Vec<_>>()})
}

fn syn(from: &str, to: &str) -> Packet {
    tcp(&format!("{from}:40000"), to).syn()
}

#[test]
fn each_port_of_a_trunk_has_the_rules_of_its_own_groups() {
    check(&[trunk()
        .to_vm(syn("10.0.0.7", "10.0.0.5:80"), New)
        .to_vm(syn("10.0.0.7", "10.0.0.5:443"), NoRule)
        .to_vm(syn("10.1.0.7", "10.1.0.5:443").vlan(100), New)
        .to_vm(syn("10.1.0.8", "10.1.0.5:443").vlan(100), NoRule)
        .to_vm(syn("10.1.0.7", "10.1.0.5:80").vlan(100), NoRule)
        .to_vm(syn("10.0.0.7", "10.2.0.5:80").vlan(200), NoRule)
        .from_vm(syn("10.0.0.5", "198.51.100.7:80"), New)
        .from_vm(syn("10.1.0.5", "198.51.100.7:80").vlan(100), New)
        .from_vm(syn("10.2.0.5", "198.51.100.7:80").vlan(200), NoRule)
        .from_vm(arp_request("10.2.0.5", "10.2.0.1").vlan(200), Arp)]);
}

#[test]
fn nobody_of_a_trunk_sends_as_another() {
    let own = blue().mac_address();
    check_alone(&[trunk()
        .from_vm(syn("10.1.0.5", "198.51.100.7:80"), SpoofedMac)
        .from_vm(syn("10.0.0.5", "198.51.100.7:80").vlan(100), SpoofedMac)
        .from_vm(
            syn("10.0.0.5", "198.51.100.7:80").vlan(100).from_mac(own),
            SpoofedAddress,
        )
        .from_vm(syn("10.1.0.5", "198.51.100.7:80").vlan(200), SpoofedMac)
        .from_vm(
            arp_request("10.0.0.5", "10.1.0.1").vlan(100).from_mac(own),
            SpoofedArp,
        )]);
}

#[test]
fn a_tag_that_names_no_subport_is_dropped_and_one_that_names_no_vlan_is_the_parents() {
    let stranger = || syn("10.0.0.7", "10.0.0.5:80").vlan(300);
    check_alone(&[
        trunk()
            .to_vm(stranger(), Vlan)
            .from_vm(syn("10.0.0.5", "198.51.100.7:80").vlan(300), Vlan)
            .to_vm(syn("10.0.0.7", "10.0.0.5:80").vlan(0), New)
            .to_vm(syn("10.0.0.7", "10.0.0.5:443").vlan(0), NoRule),
        trunk().switched(switch::TAGGED).to_vm(stranger(), Vlan),
    ]);
}

#[test]
fn a_second_tag_is_dropped_whatever_it_says() {
    let guest = || syn("10.1.0.7", "10.1.0.5:443");
    check_alone(&[trunk()
        .to_vm(guest().vlan(100).vlan(100), Vlan)
        .to_vm(guest().vlan(100).vlan(0), Vlan)
        .to_vm(guest().tag(DOT1AD, 100).vlan(100), Vlan)
        .from_vm(syn("10.1.0.5", "198.51.100.7:80").vlan(100).vlan(200), Vlan)]);
}

#[test]
fn subports_of_a_parent_without_port_security_are_filtered() {
    let open = web_port().with("port_security_enabled", false);
    check_alone(&[trunk_of(open)
        .from_vm(syn("10.0.0.66", "198.51.100.7:80"), Unfiltered)
        .from_vm(syn("10.0.0.66", "198.51.100.7:80").vlan(300), Vlan)
        .from_vm(syn("10.1.0.66", "198.51.100.7:80").vlan(100), SpoofedMac)
        .to_vm(syn("10.1.0.7", "10.1.0.5:80").vlan(100), NoRule)]);
}

#[test]
fn a_connection_belongs_to_one_port_of_a_trunk() {
    // Networks may overlap: all three have the same MAC and address.
    let twin = |name: &str| port(name).ip("10.0.0.5").groups(&["WEB"]);
    let twins = [(twin("BLUE"), 100), (twin("RED"), 200)];
    let parent = web_port().with("trunk_details", details(&twins));
    let [(blue, _), (red, _)] = twins;
    let query = || udp("10.0.0.5:40000", "198.51.100.7:53");
    let answer = || udp("198.51.100.7:53", "10.0.0.5:40000");
    check_alone(&[port_in(parent, &["egress IPv4"])
        .beside(blue)
        .beside(red)
        .in_order()
        .from_vm(query().vlan(100), New)
        .to_vm(answer(), NoRule)
        .to_vm(answer().vlan(200), NoRule)
        .to_vm(answer().vlan(100), Established)
        .from_vm(query(), New)
        .to_vm(answer(), Established)
        .to_vm(answer().vlan(200), NoRule)]);
}

#[test]
fn the_addresses_of_a_subport_are_members_of_its_groups() {
    let parent = web_port().with("trunk_details", details(&[(blue(), 100)]));
    check_alone(&[port_in(parent, &["ingress IPv4 tcp 80 from group BLUE"])
        .beside(blue())
        .group(group("BLUE"))
        .to_vm(syn("10.1.0.5", "10.0.0.5:80"), New)
        .to_vm(syn("10.1.0.6", "10.0.0.5:80"), NoRule)]);
}

#[test]
fn a_subport_that_leaves_its_trunk_is_closed() {
    let alone = web_port().with("trunk_details", details(&[(red(), 200)]));
    let without = port_in(alone, &["ingress IPv4 tcp 80", "egress IPv4"])
        .beside(blue())
        .beside(red())
        .group(group("BLUE").rule("egress IPv4"))
        .group(group("RED"));
    let out = || syn("10.1.0.5", "198.51.100.7:80").vlan(100);
    check_alone(&[trunk()
        .from_vm(out(), New)
        .now(without)
        .from_vm(out(), Vlan)]);
}

#[test]
fn a_subport_with_a_fault_is_closed_and_the_others_are_not() {
    let mut faulty = details(&[(blue(), 100), (red(), 200)]);
    faulty["sub_ports"][1]["segmentation_type"] = json!("inherit");
    let parent = web_port().with("trunk_details", faulty);
    check_alone(&[port_in(parent, &["ingress IPv4 tcp 80"])
        .beside(blue())
        .beside(red())
        .group(group("BLUE").rule("egress IPv4"))
        .group(group("RED").rule("egress IPv4"))
        .despite_faults()
        .from_vm(syn("10.1.0.5", "198.51.100.7:80").vlan(100), New)
        .from_vm(syn("10.2.0.5", "198.51.100.7:80").vlan(200), Vlan)
        .to_vm(syn("10.0.0.7", "10.0.0.5:80"), New)]);
}
