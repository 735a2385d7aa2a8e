//! The ports of the node at one moment.

use std::collections::BTreeMap;

use serde_json::json;
use sg_common::hook::Hook;

use super::{show::flow, *};
use crate::view::{AssuredView, Count, GroupName, PortSample, PortState};

fn ports(agent: &mut Agent) -> Vec<PortSample> {
    agent.look();
    agent.sampler().unwrap().read().unwrap().ports
}

#[test]
fn a_sample_has_what_was_counted_at_the_ports_that_are_here_and_no_zeros() {
    let (mut agent, kernel) = agent();
    agent.links(LinkEvent::All(vec![LINK.clone()])).unwrap();
    agent.apply(&inventory(json!({}))).unwrap();
    kernel.kernel().counts.insert(1, counted());
    kernel.kernel().flows = BTreeMap::from([flow(Hook::ToVm, 40000)]);
    let ports = ports(&mut agent);
    let [web1] = ports.as_slice() else {
        panic!("CLIENT has no interface here: {ports:?}");
    };
    assert_eq!(web1.counted.port, WEB1);
    assert_eq!(web1.counted.interface, "tapweb1");
    assert_eq!(web1.state, PortState::Enforcing);
    let group = GroupName {
        id: WEB_SERVERS.into(),
        name: "WEB_SERVERS".into(),
    };
    assert_eq!(web1.security_groups, [group]);
    assert_eq!(web1.zone, Some(1));
    let quota = kernel.kernel().settings.assured_per_port;
    let held = AssuredView {
        assured: 1,
        quota: Some(quota),
    };
    assert_eq!(web1.connections, Some(held));
    let ingress = &web1.counted.counters.ingress;
    let names: Vec<_> = ingress.keys().map(String::as_str).collect();
    assert_eq!(names, ["established", "new", "no_rule"]);
    let count = Count {
        packets: 3,
        bytes: 180,
    };
    assert_eq!(ingress["no_rule"], count);
}

#[test]
fn a_port_that_is_in_no_table_has_neither_counters_nor_connections() {
    let (mut agent, _) = agent();
    agent.links(LinkEvent::All(vec![LINK.clone()])).unwrap();
    agent
        .apply(&inventory(json!({"mac_address": "?"})))
        .unwrap();
    let ports = ports(&mut agent);
    assert_eq!(ports[0].state, PortState::Closed);
    assert_eq!((ports[0].zone, ports[0].connections), (None, None));
    assert!(ports[0].counted.counters.ingress.is_empty());
}
