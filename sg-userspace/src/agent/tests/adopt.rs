//! Connections that are taken over from the kernel's own tracker.

use std::time::Instant;

use serde_json::json;
use sg_common::{
    conntrack::tcp::State, hook::Hook, layout::flow::Side, layout::settings::ticks, wire::protocol,
};

use super::{show::flow, *};
use crate::{
    error::Error,
    exit::Exit,
    flows::kernel::{KernelFlow, KernelFlows, Progress, Tuple},
    view::AdoptedPort,
};

fn node() -> (Agent, double::Double) {
    let (mut agent, kernel) = agent();
    agent.links(LinkEvent::All(vec![LINK.clone()])).unwrap();
    agent.apply(&inventory(json!({}))).unwrap();
    kernel.kernel().now = 1_000;
    (agent, kernel)
}

/// A TCP connection of WEB1's port 80 in a zone, with the client's port, which tells it from others.
pub(super) fn tracked(zone: u16, client_port: u16) -> KernelFlow {
    let [server, client] = ["10.0.0.5", "198.51.100.7"].map(|address| address.parse().unwrap());
    let tuple = |source, destination, numbers| Tuple {
        source,
        destination,
        numbers,
    };
    KernelFlow {
        zone,
        protocol: protocol::TCP,
        tuples: [
            tuple(client, server, [client_port, 80]),
            tuple(server, client, [80, client_port]),
        ],
        seen_reply: true,
        assured: true,
        dying: false,
        lifetime: 300,
        progress: Progress::Tcp {
            state: State::Established as u8,
            scales: [7, 7],
            flags: [0; 2],
        },
    }
}

fn adopt(agent: &mut Agent, flows: &[KernelFlow], zone: Option<u16>) -> AdoptedPort {
    let kernel = KernelFlows::new(flows.to_vec());
    let adoption = agent.adopting("WEB1").unwrap();
    adoption.run(&kernel, zone, Instant::now()).unwrap()
}

#[test]
fn a_connection_goes_on_with_its_state_and_what_it_had_left() {
    let (mut agent, kernel) = node();
    let report = adopt(&mut agent, &[tracked(4097, 40000)], None);
    assert_eq!(
        (report.adopted, report.zone, report.incomplete),
        (1, Some(4097), false)
    );
    let kernel = kernel.kernel();
    let [(key, flow)] = kernel.flows.iter().collect::<Vec<_>>()[..] else {
        panic!("{} connections", kernel.flows.len());
    };
    assert_eq!((key.local_port, key.remote_port), (80, 40000));
    assert_eq!((flow.word().state(), flow.word().assured()), (3, true));
    assert_eq!(
        flow.side(Hook::ToVm),
        Side::Original,
        "the client has opened it"
    );
    let left = flow.expires - 1_000;
    assert!((ticks(295)..=ticks(300)).contains(&left), "{left}");
}

#[test]
fn what_the_rules_do_not_permit_is_refused() {
    let (mut agent, kernel) = node();
    let mut ssh = tracked(0, 40000);
    ssh.tuples[0].numbers = [40000, 22];
    ssh.tuples[1].numbers = [22, 40000];
    let report = adopt(&mut agent, &[ssh], None);
    let refused: Vec<_> = report.refused.iter().map(|flow| &*flow.reason).collect();
    assert_eq!(
        (report.adopted, refused, report.incomplete),
        (0, vec!["no_rule"], true)
    );
    assert!(kernel.kernel().flows.is_empty());
}

#[test]
fn a_connection_that_was_met_in_the_middle_is_put_right() {
    let (mut agent, kernel) = node();
    let (met, mut flow_) = flow(Hook::FromVm, 40000);
    flow_.expires = u32::MAX / 4;
    let begun = (flow(Hook::FromVm, 40001).0, flow_);
    flow_.change(|word| {
        word.set_liberal(Side::Original, true);
        word.set_liberal(Side::Reply, true);
    });
    let same = flow(Hook::ToVm, 40002);
    kernel.kernel().flows.extend([(met, flow_), begun, same]);
    let flows = [40000, 40001, 40002].map(|port| tracked(0, port));
    let report = adopt(&mut agent, &flows, None);
    assert_eq!((report.adopted, report.existing), (1, 2));
    let kernel = kernel.kernel();
    assert!(!kernel.flows[&met].word().from_vm());
    assert_eq!(kernel.flows[&begun.0], begun.1, "its SYN was seen");
    assert_eq!(kernel.flows[&same.0], same.1);
}

