use serde_json::json;

use super::*;
use crate::model::{Direction, Family, Matches, PortPair, PortProtocol, PortRange, Remote, Rule};

fn read_rule(rule: Value) -> Parsed {
    let address_group = json!({"id": ADDRESS_GROUP, "addresses": []});
    read(&document(&[], &[group(&[rule])], &[address_group]))
}

fn good(changes: Value) -> Rule {
    let parsed = read_rule(with(rule(), changes));
    assert_eq!(parsed.faults, []);
    the_rule(parsed)
}

fn the_rule(parsed: Parsed) -> Rule {
    parsed
        .inventory
        .groups
        .into_values()
        .next()
        .unwrap()
        .rules
        .remove(0)
}

/// A rule of a protocol with a range, either end of which may be null.
fn ranged(
    ethertype: &str,
    protocol: impl Into<Value>,
    min: impl Into<Value>,
    max: impl Into<Value>,
) -> Value {
    json!({
        "ethertype": ethertype, "protocol": protocol.into(),
        "port_range_min": min.into(), "port_range_max": max.into(),
    })
}

fn matches(ethertype: &str, protocol: impl Into<Value>) -> Matches {
    good(ranged(ethertype, protocol, Value::Null, Value::Null)).matches
}

fn assert_left_out(changes: Value, field: &str, value: &str) {
    let parsed = read_rule(with(rule(), changes));
    assert_fault(&parsed, field, value, Effect::RuleLeftOut);
    assert!(
        parsed
            .inventory
            .groups
            .values()
            .all(|group| group.rules.is_empty())
    );
}

fn assert_warned(changes: Value, field: &str, value: &str) -> Rule {
    let parsed = read_rule(with(rule(), changes));
    assert_fault(&parsed, field, value, Effect::Kept);
    assert!(the_fault(&parsed).is_warning());
    the_rule(parsed)
}

fn ports(protocol: PortProtocol, low: u16, high: u16) -> Matches {
    Matches::Ports(protocol, PortRange::new(low, high).unwrap())
}

#[test]
fn direction_and_ethertype_are_read_in_any_case() {
    let rule = good(json!({"direction": "EGRESS", "ethertype": "ipv6"}));
    assert_eq!(
        (rule.direction, rule.ethertype),
        (Direction::Egress, Family::V6)
    );
    assert_eq!(good(json!({"ethertype": null})).ethertype, Family::V4);
}

#[test]
fn an_unknown_direction_or_ethertype_leaves_the_rule_out() {
    assert_left_out(json!({"direction": "both"}), "direction", "\"both\"");
    assert_left_out(json!({"direction": null}), "direction", "");
    assert_left_out(json!({"ethertype": "ARP"}), "ethertype", "\"ARP\"");
    assert_left_out(json!({"ethertype": 4}), "ethertype", "4");
}

#[test]
fn any_ip_hopopt_zero_and_nothing_are_any_protocol() {
    for protocol in [
        json!(null),
        json!("any"),
        json!("IP"),
        json!("hopopt"),
        json!("0"),
        json!(0),
    ] {
        for ethertype in ["IPv4", "IPv6"] {
            assert_eq!(
                matches(ethertype, protocol.clone()),
                Matches::Any,
                "{protocol}"
            );
        }
    }
}

#[test]
fn a_protocol_is_a_number_or_a_name_in_any_case() {
    for (protocol, number) in [
        (json!("tcp"), 6),
        (json!("UDP"), 17),
        (json!("6"), 6),
        (json!(47), 47),
        (json!("ipip"), 4),
        (json!("94"), 94),
        (json!("pgm"), 113),
        (json!("255"), 255),
    ] {
        assert_eq!(matches("IPv4", protocol), Matches::Protocol(number));
    }
}

#[test]
fn an_empty_string_is_null_as_in_the_state_of_terraform() {
    let rule = good(json!({
        "protocol": "", "remote_group_id": "", "remote_address_group_id": "", "remote_ip_prefix": "",
        "port_range_min": "", "port_range_max": "", "ethertype": "", "description": "",
    }));
    assert_eq!(
        (rule.matches, rule.remote, rule.ethertype),
        (Matches::Any, Remote::Anyone, Family::V4)
    );
    let rule = good(json!({"remote_group_id": "", "remote_ip_prefix": "10.0.0.0/8"}));
    assert_eq!(rule.remote, Remote::Prefix("10.0.0.0/8".parse().unwrap()));
    assert_left_out(json!({"direction": ""}), "direction", "");
}

