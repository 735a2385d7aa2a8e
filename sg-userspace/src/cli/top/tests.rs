//! From samples to rates, rows, and what is seen of them.

mod screen;

use super::{
    once,
    order::{Column, Order, matches},
    rates::{PerSecond, PortRates, Rates},
};
use crate::view::{
    AssuredView, Count, Counters, GroupName, PortCounters, PortSample, PortState, SampleView,
};

/// A sample after so many seconds.
pub fn sample(seconds: u64, ports: Vec<PortSample>) -> SampleView {
    SampleView {
        time: format!("2026-01-01T00:00:{seconds:02}Z"),
        uptime_us: seconds * 1_000_000,
        ports,
    }
}

/// A port with what was counted at it; each packet has a hundred bytes.
pub fn port(name: &str, egress: &[(&str, u64)], ingress: &[(&str, u64)]) -> PortSample {
    let counts = |counted: &[(&str, u64)]| {
        let counts = counted.iter().map(|(reason, packets)| {
            let count = Count {
                packets: *packets,
                bytes: packets * 100,
            };
            ((*reason).to_owned(), count)
        });
        counts.collect()
    };
    PortSample {
        counted: PortCounters {
            port: format!("id-of-{name}"),
            name: name.into(),
            interface: format!("tap-{name}"),
            vlan: None,
            counters: Counters {
                egress: counts(egress),
                ingress: counts(ingress),
            },
        },
        state: PortState::Enforcing,
        security_groups: vec![GroupName {
            id: "g-1".into(),
            name: "WEB_SERVERS".into(),
        }],
        zone: Some(1),
        connections: Some(AssuredView {
            assured: 5,
            quota: Some(50),
        }),
    }
}

/// Rates two seconds after.
fn rates(before: Vec<PortSample>, after: Vec<PortSample>) -> Rates {
    Rates::between(Some(&sample(10, before)), &sample(12, after))
}

fn of(rates: &Rates, name: &str) -> Option<PerSecond> {
    let mut ports = rates.ports.iter();
    ports.find(|port| port.name == name).expect(name).per_second
}

#[test]
fn rates_are_what_two_samples_differ_by_in_a_second() {
    let before = port(
        "web",
        &[("established", 100)],
        &[("new", 1), ("no_rule", 7)],
    );
    let after = port(
        "web",
        &[("established", 150), ("spoofed_mac", 2)],
        &[("new", 5), ("no_rule", 11), ("flow_not_stored", 900)],
    );
    let rates = rates(vec![before], vec![after]);
    let expected = PerSecond {
        packets: 30.0,
        bytes: 3000.0,
        drops: 3.0,
        new_connections: 2.0,
    };
    assert_eq!(
        of(&rates, "web"),
        Some(expected),
        "conditions are no packets"
    );
    assert_eq!(rates.ports[0].share(), Some(0.1));
    let drops = rates.ports[0].drops.iter();
    let drops: Vec<_> = drops
        .map(|drop| (drop.reason.as_str(), drop.per_second, drop.total))
        .collect();
    assert_eq!(
        drops,
        [("no_rule", Some(2.0), 11), ("spoofed_mac", Some(1.0), 2)]
    );
}

#[test]
fn counters_that_begin_anew_give_no_rates() {
    let web = |packets| port("web", &[("established", packets)], &[]);
    let in_zone = |packets, zone| PortSample {
        zone,
        ..web(packets)
    };
    for (what, before, after) in [
        ("it is new", vec![], vec![web(1_000_000)]),
        ("fewer", vec![web(100)], vec![web(99)]),
        (
            "none",
            vec![web(100)],
            vec![port("web", &[], &[("new", 5)])],
        ),
        (
            "another place in the tables, and more",
            vec![in_zone(5, Some(1))],
            vec![in_zone(1_000_000, Some(2))],
        ),
        ("no place", vec![in_zone(0, None)], vec![in_zone(0, None)]),
    ] {
        let rates = rates(before, after);
        assert_eq!(of(&rates, "web"), None, "{what}");
        assert!(rates.drops.iter().all(|drop| drop.per_second.is_none()));
    }
    assert!(of(&rates(vec![web(100)], vec![web(100)]), "web").is_some());
}

#[test]
fn a_clock_that_does_not_go_on_gives_no_rates() {
    let web = |packets| vec![port("web", &[("established", packets)], &[])];
    for (before, after) in [(10, 10), (10, 9)] {
        let before = sample(before, web(1));
        let rates = Rates::between(Some(&before), &sample(after, web(50)));
        assert_eq!(of(&rates, "web"), None);
    }
    assert_eq!(of(&Rates::between(None, &sample(1, web(50))), "web"), None);
}

