//! Packets in words, through the filter and the tables that the agent has written.

use clap::Parser;
use serde_json::json;

use super::*;
use crate::{
    api::{ExplainRequest, ExplainView, Outcome, Way},
    error::Error,
    packet::PacketArgs,
};

#[derive(Parser)]
struct Words {
    #[command(flatten)]
    packet: PacketArgs,
}

fn enforcing() -> (Agent, double::Double) {
    let (mut agent, kernel) = agent();
    agent.links(LinkEvent::All(vec![LINK.clone()])).unwrap();
    agent.apply(&inventory(json!({}))).unwrap();
    (agent, kernel)
}

fn explain(agent: &mut Agent, direction: Way, words: &str) -> Result<ExplainView> {
    let words = std::iter::once("explain").chain(words.split(' '));
    let packet = Words::parse_from(words).packet.parse().unwrap();
    agent.explain(&ExplainRequest {
        port: "WEB1".into(),
        direction,
        packet,
    })
}

fn verdict(direction: Way, words: &str) -> (Outcome, String) {
    let (mut agent, _) = enforcing();
    let view = explain(&mut agent, direction, words).unwrap();
    let last = view.steps.last().expect("a verdict is a step");
    assert_eq!(last.outcome, view.verdict);
    (view.verdict, view.reason)
}

#[test]
fn an_accepted_packet_names_the_rule_that_permits_it() {
    let (mut agent, _) = enforcing();
    let view = explain(
        &mut agent,
        Way::Ingress,
        "tcp 198.51.100.7:40000 10.0.0.5:80",
    )
    .unwrap();
    assert_eq!(
        (view.verdict, view.reason.as_str()),
        (Outcome::Accept, "new")
    );
    let rule = view.rule.unwrap();
    assert_eq!(rule.text, "IPv4 tcp 80 from anyone");
    assert_eq!(rule.security_group, "WEB_SERVERS");
}

#[test]
fn a_packet_that_no_rule_permits_is_dropped_for_that() {
    let dropped = (Outcome::Drop, "no_rule".to_owned());
    assert_eq!(
        verdict(Way::Ingress, "tcp 198.51.100.7:40000 10.0.0.5:22"),
        dropped
    );
    assert_eq!(verdict(Way::Ingress, "icmp 198.51.100.7 10.0.0.5"), dropped);
}

#[test]
fn spoofed_packets_are_dropped_for_what_is_spoofed() {
    let drop = |reason: &str| (Outcome::Drop, reason.to_owned());
    assert_eq!(
        verdict(Way::Egress, "tcp 10.0.0.7:40000 10.0.0.6:80"),
        drop("spoofed_address")
    );
    assert_eq!(
        verdict(
            Way::Egress,
            "tcp 10.0.0.5:40000 10.0.0.6:80 --src-mac 02:00:00:00:00:09"
        ),
        drop("spoofed_mac")
    );
    assert_eq!(
        verdict(Way::Egress, "arp 10.0.0.7 10.0.0.1"),
        drop("spoofed_arp")
    );
    assert_eq!(
        verdict(Way::Egress, "udp 10.0.0.5:67 10.0.0.6:68"),
        drop("dhcp_server")
    );
}

#[test]
fn an_address_pair_is_allowed_with_its_mac() {
    let words = "tcp 10.0.9.4:40000 10.0.0.6:80 --src-mac fa:16:3e:00:00:99";
    assert_eq!(
        verdict(Way::Egress, words),
        (Outcome::Accept, "new".to_owned())
    );
}

#[test]
fn explaining_leaves_no_trace() {
    let (mut agent, kernel) = enforcing();
    kernel.calls();
    for _ in 0..2 {
        let view = explain(&mut agent, Way::Ingress, "tcp 198.51.100.7:1 10.0.0.5:80").unwrap();
        assert_eq!(view.reason, "new", "the second is not established");
    }
    assert!(kernel.calls().is_empty() && kernel.kernel().flows.is_empty());
}

#[test]
fn a_port_without_an_interface_has_no_filter_to_walk_through() {
    let (mut agent, _) = agent();
    agent.apply(&inventory(json!({}))).unwrap();
    let error = explain(&mut agent, Way::Ingress, "icmp 10.0.0.6 10.0.0.5").unwrap_err();
    assert!(matches!(error, Error::PortPending(_)), "{error}");
}

#[test]
fn a_closed_port_drops_because_nothing_is_applied_to_it() {
    let (mut agent, _) = enforcing();
    agent
        .apply(&inventory(json!({"fixed_ips": "10.0.0.5"})))
        .unwrap();
    let view = explain(&mut agent, Way::Ingress, "icmp 10.0.0.6 10.0.0.5").unwrap();
    assert_eq!(
        (view.verdict, view.reason.as_str()),
        (Outcome::Drop, "no_port")
    );
}