#[test]
fn ports_0_and_0_are_what_terraform_writes_for_none() {
    for protocol in [
        json!("tcp"),
        json!("udp"),
        json!(""),
        json!(null),
        json!("gre"),
    ] {
        let parsed = read_rule(with(rule(), ranged("IPv4", protocol, 0, 0)));
        assert_fault(&parsed, "port_range_min", "0", Effect::RuleLeftOut);
        let fault = the_fault(&parsed).to_string();
        assert!(
            fault.contains("Terraform writes 0 for what is not set"),
            "{fault}"
        );
    }
    let echo_reply = Matches::Icmp {
        kind: 0,
        code: Some(0),
    };
    assert_eq!(good(ranged("IPv4", "icmp", 0, 0)).matches, echo_reply);
}

#[test]
fn an_unknown_protocol_leaves_the_rule_out() {
    for protocol in [
        json!("tcpp"),
        json!("256"),
        json!(256),
        json!(-1),
        json!(6.5),
        json!(["tcp"]),
    ] {
        let shown = protocol.to_string();
        assert_left_out(
            ranged("IPv4", protocol, Value::Null, Value::Null),
            "protocol",
            &shown,
        );
    }
}

#[test]
fn icmp_of_an_ipv6_rule_is_icmpv6_whatever_it_is_called() {
    for protocol in ["icmp", "icmpv6", "ipv6-icmp", "1", "58"] {
        assert_eq!(
            matches("IPv6", protocol),
            Matches::Protocol(58),
            "{protocol}"
        );
    }
    assert_eq!(matches("IPv4", "icmp"), Matches::Protocol(1));
}

#[test]
fn a_protocol_of_ipv6_does_not_go_with_ipv4() {
    for protocol in ["ipv6-icmp", "icmpv6", "58", "41", "43", "44", "59", "60"] {
        let shown = json!(protocol).to_string();
        assert_left_out(
            ranged("IPv4", protocol, Value::Null, Value::Null),
            "protocol",
            &shown,
        );
    }
}

#[test]
fn a_rule_for_an_extension_header_is_kept_with_a_warning() {
    for (protocol, number) in [("ipv6-route", 43), ("ipv6-frag", 44), ("60", 60)] {
        let changes = ranged("IPv6", protocol, Value::Null, Value::Null);
        let rule = assert_warned(changes, "protocol", &json!(protocol).to_string());
        assert_eq!(rule.matches, Matches::Protocol(number));
    }
}

#[test]
fn ports_go_with_the_five_protocols_that_have_them() {
    for (name, protocol) in [
        ("tcp", PortProtocol::Tcp),
        ("17", PortProtocol::Udp),
        ("sctp", PortProtocol::Sctp),
        ("dccp", PortProtocol::Dccp),
        ("136", PortProtocol::Udplite),
    ] {
        assert_eq!(
            good(ranged("IPv4", name, 80, 90)).matches,
            ports(protocol, 80, 90)
        );
    }
    assert_eq!(
        good(ranged("IPv4", "tcp", 65535, 65535)).matches,
        ports(PortProtocol::Tcp, 65535, 65535)
    );
}

#[test]
fn ports_on_a_protocol_without_ports_leave_the_rule_out() {
    for protocol in [json!("vrrp"), json!(null), json!("47"), json!("ah")] {
        assert_left_out(ranged("IPv4", protocol, 80, 80), "port_range_min", "80");
    }
    assert_left_out(
        ranged("IPv4", "gre", Value::Null, 80),
        "port_range_max",
        "80",
    );
}

#[test]
fn the_full_range_is_no_range_whatever_the_protocol() {
    for (protocol, expected) in [
        (json!("tcp"), Matches::Protocol(6)),
        (json!("icmp"), Matches::Protocol(1)),
        (json!("vrrp"), Matches::Protocol(112)),
        (json!(null), Matches::Any),
    ] {
        assert_eq!(good(ranged("IPv4", protocol, 1, 65535)).matches, expected);
    }
}

#[test]
fn half_inverted_or_impossible_port_ranges_leave_the_rule_out() {
    assert_left_out(ranged("IPv4", "tcp", 80, Value::Null), "port_range_max", "");
    assert_left_out(ranged("IPv4", "tcp", Value::Null, 80), "port_range_min", "");
    assert_left_out(ranged("IPv4", "tcp", 90, 80), "port_range_min", "90");
    assert_left_out(ranged("IPv4", "tcp", 0, 80), "port_range_min", "0");
    assert_left_out(ranged("IPv4", "tcp", 80, 65536), "port_range_max", "65536");
    assert_left_out(ranged("IPv4", "tcp", -1, 80), "port_range_min", "-1");
    assert_left_out(ranged("IPv4", "tcp", "80", 80), "port_range_min", "\"80\"");
    assert_left_out(ranged("IPv4", "tcp", 80.5, 81), "port_range_min", "80.5");
}

