use std::net::IpAddr;

use expect_test::expect;

use super::*;
use crate::view::{StrangeFlow, Way};

fn refused(remote_port: u16, reason: &str) -> RefusedFlow {
    let address = |text: &str| -> IpAddr { text.parse().unwrap() };
    RefusedFlow {
        flow: FlowView {
            port: "11111111-1111-4111-8111-111111111111".into(),
            zone: 1,
            protocol: "tcp".into(),
            protocol_number: 6,
            local: address("10.0.0.5"),
            local_port: 80,
            remote: address("198.51.100.7"),
            remote_port,
            icmp_type: None,
            icmp_code: None,
            direction: Way::Ingress,
            state: "ESTABLISHED".into(),
            replied: true,
            assured: true,
            revoked: false,
            expires: 300,
        },
        reason: reason.into(),
    }
}

fn port() -> AdoptedPort {
    AdoptedPort {
        port: "11111111-1111-4111-8111-111111111111".into(),
        name: "WEB1".into(),
        zones: BTreeMap::from([(4097, 7)]),
        zone: Some(4097),
        adopted: 4,
        existing: 1,
        expired: 1,
        ..AdoptedPort::default()
    }
}

fn report(ports: Vec<AdoptedPort>) -> AdoptReport {
    AdoptReport {
        zones: BTreeMap::from([(0, 3), (4097, 7)]),
        unreadable: 0,
        ports,
    }
}

#[test]
fn each_port_has_a_row_and_what_was_left_out_its_reason() {
    let odd = AdoptedPort {
        incomplete: true,
        evictable: 2,
        no_room: 1,
        refused: vec![refused(40000, "no_rule"), refused(40001, "spoofed_address")],
        not_understood: vec![StrangeFlow {
            flow: "protocol 6 from 10.0.0.5:1 to 10.0.0.6:2, zone 4097".into(),
            reason: "its state is not told".into(),
        }],
        ..port()
    };
    let report = report(vec![odd]);
    assert_eq!(exit(&report), Exit::LeftOut);
    expect![[r#"
        PORT                                  NAME  ZONE  ADOPTED  HERE ALREADY  ENDED  REFUSED  NOT UNDERSTOOD
        11111111-1111-4111-8111-111111111111  WEB1  4097  4        1             1      2        1
        port 11111111-1111-4111-8111-111111111111: 2 of those adopted are no longer assured: the table or the port's share is full
        port 11111111-1111-4111-8111-111111111111: 1 were not stored: the tables are full (see `sgctl status`)
        port 11111111-1111-4111-8111-111111111111: not understood: protocol 6 from 10.0.0.5:1 to 10.0.0.6:2, zone 4097: its state is not told
        refused, because the port would drop their first packet (no_rule):
        PORT                                  WAY  PROTOCOL  LOCAL        REMOTE              STATE        MARKS    EXPIRES
        11111111-1111-4111-8111-111111111111  in   tcp       10.0.0.5:80  198.51.100.7:40000  ESTABLISHED  assured  300s
        refused, because the port would drop their first packet (spoofed_address):
        PORT                                  WAY  PROTOCOL  LOCAL        REMOTE              STATE        MARKS    EXPIRES
        11111111-1111-4111-8111-111111111111  in   tcp       10.0.0.5:80  198.51.100.7:40001  ESTABLISHED  assured  300s
    "#]]
    .assert_eq(&text(&report));
}

#[test]
fn nothing_adopted_is_explained_and_something_is_not() {
    let none = AdoptedPort {
        zone: None,
        adopted: 0,
        existing: 0,
        expired: 0,
        ..port()
    };
    let none =
        report(vec![none.noting(
            "nf_conntrack has no connection of its addresses".into(),
        )]);
    assert_eq!(exit(&none), Exit::Ok);
    let text_ = text(&none);
    for part in [
        "has no connection of its addresses",
        "has 3 connections in zone 0, 7 connections in zone 4097\n",
    ] {
        assert!(text_.contains(part), "{text_}");
    }
    let nobody = text(&report(Vec::new()));
    assert!(nobody.starts_with("no port of the inventory"), "{nobody}");
    assert_eq!(text(&report(vec![port()])).lines().count(), 2);
}

#[test]
fn what_could_not_be_read_is_told() {
    let unread = AdoptReport {
        unreadable: 2,
        ..report(vec![port()])
    };
    assert_eq!(exit(&unread), Exit::LeftOut);
    assert!(text(&unread).contains("2 connections of nf_conntrack could not be read"));
}