#[test]
fn the_zone_that_is_named_is_taken_and_no_other() {
    let (mut agent, _) = node();
    let flows = [tracked(1, 40000), tracked(2, 40001), tracked(2, 40002)];
    let unclear = adopt(&mut agent, &flows, None);
    assert_eq!(
        (unclear.adopted, unclear.incomplete, unclear.zone),
        (0, true, None)
    );
    let note = unclear.note.unwrap();
    for part in ["1 in zone 1", "2 in zone 2", "--zone"] {
        assert!(note.contains(part), "{note}");
    }
    assert_eq!(adopt(&mut agent, &flows, Some(1)).adopted, 1);
    assert_eq!(adopt(&mut agent, &flows, Some(2)).adopted, 2);
    let wrong = adopt(&mut agent, &flows, Some(3));
    assert!(wrong.incomplete);
    let note = wrong.note.unwrap();
    assert!(note.starts_with("zone 3 has no connection"), "{note}");
}

#[test]
fn nothing_to_adopt_is_explained_and_no_fault() {
    let (mut agent, _) = node();
    let mut other = tracked(0, 40000);
    other.tuples[0].destination = "10.0.0.77".parse().unwrap();
    other.tuples[1].source = "10.0.0.77".parse().unwrap();
    let report = adopt(&mut agent, &[other], None);
    assert_eq!((report.adopted, report.incomplete), (0, false));
    assert!(
        report
            .note
            .unwrap()
            .contains("no connection of its addresses")
    );
}

#[test]
fn the_connections_of_every_address_that_the_vm_may_send_from_are_adopted() {
    let (mut agent, kernel) = node();
    let of = |address: &str| {
        let mut flow = tracked(0, 40000);
        flow.tuples[0].destination = address.parse().unwrap();
        flow.tuples[1].source = address.parse().unwrap();
        flow
    };
    // A fixed one, one of a pair with a MAC of its own, one that is not the port's.
    let flows = ["10.0.0.5", "10.0.9.4", "10.0.8.4"].map(of);
    assert_eq!(adopt(&mut agent, &flows, None).adopted, 2);
    assert_eq!(kernel.kernel().flows.len(), 2);
}

#[test]
fn what_is_dying_has_ended_and_what_is_strange_is_named() {
    let (mut agent, _) = node();
    let dying = KernelFlow {
        dying: true,
        ..tracked(0, 40000)
    };
    let strange = KernelFlow {
        progress: Progress::None,
        ..tracked(0, 40001)
    };
    let report = adopt(&mut agent, &[dying, strange], None);
    assert_eq!(
        (report.adopted, report.expired, report.incomplete),
        (0, 1, true)
    );
    assert!(
        report.not_understood[0].flow.contains("40001"),
        "{report:?}"
    );
}

#[test]
fn a_port_that_tracks_nothing_adopts_nothing() {
    let (mut agent, _) = node();
    let off = inventory(json!({"port_security_enabled": false, "security_groups": []}));
    agent.apply(&off).unwrap();
    let report = adopt(&mut agent, &[tracked(0, 40000)], None);
    assert!(report.note.unwrap().contains("tracks no connections"));
    assert!(agent.adopters().is_empty());
}

#[test]
fn a_port_that_may_send_from_anywhere_has_what_its_zone_has() {
    let (mut agent, _) = node();
    let any = inventory(json!({"fixed_ips": [], "allowed_address_pairs": []}));
    agent.apply(&any).unwrap();
    let unclear = adopt(&mut agent, &[tracked(4097, 40000)], None);
    assert_eq!((unclear.adopted, unclear.incomplete), (0, true));
    assert!(unclear.note.unwrap().contains("--zone"));
    let named = adopt(&mut agent, &[tracked(4097, 40000)], Some(4097));
    assert_eq!(named.adopted, 2, "it may be at either end, as a router is");
}

#[test]
fn the_ports_that_adopt_are_those_that_are_here() {
    let (agent, _) = node();
    assert_eq!(agent.adopters(), [WEB1]);
}

#[test]
fn a_port_without_its_interface_adopts_and_a_closed_one_does_not() {
    let (mut agent, _) = agent();
    agent.apply(&inventory(json!({}))).unwrap();
    assert_eq!(adopt(&mut agent, &[tracked(0, 40000)], None).adopted, 1);
    agent
        .apply(&inventory(json!({"mac_address": "nonsense"})))
        .unwrap();
    let refused = agent.adopting("WEB1").err().expect("it is closed");
    assert!(
        matches!(refused, Error::NoSlot(_)) && refused.exit() == Exit::Failure,
        "{refused}"
    );
}