#[test]
fn an_icmp_rule_names_a_type_and_perhaps_a_code() {
    for (ethertype, protocol) in [("IPv4", "icmp"), ("IPv6", "icmp"), ("IPv6", "58")] {
        let read = |kind, code: Value| good(ranged(ethertype, protocol, kind, code)).matches;
        assert_eq!(
            read(0, json!(0)),
            Matches::Icmp {
                kind: 0,
                code: Some(0)
            }
        );
        assert_eq!(
            read(8, json!(null)),
            Matches::Icmp {
                kind: 8,
                code: None
            }
        );
        assert_eq!(
            read(3, json!(255)),
            Matches::Icmp {
                kind: 3,
                code: Some(255)
            }
        );
    }
}

#[test]
fn an_impossible_icmp_type_or_code_leaves_the_rule_out() {
    assert_left_out(ranged("IPv4", "icmp", Value::Null, 0), "port_range_min", "");
    assert_left_out(
        ranged("IPv4", "icmp", 256, Value::Null),
        "port_range_min",
        "256",
    );
    assert_left_out(ranged("IPv4", "icmp", 3, 256), "port_range_max", "256");
    assert_left_out(ranged("IPv6", "icmp", -1, 0), "port_range_min", "-1");
}

#[test]
fn icmp_type_255_is_any_icmp_of_ipv4_and_literal_in_ipv6() {
    let rule = assert_warned(ranged("IPv4", "icmp", 255, 3), "port_range_min", "255");
    assert_eq!(rule.matches, Matches::Protocol(1));
    let literal = Matches::Icmp {
        kind: 255,
        code: None,
    };
    assert_eq!(
        good(ranged("IPv6", "icmp", 255, Value::Null)).matches,
        literal
    );
}

#[test]
fn a_cidr_loses_its_host_bits_and_an_address_is_a_cidr_of_one() {
    let remote = |text: &str| good(json!({"remote_ip_prefix": text})).remote;
    let prefix = |text: &str| Remote::Prefix(text.parse().unwrap());
    assert_eq!(remote("10.1.2.3/8"), prefix("10.0.0.0/8"));
    assert_eq!(remote("10.1.2.3"), prefix("10.1.2.3/32"));
    assert_eq!(remote("0.0.0.0/0"), prefix("0.0.0.0/0"));
}

#[test]
fn a_bad_cidr_or_one_of_the_other_family_leaves_the_rule_out() {
    let prefix = |text: &str| json!({"remote_ip_prefix": text});
    assert_left_out(prefix("10.0.0.0/33"), "remote_ip_prefix", "\"10.0.0.0/33\"");
    assert_left_out(
        prefix("2001:db8::/64"),
        "remote_ip_prefix",
        "\"2001:db8::/64\"",
    );
    let v6 = json!({"ethertype": "IPv6", "remote_ip_prefix": "::ffff:10.0.0.0/104"});
    assert_eq!(good(v6).ethertype, Family::V6);
    let v4_in_v6 = json!({"ethertype": "IPv6", "remote_ip_prefix": "0.0.0.0/0"});
    assert_left_out(v4_in_v6, "remote_ip_prefix", "\"0.0.0.0/0\"");
    assert_left_out(json!({"remote_ip_prefix": 10}), "remote_ip_prefix", "10");
}

#[test]
fn a_rule_has_at_most_one_remote() {
    assert_eq!(good(json!({})).remote, Remote::Anyone);
    assert_eq!(
        good(json!({"remote_group_id": GROUP})).remote,
        Remote::Group(GROUP.parse().unwrap())
    );
    assert_eq!(
        good(json!({"remote_address_group_id": ADDRESS_GROUP})).remote,
        Remote::AddressGroup(ADDRESS_GROUP.parse().unwrap())
    );
    let two = json!({"remote_ip_prefix": "10.0.0.0/8", "remote_group_id": GROUP});
    assert_left_out(two, "remote_group_id", &json!(GROUP).to_string());
}

#[test]
fn a_remote_that_does_not_exist_leaves_the_rule_out() {
    for field in ["remote_group_id", "remote_address_group_id"] {
        assert_left_out(json!({field: MISSING}), field, MISSING);
        assert_left_out(json!({field: "web"}), field, "\"web\"");
        assert_left_out(json!({field: 3}), field, "3");
    }
}

