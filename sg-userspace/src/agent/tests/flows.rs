//! Connections that are deleted, or carried to another node.

use std::{
    ops::ControlFlow,
    time::{Duration, SystemTime},
};

use serde_json::json;
use sg_common::{hook::Hook, layout::flow::Word, layout::settings::ticks};

use super::{show::flow, *};
use crate::{
    error::Error,
    exit::Exit,
    flows::{FlowDocument, FlowFilter},
    view::{FlowView, ImportReport},
};

fn node() -> (Agent, double::Double) {
    let (mut agent, kernel) = agent();
    agent.links(LinkEvent::All(vec![LINK.clone()])).unwrap();
    agent.apply(&inventory(json!({}))).unwrap();
    kernel.kernel().now = 1;
    (agent, kernel)
}

/// What a node exports with two connections to port 80 of WEB1 and one that WEB1 has opened.
fn exported() -> FlowDocument {
    let (mut agent, kernel) = node();
    kernel.kernel().flows.extend([
        flow(Hook::ToVm, 40000),
        flow(Hook::ToVm, 40001),
        flow(Hook::FromVm, 40002),
    ]);
    let filter = FlowFilter {
        port: Some("WEB1".into()),
        ..FlowFilter::default()
    };
    agent.flows(filter).unwrap().export().unwrap()
}

fn import(agent: &mut Agent, document: &FlowDocument) -> ImportReport {
    agent
        .imported(document.clone(), None)
        .unwrap()
        .run()
        .unwrap()
}

#[test]
fn connections_are_taken_over_with_their_state() {
    let (mut agent, kernel) = node();
    kernel.kernel().now = 1_000_000;
    let report = import(&mut agent, &exported());
    assert_eq!(report.imported, 3);
    let kernel = kernel.kernel();
    let (key, before) = flow(Hook::ToVm, 40000);
    let after = kernel.flows[&key];
    assert_eq!((after.word().state(), after.word().assured()), (3, true));
    let lived = before.expires - 1 - (after.expires - 1_000_000);
    assert!(lived <= ticks(10), "{lived}");
    assert_eq!(after.generation, 0);
}

#[test]
fn what_the_rules_do_not_permit_is_refused_and_listed() {
    let (mut agent, kernel) = agent();
    agent.links(LinkEvent::All(vec![LINK.clone()])).unwrap();
    agent
        .apply(&inventory(json!({"security_groups": []})))
        .unwrap();
    let report = import(&mut agent, &exported());
    assert_eq!((report.imported, report.refused.len()), (0, 3));
    assert!(report.refused.iter().all(|flow| flow.reason == "no_rule"));
    assert!(kernel.kernel().flows.is_empty());
}

#[test]
fn a_connection_from_an_address_that_is_not_the_ports_is_refused() {
    let (mut agent, _) = agent();
    agent.links(LinkEvent::All(vec![LINK.clone()])).unwrap();
    let moved = inventory(json!({"fixed_ips": [{"ip_address": "10.0.0.77"}]}));
    agent.apply(&moved).unwrap();
    let report = import(&mut agent, &exported());
    let refused: Vec<_> = report
        .refused
        .iter()
        .map(|flow| (flow.flow.remote_port, flow.reason.as_str()))
        .collect();
    assert_eq!(refused, [(40002, "spoofed_address")], "the rest is inbound");
}

#[test]
fn the_connections_of_a_pair_with_a_mac_of_its_own_are_taken_over_too() {
    let (mut agent, kernel) = node();
    let (mut key, flow) = flow(Hook::FromVm, 40002);
    key.local = sg_common::wire::addr::from_v4([10, 0, 9, 4]);
    kernel.kernel().flows.insert(key, flow);
    let filter = FlowFilter {
        port: Some("WEB1".into()),
        ..FlowFilter::default()
    };
    let document = agent.flows(filter).unwrap().export().unwrap();
    kernel.kernel().flows.clear();
    assert_eq!(import(&mut agent, &document).imported, 1);
    let without = inventory(json!({"allowed_address_pairs": []}));
    kernel.kernel().flows.clear();
    agent.apply(&without).unwrap();
    assert_eq!(import(&mut agent, &document).refused.len(), 1);
}

#[test]
fn a_port_that_tracks_nothing_takes_nothing() {
    let (mut agent, _) = agent();
    agent.links(LinkEvent::All(vec![LINK.clone()])).unwrap();
    let off = inventory(json!({"port_security_enabled": false, "security_groups": []}));
    agent.apply(&off).unwrap();
    let report = import(&mut agent, &exported());
    assert!(report.refused.iter().all(|flow| flow.reason == "untracked"));
    assert_eq!(report.refused.len(), 3);
}

#[test]
fn a_connection_that_is_here_stays_as_it_is() {
    let (mut agent, kernel) = node();
    let document = exported();
    let (key, mut here) = flow(Hook::ToVm, 40000);
    here.change(|word| word.set_state(7));
    kernel.kernel().flows.insert(key, here);
    let report = import(&mut agent, &document);
    assert_eq!((report.imported, report.existing), (2, 1));
    assert_eq!(kernel.kernel().flows[&key], here);
    let again = import(&mut agent, &document);
    assert_eq!((again.imported, again.existing), (0, 3));
}

#[test]
fn an_expired_entry_makes_way_for_a_connection() {
    let (mut agent, kernel) = node();
    let (key, mut over) = flow(Hook::ToVm, 40000);
    over.expires = 1;
    kernel.kernel().flows.insert(key, over);
    assert_eq!(import(&mut agent, &exported()).imported, 3);
}

