//! What is shown of a port.

use std::{collections::BTreeMap, ops::ControlFlow};

use serde_json::json;
use sg_common::{
    hook::Hook,
    layout::flow::{Flow, FlowKey, Whose},
    wire::addr::Family,
};

use super::*;
use crate::{
    flows::FlowFilter,
    view::{Outcome, PortDetail, StageView, Way},
};

pub fn flow(hook: Hook, remote_port: u16) -> (FlowKey, Flow) {
    let v4 = sg_common::wire::addr::from_v4;
    let key = FlowKey::new(
        Whose::new(1, 6, Family::V4, false),
        [v4([10, 0, 0, 5]), v4([198, 51, 100, 7])],
        [80, remote_port],
    );
    let mut flow = Flow::new(hook, 1, 0);
    flow.expires = sg_common::layout::settings::ticks(100);
    flow.change(|word| {
        word.set_state(3);
        word.set_assured(true);
    });
    (key, flow)
}

fn shown() -> (PortDetail, Agent) {
    let (mut agent, kernel) = agent();
    agent.links(LinkEvent::All(vec![LINK.clone()])).unwrap();
    agent.apply(&inventory(json!({}))).unwrap();
    let mut kernel = kernel.kernel();
    kernel.counts.insert(1, counted());
    kernel.now = 1;
    kernel.flows = BTreeMap::from([
        flow(Hook::ToVm, 40000),
        flow(Hook::ToVm, 40001),
        flow(Hook::FromVm, 40002),
    ]);
    let mut revoked = flow(Hook::ToVm, 40003);
    revoked.1.change(|word| word.set_revoked(true));
    let mut expired = flow(Hook::ToVm, 40004);
    expired.1.expires = 1;
    kernel.flows.extend([revoked, expired]);
    drop(kernel);
    let flows = agent.flows(FlowFilter::default()).unwrap().all().unwrap();
    (agent.port("WEB1", &flows).unwrap(), agent)
}

fn stage<'a>(stages: &'a [StageView], name: &str) -> &'a StageView {
    stages.iter().find(|stage| stage.stage == name).expect(name)
}

#[test]
fn each_stage_has_the_packets_it_decided() {
    let (detail, _) = shown();
    assert_eq!(stage(&detail.ingress, "rules").count.packets, 2);
    assert_eq!(stage(&detail.ingress, "established").count.packets, 40);
    assert_eq!(stage(&detail.ingress, "otherwise").count.packets, 3);
    assert_eq!(stage(&detail.egress, "source_address").count.packets, 1);
    assert_eq!(
        stage(&detail.egress, "source_address").outcome,
        Outcome::Drop
    );
    assert_eq!(detail.counters.ingress["no_rule"].packets, 3);
    assert_eq!(detail.counters.egress["spoofed_address"].bytes, 60);
}

#[test]
fn each_rule_has_the_live_connections_that_it_permits() {
    let (detail, _) = shown();
    let held = |stages: &[StageView]| -> Vec<(String, u64)> {
        let rules = stage(stages, "rules").rules.iter();
        rules.map(|rule| (rule.text.clone(), rule.flows)).collect()
    };
    assert_eq!(
        held(&detail.ingress),
        [
            ("IPv4 tcp 80 from anyone".into(), 2),
            ("IPv4 tcp 443 from anyone".into(), 0),
            ("IPv4 icmp from 10.0.0.0/8".into(), 0),
            ("IPv4 any protocol from group WEB_SERVERS".into(), 0),
        ]
    );
    assert_eq!(
        held(&detail.egress),
        [
            ("IPv4 any protocol to anyone".into(), 1),
            ("IPv6 any protocol to anyone".into(), 0)
        ]
    );
}

#[test]
fn the_stages_say_what_they_compare_with() {
    let (detail, _) = shown();
    assert_eq!(
        stage(&detail.egress, "source_mac").values,
        ["fa:16:3e:00:00:05", "fa:16:3e:00:00:99"]
    );
    assert_eq!(
        stage(&detail.egress, "source_address").values,
        [
            "10.0.0.5",
            "2001:db8::5",
            "10.0.9.0/24 via fa:16:3e:00:00:99",
            "fe80::f816:3eff:fe00:5"
        ]
    );
}

#[test]
fn live_connections_are_listed_from_their_vms_side() {
    let (_, mut agent) = shown();
    let mut flows = Vec::new();
    let reader = agent.flows(FlowFilter::default()).unwrap();
    reader
        .views(|page| {
            flows.extend(page);
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!(flows.len(), 4, "one has expired");
    let first = &flows[0];
    assert_eq!((first.port.as_str(), first.direction), (WEB1, Way::Ingress));
    assert_eq!(
        (first.local.to_string(), first.local_port),
        ("10.0.0.5".into(), 80)
    );
    assert_eq!(
        (first.remote.to_string(), first.remote_port),
        ("198.51.100.7".into(), 40000)
    );
    assert_eq!(
        (first.protocol.as_str(), first.state.as_str()),
        ("tcp", "ESTABLISHED")
    );
    assert!(first.assured && !first.revoked && (98..=100).contains(&first.expires));
    assert!(flows[3].revoked);
}

#[test]
fn a_port_that_is_not_filtered_shows_that_and_nothing_else() {
    let (mut agent, _) = agent();
    agent.links(LinkEvent::All(vec![LINK.clone()])).unwrap();
    agent
        .apply(&inventory(json!({"device_owner": "network:dhcp"})))
        .unwrap();
    let detail = agent.port("WEB1", &[]).unwrap();
    assert_eq!(detail.port.state, PortState::Unfiltered);
    assert_eq!(detail.port.note.as_deref(), Some("trusted: network:dhcp"));
    let only = |stages: &[StageView]| (stages.len(), stages[0].stage.clone());
    assert_eq!(only(&detail.ingress), (1, "unfiltered".into()));
}
