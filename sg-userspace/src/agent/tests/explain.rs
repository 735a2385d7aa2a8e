//! Packets in words, through the filter and the tables that the agent has written.

use clap::Parser;
use serde_json::json;
use sg_common::hook::Hook;

use super::{fixture::WEB_SERVERS, show::flow, *};
use crate::{
    error::Error,
    packet::{PacketArgs, to_hex},
    view::{ExplainRequest, ExplainView, FrameView, Outcome, Way},
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
        packet: Some(packet),
        frame: None,
    })
}

/// A SYN from 198.51.100.7 to a port of WEB1, as a frame of which the first bytes are known.
fn syn(port: u16) -> Vec<u8> {
    let mut bytes = Vec::new();
    etherparse::PacketBuilder::ethernet2([2, 0, 0, 0, 0, 1], [0xfa, 0x16, 0x3e, 0, 0, 5])
        .ipv4([198, 51, 100, 7], [10, 0, 0, 5], 64)
        .tcp(40000, port, 1, 1000)
        .syn()
        .write(&mut bytes, &[7; 300])
        .unwrap();
    bytes
}

fn explain_frame(agent: &mut Agent, direction: Way, frame: FrameView) -> Result<ExplainView> {
    agent.explain(&ExplainRequest {
        port: "WEB1".into(),
        direction,
        packet: None,
        frame: Some(frame),
    })
}

#[test]
fn a_frame_that_was_captured_is_walked_as_the_packet_that_it_is_of() {
    let (mut agent, _) = enforcing();
    let mut reason = |port, way, known: usize| {
        let bytes = syn(port);
        let frame = FrameView {
            bytes: to_hex(&bytes[..known.min(bytes.len())]),
            length: Some(bytes.len() as u32),
            vlan: None,
        };
        explain_frame(&mut agent, way, frame).unwrap().reason
    };
    assert_eq!(reason(80, Way::Ingress, 1000), "new");
    assert_eq!(
        reason(80, Way::Ingress, 128),
        "new",
        "its headers are there"
    );
    assert_eq!(reason(22, Way::Ingress, 128), "no_rule");
    assert_eq!(reason(80, Way::Egress, 128), "spoofed_mac");
    assert_eq!(reason(80, Way::Ingress, 20), "malformed_ipv4");

    let words = "tcp 10.0.9.4:40000 10.0.0.6:80";
    let words = explain(&mut agent, Way::Egress, words).unwrap().hints;
    let mut bytes = syn(80);
    bytes[6..12].copy_from_slice(&[0xfa, 0x16, 0x3e, 0, 0, 5]);
    bytes[26..30].copy_from_slice(&[10, 0, 9, 4]);
    let frame = FrameView {
        bytes: to_hex(&bytes),
        length: None,
        vlan: None,
    };
    let view = explain_frame(&mut agent, Way::Egress, frame).unwrap();
    assert_eq!(
        (view.reason.as_str(), view.hints),
        ("spoofed_address", words)
    );
}

#[test]
fn a_packet_is_given_in_one_way_and_its_digits_are_digits() {
    let (mut agent, _) = enforcing();
    let frame = FrameView {
        bytes: "00zz".into(),
        length: None,
        vlan: None,
    };
    let error = explain_frame(&mut agent, Way::Ingress, frame).unwrap_err();
    assert!(error.to_string().contains("'z'"), "{error}");
    let nothing = ExplainRequest {
        port: "WEB1".into(),
        direction: Way::Ingress,
        packet: None,
        frame: None,
    };
    assert!(matches!(agent.explain(&nothing), Err(Error::Usage(_))));
}

#[test]
fn the_rules_that_come_nearest_to_a_refused_packet_are_told_and_the_one_that_is_missing() {
    let (mut agent, _) = enforcing();
    let mut near = |way, words: &str| {
        let view = explain(&mut agent, way, words).unwrap();
        let near = view.near.into_iter();
        let near = near.map(|near| format!("{:?}: {}", near.differs, near.rule.text));
        (near.collect::<Vec<_>>(), view.remedy.unwrap_or_default())
    };
    assert_eq!(
        near(Way::Ingress, "tcp 198.51.100.7:40000 10.0.0.5:22"),
        (
            vec![
                "Remote: IPv4 any protocol from group WEB_SERVERS".into(),
                "Port: IPv4 tcp 80 from anyone".into(),
                "Port: IPv4 tcp 443 from anyone".into(),
            ],
            format!(
                "openstack security group rule create --ingress --ethertype IPv4 --protocol tcp --dst-port 22 \
                 --remote-ip 198.51.100.7/32 {WEB_SERVERS}"
            )
        )
    );
    let (rules, remedy) = near(Way::Ingress, "icmp 198.51.100.7 10.0.0.5 --type 8");
    assert!(
        rules.contains(&"Remote: IPv4 icmp from 10.0.0.0/8".to_owned()),
        "{rules:?}"
    );
    assert!(
        remedy.contains("--protocol icmp --icmp-type 8 --icmp-code 0 --remote-ip 198.51.100.7/32"),
        "{remedy}"
    );
    let (_, remedy) = near(Way::Ingress, "icmp 2001:db8::7 2001:db8::5 --type 128");
    assert!(
        remedy.contains("--ethertype IPv6 --protocol ipv6-icmp --icmp-type 128"),
        "{remedy}"
    );
    let permitted = near(Way::Ingress, "tcp 198.51.100.7:40000 10.0.0.5:80");
    assert_eq!(permitted, (vec![], String::new()));
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