#[test]
fn an_entry_whose_connection_has_ended_is_no_connection() {
    let (mut agent, kernel) = node();
    let (key, mut ended) = flow(Hook::ToVm, 40000);
    ended.word = Word::ENDED.0;
    kernel.kernel().flows.insert(key, ended);
    let filter = FlowFilter {
        port: Some("WEB1".into()),
        ..FlowFilter::default()
    };
    let left = agent.flows(filter).unwrap().export().unwrap();
    assert_eq!(left.flows.len(), 0);
    assert_eq!(import(&mut agent, &exported()).imported, 3);
}

#[test]
fn what_does_not_fit_among_the_assured_can_be_evicted() {
    for (room, quota) in [(2, u32::MAX), (0, 2)] {
        let (mut agent, kernel) = node();
        kernel.kernel().flow_room = room;
        kernel.kernel().settings.assured_per_port = quota;
        let report = import(&mut agent, &exported());
        assert_eq!((report.imported, report.evictable), (3, 1));
        let kernel = kernel.kernel();
        let assured = kernel.flows.values().filter(|flow| flow.word().assured());
        assert_eq!(assured.count(), 2);
    }
}

#[test]
fn connections_that_ended_under_way_are_left_out() {
    let (mut agent, _) = node();
    let mut document = exported();
    let long_ago = SystemTime::now() - Duration::from_secs(101);
    let since = long_ago.duration_since(SystemTime::UNIX_EPOCH).unwrap();
    document.exported_at = since.as_millis() as u64;
    let report = import(&mut agent, &document);
    assert_eq!((report.imported, report.expired), (0, 3));
}

#[test]
fn connections_are_taken_over_before_their_port_has_its_interface() {
    let (mut agent, kernel) = agent();
    let document = exported();
    let error = agent.imported(document.clone(), None).err().unwrap();
    assert_eq!(error.exit(), Exit::NotFound, "{error}");
    assert!(kernel.kernel().flows.is_empty());

    agent
        .apply(&inventory(json!({"security_groups": []})))
        .unwrap();
    let report = import(&mut agent, &document);
    assert_eq!(report.refused.len(), 3, "its policy is known already");
    agent.apply(&inventory(json!({}))).unwrap();
    assert_eq!(import(&mut agent, &document).imported, 3);
    assert_eq!(state(&agent, "WEB1"), PortState::Elsewhere);

    agent.links(LinkEvent::All(vec![LINK.clone()])).unwrap();
    let kernel = kernel.kernel();
    let port = kernel.state.ports.values().next().unwrap();
    assert_eq!((kernel.state.ports.len(), port.key.ifindex), (1, 7));
    assert!(kernel.flows.keys().all(|key| key.slot() == port.slot));
}

#[test]
fn connections_are_exported_after_their_port_has_lost_its_interface() {
    let (mut agent, kernel) = node();
    kernel.kernel().flows.extend([flow(Hook::ToVm, 40000)]);
    agent.links(LinkEvent::Gone(7)).unwrap();
    let filter = || FlowFilter {
        port: Some("WEB1".into()),
        ..FlowFilter::default()
    };
    let export = |agent: &mut Agent| agent.flows(filter()).unwrap().export();
    assert_eq!(export(&mut agent).unwrap().flows.len(), 1);

    let mut restarted = fixture::agent_on(&kernel);
    restarted.links(LinkEvent::All(vec![])).unwrap();
    restarted.apply(&inventory(json!({}))).unwrap();
    assert_eq!(export(&mut restarted).unwrap().flows.len(), 1);

    let empty = serde_json::to_vec(&json!({"ports": [], "security_groups": []})).unwrap();
    restarted.apply(&empty).unwrap();
    assert!(kernel.kernel().state.ports.is_empty());
    restarted.apply(&inventory(json!({}))).unwrap();
    let error = export(&mut restarted).unwrap_err();
    assert!(matches!(error, Error::NoSlot(_)), "{error}");
}

#[test]
fn a_closed_port_takes_no_connections() {
    let (mut agent, _) = agent();
    let document = exported();
    agent
        .apply(&inventory(json!({"fixed_ips": "10.0.0.5"})))
        .unwrap();
    let error = agent.imported(document, None).err().unwrap();
    assert!(matches!(error, Error::NoSlot(_)), "{error}");
}

#[test]
fn the_connections_of_another_port_are_refused() {
    let (mut agent, _) = node();
    let error = agent.imported(exported(), Some("CLIENT")).err().unwrap();
    assert_eq!(error.exit(), Exit::Malformed, "{error}");
    assert!(agent.imported(exported(), Some("tapweb1")).is_ok());
}

#[test]
fn connections_are_deleted_by_filter_and_shown() {
    let (mut agent, kernel) = node();
    let flows = (0..20).map(|number| flow(Hook::ToVm, 40000 + number));
    kernel.kernel().flows.extend(flows);
    let from = |port| FlowFilter {
        sport: Some(port),
        ..FlowFilter::default()
    };
    let mut delete = |filter| {
        let mut deleted = Vec::new();
        let show = |views: Vec<FlowView>| {
            deleted.extend(views.iter().map(|view| view.remote_port));
            ControlFlow::Continue(())
        };
        agent.flows(filter).unwrap().delete(show).unwrap();
        deleted
    };
    assert_eq!(delete(from(40003)), [40003]);
    assert!(delete(from(40003)).is_empty());
    let rest = (40000..40020).filter(|port| *port != 40003);
    assert_eq!(delete(FlowFilter::default()), Vec::from_iter(rest));
    assert!(kernel.kernel().flows.is_empty());
}