#[test]
fn what_all_ports_refuse_is_added_up_and_the_most_comes_first() {
    let before = vec![
        port("web", &[], &[("no_rule", 10), ("revoked", 1)]),
        port("client", &[], &[("no_rule", 0)]),
    ];
    let after = vec![
        port("web", &[], &[("no_rule", 12), ("revoked", 21)]),
        port("client", &[], &[("no_rule", 4)]),
        port("new", &[], &[("no_rule", 1000)]),
    ];
    let drops = rates(before, after).drops;
    let drops: Vec<_> = drops
        .iter()
        .map(|drop| (drop.reason.as_str(), drop.per_second, drop.total))
        .collect();
    assert_eq!(
        drops,
        [("revoked", Some(10.0), 21), ("no_rule", Some(3.0), 1016)]
    );
}

/// Three ports: `busy`, `calm`, and one of which no rates are known.
fn three() -> Rates {
    let mut calm = port("calm", &[("established", 2)], &[("no_rule", 2), ("new", 2)]);
    calm.state = PortState::Open;
    calm.connections = Some(AssuredView {
        assured: 40,
        quota: Some(50),
    });
    rates(
        vec![port("busy", &[], &[]), port("calm", &[], &[])],
        vec![
            port("a-new-one", &[("established", 9)], &[]),
            port("busy", &[("established", 900)], &[]),
            calm,
        ],
    )
}

#[test]
fn ports_are_sorted_by_each_column_and_the_unknown_come_last_either_way() {
    let rates = three();
    let names = |column, is_reversed| {
        let mut ports: Vec<_> = rates.ports.iter().collect();
        let order = Order {
            column,
            is_reversed,
        };
        order.sort(&mut ports);
        ports.into_iter().map(PortRates::called).collect::<Vec<_>>()
    };
    for (column, forward, reverse) in [
        (
            Column::Port,
            ["a-new-one", "busy", "calm"],
            ["calm", "busy", "a-new-one"],
        ),
        (
            Column::State,
            ["a-new-one", "busy", "calm"],
            ["calm", "a-new-one", "busy"],
        ),
        (
            Column::Packets,
            ["busy", "calm", "a-new-one"],
            ["calm", "busy", "a-new-one"],
        ),
        (
            Column::Bytes,
            ["busy", "calm", "a-new-one"],
            ["calm", "busy", "a-new-one"],
        ),
        (
            Column::Drops,
            ["calm", "busy", "a-new-one"],
            ["busy", "calm", "a-new-one"],
        ),
        (
            Column::New,
            ["calm", "busy", "a-new-one"],
            ["busy", "calm", "a-new-one"],
        ),
        (
            Column::Connections,
            ["calm", "a-new-one", "busy"],
            ["a-new-one", "busy", "calm"],
        ),
        (
            Column::Quota,
            ["calm", "a-new-one", "busy"],
            ["a-new-one", "busy", "calm"],
        ),
    ] {
        assert_eq!(names(column, false), forward, "{column:?}");
        assert_eq!(names(column, true), reverse, "{column:?} reversed");
    }
}

#[test]
fn a_filter_looks_into_names_ids_interfaces_groups_states_and_what_is_refused_now() {
    let rates = three();
    let found = |words: &str| {
        let ports = rates.ports.iter().filter(|port| matches(port, words));
        ports.map(PortRates::called).collect::<Vec<_>>()
    };
    assert_eq!(found(""), ["a-new-one", "busy", "calm"]);
    for words in [
        "CAL",
        "id-of-c",
        "tap-calm",
        "no_rule",
        "open",
        "calm web_ no_",
    ] {
        assert_eq!(found(words), ["calm"], "{words}");
    }
    assert_eq!(found("web_servers g-1").len(), 3);
    assert_eq!(found("calm busy"), [""; 0]);
}

#[test]
fn what_is_printed_once_are_columns_with_numbers_for_awk() {
    expect_test::expect![[r#"
        PORT       INTERFACE      STATE      PACKETS/S  BYTES/S  DROPS/S  NEW/S  CONNS  QUOTA
        a-new-one  tap-a-new-one  enforcing  -          -        -        -      5      10%
        busy       tap-busy       enforcing  450.0      45000.0  0.0      0.0    5      10%
        calm       tap-calm       open       3.0        300.0    1.0      1.0    40     80%

        DIRECTION  REASON   DROPS/S  TOTAL
        ingress    no_rule  1.0      2
    "#]]
    .assert_eq(&once::text(&three()));
}
