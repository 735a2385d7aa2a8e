//! Subports: on the interface of their parent, in a VLAN.

use clap::Parser;
use serde_json::{Value, json};
use sg_common::layout::port::{PortKey, flags};

use super::{fixture::CLIENT, *};
use crate::{
    packet::PacketArgs,
    view::{ExplainRequest, ExplainView, Way},
};

#[derive(Parser)]
struct Words {
    #[command(flatten)]
    packet: PacketArgs,
}

/// The inventory with CLIENT as a subport of WEB1.
pub(crate) fn trunk(vlan: Value) -> Vec<u8> {
    let subport = json!({
        "port_id": CLIENT, "segmentation_id": vlan, "segmentation_type": "vlan",
        "mac_address": "fa:16:3e:00:00:06",
    });
    let web1 = json!({"trunk_details": {"trunk_id": CLIENT, "sub_ports": [subport]}});
    let mut document: Value = serde_json::from_slice(&inventory(web1)).unwrap();
    document["ports"][1]["device"] = Value::Null;
    serde_json::to_vec(&document).unwrap()
}

fn enforcing() -> (Agent, double::Double) {
    let (mut agent, kernel) = agent();
    agent.links(LinkEvent::All(vec![LINK.clone()])).unwrap();
    let report = agent.apply(&trunk(json!(100))).unwrap();
    assert_eq!((report.ports.enforcing, report.faults), (2, vec![]));
    (agent, kernel)
}

fn explain(agent: &mut Agent, port: &str, words: &str) -> ExplainView {
    let words = std::iter::once("explain").chain(words.split(' '));
    let request = ExplainRequest {
        port: port.into(),
        direction: Way::Egress,
        packet: Some(Words::parse_from(words).packet.parse().unwrap()),
        frame: None,
    };
    agent.explain(&request).unwrap()
}

#[test]
fn a_subport_is_enforced_in_its_vlan_beside_its_parent() {
    let (agent, kernel) = enforcing();
    let kernel = kernel.kernel();
    let ports = kernel.state.ports.iter();
    let places: Vec<_> = ports
        .map(|(key, port)| (key.ifindex, key.vlan, port.has(flags::TRUNK)))
        .collect();
    assert_eq!(places, [(7, 0, true), (7, 100, false)]);
    let views = agent.ports();
    let shown: Vec<_> = views
        .iter()
        .map(|view| (&*view.interface, view.vlan))
        .collect();
    assert_eq!(shown, [("tapweb1", None), ("tapweb1", Some(100))]);
}

#[test]
fn a_tap_that_goes_takes_its_subports_with_it_and_brings_them_back() {
    let (mut agent, kernel) = enforcing();
    agent.links(LinkEvent::Gone(7)).unwrap();
    let is_parked = |key: &PortKey| key.is_parked();
    assert!(kernel.kernel().state.ports.keys().all(is_parked));
    assert_eq!(state(&agent, "CLIENT"), PortState::Elsewhere);
    agent.links(present(9, "tapweb1")).unwrap();
    assert_eq!(kernel.places(), [9, 9]);
    assert_eq!(state(&agent, "CLIENT"), PortState::Enforcing);
}

#[test]
fn a_subport_that_moves_to_another_vlan_stays_the_same_port() {
    let (mut agent, kernel) = enforcing();
    let subport = |vlan| {
        let kernel = kernel.kernel();
        let mut ports = kernel.state.ports.values();
        ports.find(|port| port.key.vlan == vlan).copied()
    };
    let before = subport(100).unwrap();
    agent.apply(&trunk(json!(200))).unwrap();
    assert_eq!(subport(100), None);
    let after = subport(200).unwrap();
    assert_eq!(
        (after.slot, after.generation),
        (before.slot, before.generation)
    );
}

#[test]
fn a_subport_with_a_fault_is_closed_and_its_parent_is_not() {
    let (mut agent, kernel) = enforcing();
    let report = agent.apply(&trunk(json!(4095))).unwrap();
    assert_eq!((report.ports.enforcing, report.ports.elsewhere), (1, 1));
    assert_eq!(state(&agent, "CLIENT"), PortState::Elsewhere);
    let places = kernel.kernel().state.ports.len();
    assert_eq!(places, 1, "frames in any VLAN are nobody's");
    let note = agent.port("CLIENT", &[]).unwrap().port.note.unwrap();
    let expected = "trunk_details.sub_ports.segmentation_id is not a VLAN";
    assert!(note.ends_with(expected), "{note}");
}

#[test]
fn a_subport_is_found_by_its_interface_and_vlan() {
    let (mut agent, _) = enforcing();
    let mut name = |reference: &str| agent.port(reference, &[]).map(|found| found.port.name).ok();
    assert_eq!(name("tapweb1").as_deref(), Some("WEB1"));
    assert_eq!(name("tapweb1.100").as_deref(), Some("CLIENT"));
    assert_eq!(name("tapweb1.200"), None);
}

#[test]
fn a_packet_of_a_subport_has_its_tag() {
    let (mut agent, _) = enforcing();
    let own = explain(&mut agent, "CLIENT", "arp 10.0.0.6 10.0.0.1");
    assert_eq!((&*own.port.name, &*own.reason), ("CLIENT", "arp"));
    let parents = explain(&mut agent, "CLIENT", "arp 10.0.0.5 10.0.0.1");
    assert_eq!(parents.reason, "spoofed_arp");
}

#[test]
fn a_tagged_packet_is_explained_by_the_subport_of_its_tag() {
    let (mut agent, _) = enforcing();
    let words = "arp 10.0.0.6 10.0.0.1 --vlan 100";
    let view = explain(&mut agent, "WEB1", words);
    assert_eq!((&*view.port.name, &*view.reason), ("CLIENT", "arp"));
    let words = "arp 10.0.0.5 10.0.0.1 --vlan 200";
    let view = explain(&mut agent, "WEB1", words);
    assert_eq!((&*view.port.name, &*view.reason), ("WEB1", "vlan"));
}
