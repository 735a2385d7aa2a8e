//! Filters as they are typed, and what they choose.

use clap::Parser;

use super::*;

#[derive(Parser)]
struct Typed {
    #[command(flatten)]
    filter: EventFilter,
}

fn typed(words: &str) -> EventFilter {
    let words = words.split_whitespace();
    Typed::try_parse_from(std::iter::once("monitor").chain(words))
        .unwrap_or_else(|error| panic!("{error}"))
        .filter
}

fn event() -> PacketView {
    PacketView {
        direction: "ingress".into(),
        action: Some(EventAction::Drop),
        reason: "no_rule".into(),
        source: Some("10.0.0.7".into()),
        destination: Some("10.0.0.5".into()),
        protocol: Some(6),
        source_port: Some(40000),
        destination_port: Some(443),
        ..PacketView::default()
    }
}

#[test]
fn an_event_meets_all_filters_and_of_one_any_of_its_values() {
    for words in [
        "",
        "--reason no_rule",
        "--reason spoofed_mac,no_rule",
        "--reason spoofed_mac --reason no_rule",
        "--ingress",
        "--address 10.0.0.7",
        "-a 10.0.0.0/29",
        "-s 10.0.0.7 -d 10.0.0.5/32",
        "-p tcp",
        "-p 6 --sport 40000 --dport 443",
    ] {
        assert!(typed(words).matches(&event()), "{words}");
    }
    for words in [
        "--reason spoofed_mac",
        "--egress",
        "--address 10.0.0.8",
        "--address 2001:db8::/32",
        "-s 10.0.0.5",
        "-d 10.0.0.7",
        "-p udp",
        "--dport 80",
        "--reason no_rule --egress",
    ] {
        assert!(!typed(words).matches(&event()), "{words}");
    }
    let arp = PacketView {
        source: None,
        protocol: None,
        destination: None,
        source_port: None,
        ..event()
    };
    for words in ["-a 0.0.0.0/0", "-p tcp", "--sport 1"] {
        assert!(!typed(words).matches(&arp), "{words}: it has none");
    }
}

#[test]
fn what_is_asked_for_is_what_was_named_or_what_the_reasons_are_of() {
    let asked = |words: &str| {
        let actions = typed(words).actions().map_err(|error| error.to_string());
        actions.map(|actions| actions.into_iter().collect::<Vec<_>>())
    };
    use EventAction::{Accept, Audit, Drop};
    assert_eq!(asked(""), Ok(vec![Accept, Drop, Audit]));
    assert_eq!(asked("--action DROP"), Ok(vec![Drop]));
    assert_eq!(asked("--reason no_rule"), Ok(vec![Drop]));
    assert_eq!(asked("--reason no_rule,new"), Ok(vec![Accept, Drop]));
    assert_eq!(asked("--action accept,drop --reason new"), Ok(vec![Accept]));
    let refused = asked("--action accept --reason no_rule").unwrap_err();
    assert!(
        refused.contains("no_rule") && refused.contains("DROP"),
        "{refused}"
    );
}

#[test]
fn a_reason_that_there_is_not_is_refused_and_the_nearest_is_named() {
    let words = ["monitor", "--reason", "no_rul"];
    let Err(error) = Typed::try_parse_from(words) else {
        panic!("it is understood");
    };
    assert_eq!(error.exit_code(), 2);
    assert!(error.to_string().contains("no_rule"), "{error}");
    let established = ["monitor", "--reason", "established"];
    assert!(Typed::try_parse_from(established).is_err(), "never told");
}

#[test]
fn port_numbers_go_with_protocols_that_have_them() {
    assert!(typed("-p udp --dport 53").check_numbers().is_ok());
    let error = typed("-p icmp --dport 53").check_numbers().unwrap_err();
    assert_eq!(error.exit(), crate::exit::Exit::Usage);
    assert!(error.to_string().contains("--dport"), "{error}");
}

#[test]
fn a_group_goes_by_its_id_before_its_name_and_one_without_ports_is_told() {
    let id = |number| uuid::Uuid::from_u128(number).to_string();
    let group = |number, name: &str, ports: &[&str]| GroupView {
        id: id(number),
        name: name.into(),
        stateful: true,
        rules: Vec::new(),
        ports: ports.iter().map(|port| (*port).into()).collect(),
    };
    let groups = [
        group(1, "WEB", &["a", "b"]),
        group(2, &id(1), &["c"]),
        group(3, "TWICE", &["d"]),
        group(4, "TWICE", &["e"]),
        group(5, "EMPTY", &[]),
    ];
    let ports = |reference: &str| ports_of(&groups, reference).map_err(|error| error.exit());
    assert_eq!(ports("WEB").unwrap(), ["a", "b"]);
    assert_eq!(ports(&id(1)).unwrap(), ["a", "b"]);
    for reference in ["TWICE", "EMPTY", "NONE"] {
        assert_eq!(
            ports(reference),
            Err(crate::exit::Exit::NotFound),
            "{reference}"
        );
    }
}
