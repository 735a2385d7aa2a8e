//! Packets in words, through the filter and the tables that the agent has written.

use clap::Parser;
use serde_json::json;
use sg_common::hook::Hook;

use super::{fixture::WEB_SERVERS, show::flow, *};
use crate::{
    error::Error,
    packet::PacketArgs,
    view::{ExplainRequest, ExplainView, Outcome, Way},
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

#[test]
fn an_invalid_packet_that_a_rule_permits_is_not_said_to_be_permitted_by_none() {
    let (mut agent, _) = enforcing();
    let words = "tcp 198.51.100.7:40000 10.0.0.5:80 --flags rst";
    let view = explain(&mut agent, Way::Ingress, words).unwrap();
    assert_eq!(view.reason, "invalid_permitted");
    assert_eq!(view.rule.unwrap().text, "IPv4 tcp 80 from anyone");
    let steps: Vec<_> = view.steps.iter().map(|step| step.detail.as_str()).collect();
    assert!(!format!("{steps:?}").contains("no rule"), "{steps:?}");
    assert!(steps.contains(&"permitted to anyone"), "{steps:?}");

    let words = "tcp 198.51.100.7:40000 10.0.0.5:81 --flags rst";
    let view = explain(&mut agent, Way::Ingress, words).unwrap();
    assert_eq!(view.reason, "invalid_tcp_state");
    let steps = format!("{:?}", view.steps);
    assert!(steps.contains("no rule permits it"), "{steps}");
}

#[test]
fn a_later_fragment_goes_the_way_of_the_first() {
    let (mut agent, _) = enforcing();
    let mut fragment = |way, words: &str, part: &str| {
        let words = format!("{words} --fragment {part}");
        let view = explain(&mut agent, way, &words).unwrap();
        (view.reason, view.rule.map(|rule| rule.text))
    };
    let permitted = "tcp 198.51.100.7:40000 10.0.0.5:80";
    let rule = Some("IPv4 tcp 80 from anyone".to_owned());
    assert_eq!(
        fragment(Way::Ingress, permitted, "first"),
        ("new".into(), rule.clone())
    );
    assert_eq!(
        fragment(Way::Ingress, permitted, "later"),
        ("fragment".into(), rule)
    );
    let unknown = ("fragment_unknown".to_owned(), None);
    assert_eq!(fragment(Way::Ingress, permitted, "lone"), unknown);
    let refused = "tcp 198.51.100.7:40000 10.0.0.5:81";
    assert_eq!(
        fragment(Way::Ingress, refused, "first"),
        ("no_rule".into(), None)
    );
    assert_eq!(fragment(Way::Ingress, refused, "later"), unknown);
    let spoofed = "udp 10.0.0.77:1 10.0.0.6:53";
    assert_eq!(fragment(Way::Egress, spoofed, "lone"), unknown);
}

#[test]
fn an_icmp_error_about_a_connection_passes() {
    let (mut agent, kernel) = enforcing();
    kernel.kernel().now = 1;
    kernel.kernel().flows.extend([flow(Hook::ToVm, 40000)]);
    let about = |port: u16| format!("--about tcp 10.0.0.5:80 198.51.100.7:{port}");
    let error = "icmp 192.0.2.1 10.0.0.5 --type 3 --code 4";
    let mut reason = |words: &str| explain(&mut agent, Way::Ingress, words).unwrap().reason;
    assert_eq!(reason(&format!("{error} {}", about(40000))), "related");
    assert_eq!(reason(&format!("{error} {}", about(40001))), "invalid_icmp");
}

#[test]
fn an_arp_speaks_with_the_mac_of_its_frame() {
    let words = "arp 10.0.0.5 10.0.0.1 --sender-mac fa:16:3e:00:00:66";
    assert_eq!(verdict(Way::Egress, words).1, "spoofed_arp");
    assert_eq!(verdict(Way::Egress, "arp 10.0.0.5 10.0.0.1").1, "arp");
}

#[test]
fn the_address_of_a_pair_is_told_with_its_mac() {
    let (mut agent, _) = enforcing();
    for words in ["tcp 10.0.9.4:40000 10.0.0.6:80", "arp 10.0.9.4 10.0.0.1"] {
        let view = explain(&mut agent, Way::Egress, words).unwrap();
        let hint = "10.0.9.4 is allowed with the source MAC fa:16:3e:00:00:99: --src-mac fa:16:3e:00:00:99";
        assert_eq!(
            (view.verdict, view.hints),
            (Outcome::Drop, vec![hint.to_owned()])
        );
    }
    let words = "tcp 10.0.7.4:40000 10.0.0.6:80";
    assert!(
        explain(&mut agent, Way::Egress, words)
            .unwrap()
            .hints
            .is_empty()
    );
}

#[test]
fn a_link_local_address_is_in_no_remote_group_and_it_is_said_why() {
    let (mut agent, _) = enforcing();
    let group =
        json!([{"ethertype": "IPv6", "direction": "ingress", "remote_group_id": WEB_SERVERS}]);
    let mut document: serde_json::Value = serde_json::from_slice(&inventory(json!({}))).unwrap();
    document["security_groups"][0]["security_group_rules"] = group;
    agent
        .apply(&serde_json::to_vec(&document).unwrap())
        .unwrap();
    let mut hints = |source: &str| {
        let words = format!("vrrp {source} ff02::12");
        let view = explain(&mut agent, Way::Ingress, &words).unwrap();
        assert_eq!(view.reason, "no_rule");
        view.hints
    };
    let why = "the remote group WEB_SERVERS holds only fixed addresses and allowed address pairs of its \
        members, as in Neutron; a rule that permits it from fe80::/10 does what is wanted";
    assert_eq!(
        hints("fe80::f816:3eff:fe00:5"),
        [format!(
            "fe80::f816:3eff:fe00:5 is the link-local address of port WEB1, but {why}"
        )]
    );
    assert_eq!(hints("fe80::1"), [format!("fe80::1 is link-local: {why}")]);
    assert!(hints("2001:db8::77").is_empty());
}
