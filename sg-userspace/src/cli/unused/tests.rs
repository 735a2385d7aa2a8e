use expect_test::expect;

use super::*;

fn now() -> ZonedDateTime {
    let now: Timestamp = "2026-11-30T12:00:00Z".parse().unwrap();
    now.to_zoned_datetime(TimeZone::UTC)
}

fn port(name: &str, since: &str, last: Option<&str>) -> PortUsage {
    PortUsage {
        port: format!("id of {name}"),
        name: name.into(),
        since: since.into(),
        hits: last.map_or(0, |_| 5),
        last_hit: last.map(Into::into),
        shared_hits: 0,
        last_shared_hit: None,
        shared_with: Vec::new(),
        covered_by: Vec::new(),
        connections: 0,
    }
}

fn rule(id: &str, ports: Vec<PortUsage>) -> RuleUsage {
    RuleUsage {
        id: id.into(),
        security_group_id: "g".into(),
        security_group: "WEB_SERVERS".into(),
        text: "IPv4 tcp 80 from anyone".into(),
        ports,
    }
}

const LONG_AGO: &str = "2026-01-01T00:00:00Z";
const LATELY: &str = "2026-11-29T00:00:00Z";

#[test]
fn a_moment_is_a_date_or_a_span_until_now() {
    let at = |text| moment_at(text, &now()).map(|moment| moment.to_string());
    assert_eq!(at("30d").unwrap(), "2026-10-31T12:00:00Z");
    assert_eq!(at("12h").unwrap(), "2026-11-30T00:00:00Z");
    assert_eq!(at("2026-11-01").unwrap(), "2026-11-01T00:00:00Z");
    assert_eq!(at("2026-11-01T08:30").unwrap(), "2026-11-01T08:30:00Z");
    assert_eq!(at("2026-11-01T08:30:00Z").unwrap(), "2026-11-01T08:30:00Z");
    assert_eq!(at("2027-01-01").unwrap_err(), "is still to come");
    assert!(at("last week").unwrap_err().contains("30d"));
}

#[test]
fn a_rule_is_unused_if_no_port_has_used_it_since_and_all_were_counted_for_so_long() {
    let since = Some("2026-11-01T00:00:00Z".parse().unwrap());
    let of = |ports| standing(&rule("r", ports), since);
    assert_eq!(of(vec![port("A", LONG_AGO, None)]), Standing::Unused);
    assert_eq!(
        of(vec![port("A", LONG_AGO, Some("2026-10-01T00:00:00Z"))]),
        Standing::Unused
    );
    assert_eq!(of(vec![port("A", LONG_AGO, Some(LATELY))]), Standing::Used);
    let one = port("A", LONG_AGO, None);
    assert_eq!(
        of(vec![one.clone(), port("B", LONG_AGO, Some(LATELY))]),
        Standing::Used
    );
    assert_eq!(
        of(vec![one.clone(), port("B", LATELY, None)]),
        Standing::Young
    );
    assert_eq!(of(Vec::new()), Standing::Unused);
    let shared = PortUsage {
        last_shared_hit: Some(LATELY.into()),
        ..one
    };
    assert_eq!(
        of(vec![shared]),
        Standing::Used,
        "it may have been this one"
    );
}

#[test]
fn what_is_unused_and_what_is_not_known_yet_stand_apart_each_with_what_else_is_to_be_known() {
    let covered = PortUsage {
        covered_by: vec!["other".into()],
        connections: 2,
        ..port("WEB1", LONG_AGO, None)
    };
    let view = UsageView {
        since: LONG_AGO.into(),
        rules: vec![
            rule("r1", vec![covered]),
            rule(
                "r2",
                vec![port("WEB1", LATELY, None), port("WEB2", LATELY, None)],
            ),
        ],
    };
    let since = Some("2026-11-01T00:00:00Z".parse().unwrap());
    expect![[r"
        ID  GROUP        RULE                     PORT  HITS  LAST HIT  COUNTED SINCE     LIVE  NOTE
        r1  WEB_SERVERS  IPv4 tcp 80 from anyone  WEB1  0     never     2026-01-01 00:00  2     permits nothing that is not permitted by other

        not known yet, for these are counted for a shorter time:
        ID  GROUP        RULE                     PORT     HITS  LAST HIT  COUNTED SINCE     LIVE  NOTE
        r2  WEB_SERVERS  IPv4 tcp 80 from anyone  2 ports  0     never     2026-11-29 00:00  0
    "]]
    .assert_eq(&text(&view, since));
    let none = UsageView {
        rules: Vec::new(),
        ..view
    };
    assert_eq!(
        text(&none, since),
        "no rule is unused; counted here since 2026-01-01 00:00\n"
    );
}

#[test]
fn the_rules_of_each_port_can_be_listed_apart() {
    let rules = by_port(rule(
        "r",
        vec![port("A", LONG_AGO, None), port("B", LONG_AGO, Some(LATELY))],
    ));
    let unused = rules
        .iter()
        .filter(|rule| standing(rule, None) == Standing::Unused);
    assert_eq!(
        unused.map(|rule| &*rule.ports[0].name).collect::<Vec<_>>(),
        ["A"]
    );
}