#[test]
fn a_rule_with_an_id_that_is_none_is_left_out() {
    assert_left_out(json!({"id": "first"}), "id", "\"first\"");
}

#[test]
fn rules_without_ids_are_told_apart_by_their_places() {
    let rules = [without(rule(), "id"), without(rule(), "id")];
    let parsed = read(&document(&[], &[group(&rules)], &[]));
    assert_eq!(parsed.faults, []);
    let group = parsed.inventory.groups.values().next().unwrap();
    assert_ne!(group.rules[0].id, group.rules[1].id);
}

#[test]
fn a_field_that_narrows_a_rule_is_never_ignored() {
    assert_left_out(
        json!({"source_ip_prefix": "10.0.0.0/8"}),
        "source_ip_prefix",
        "\"10.0.0.0/8\"",
    );
}

/// A rule of a protocol with a range of source ports and one of destination ports, of which ends may be null.
fn paired(protocol: &str, source: [Value; 2], destination: [Value; 2]) -> Value {
    let [source_min, source_max] = source;
    let [min, max] = destination;
    let ranged = ranged("IPv4", protocol, min, max);
    let source = json!({"source_port_range_min": source_min, "source_port_range_max": source_max});
    with(ranged, source)
}

const NONE: [Value; 2] = [Value::Null, Value::Null];

fn pairs(protocol: PortProtocol, source: (u16, u16), destination: PortRange) -> Matches {
    let source = PortRange::new(source.0, source.1).unwrap();
    let pair = PortPair {
        source,
        destination,
    };
    Matches::Pairs(protocol, pair)
}

#[test]
fn source_ports_are_read_with_and_without_destination_ports() {
    let source = [json!(53), json!(54)];
    for (name, protocol) in [
        ("tcp", PortProtocol::Tcp),
        ("17", PortProtocol::Udp),
        ("sctp", PortProtocol::Sctp),
        ("dccp", PortProtocol::Dccp),
        ("udplite", PortProtocol::Udplite),
    ] {
        let both = good(paired(name, source.clone(), [json!(80), json!(90)]));
        let to = PortRange::new(80, 90).unwrap();
        assert_eq!(both.matches, pairs(protocol, (53, 54), to));
        let any = good(paired(name, source.clone(), NONE));
        assert_eq!(any.matches, pairs(protocol, (53, 54), PortRange::ALL));
    }
    // The agent's rules are not rewritten by the API: port 0 is none of these.
    let all = [json!(1), json!(65535)];
    assert_eq!(
        good(paired("udp", all.clone(), all)).matches,
        pairs(PortProtocol::Udp, (1, 65535), PortRange::ALL)
    );
}

#[test]
fn source_ports_that_are_no_range_leave_the_rule_out() {
    let (min, max) = ("source_port_range_min", "source_port_range_max");
    for (source, field, value) in [
        ([json!(53), json!(null)], max, ""),
        ([json!(null), json!(53)], min, ""),
        ([json!(54), json!(53)], min, "54"),
        ([json!(0), json!(53)], min, "0"),
        ([json!(53), json!(65536)], max, "65536"),
        ([json!("x"), json!(53)], min, "\"x\""),
    ] {
        assert_left_out(paired("udp", source, NONE), field, value);
    }
    let wrong = paired("udp", [json!(53), json!(53)], [json!(80), json!(null)]);
    assert_left_out(wrong, "port_range_max", "");
}

#[test]
fn source_ports_on_a_protocol_without_ports_leave_the_rule_out() {
    for protocol in ["icmp", "vrrp", "47", ""] {
        let rule = paired(protocol, [json!(134), json!(134)], NONE);
        assert_left_out(rule, "source_port_range_min", "134");
    }
    // As Neutron's server tells the agent of router advertisements.
    let advertisement = paired("ipv6-icmp", [json!(134), json!(null)], NONE);
    let advertisement = with(advertisement, json!({"ethertype": "IPv6"}));
    assert_left_out(advertisement, "source_port_range_min", "134");
}

#[test]
fn one_bad_rule_leaves_the_others_alone() {
    let bad = with(rule(), json!({"protocol": "vrrp"}));
    let good = with(rule(), json!({"id": OTHER_RULE}));
    let parsed = read(&document(&[], &[group(&[bad, good])], &[]));
    assert_fault(&parsed, "port_range_min", "80", Effect::RuleLeftOut);
    assert_eq!(the_rule(parsed).id, OTHER_RULE.parse().unwrap());
}
