use serde_json::json;

use super::*;
use crate::model::{Interface, Mac, Port, Security};

const NO_RULES: &[Value] = &[];

fn read_port(port: Value) -> Parsed {
    read(&document(&[port], &[group(NO_RULES)], &[]))
}

fn good(port: Value) -> Port {
    let parsed = read_port(port);
    assert_eq!(parsed.faults, []);
    parsed.inventory.ports.into_values().next().unwrap()
}

fn assert_closed(port: Value, field: &str, value: &str) {
    let parsed = read_port(port);
    assert_fault(&parsed, field, value, Effect::PortClosed);
    assert!(parsed.inventory.ports.is_empty());
    assert_eq!(parsed.inventory.closed.len(), 1);
}

#[test]
fn a_port_of_the_api_is_read_whole() {
    let port = good(port());
    assert_eq!(port.name, "WEB1");
    assert_eq!(port.interface.as_str(), "tap11111111-11");
    assert_eq!(port.mac, Mac([0xfa, 0x16, 0x3e, 0, 0, 5]));
    assert_eq!(
        port.fixed_ips,
        ["10.0.0.5".parse::<std::net::IpAddr>().unwrap()]
    );
    assert_eq!(port.groups, [GROUP.parse().unwrap()]);
    assert_eq!(port.security, Security::Filtered);
}

#[test]
fn a_port_may_name_its_interface() {
    assert_eq!(
        good(with(port(), json!({"device": "web1"})))
            .interface
            .as_str(),
        "web1"
    );
}

#[test]
fn fixed_ips_may_be_plain_strings_as_in_the_agents_rpc() {
    let port = good(with(
        port(),
        json!({"fixed_ips": ["10.0.0.5", {"ip_address": "2001:db8::5"}]}),
    ));
    let text: Vec<String> = port.fixed_ips.iter().map(ToString::to_string).collect();
    assert_eq!(text, ["10.0.0.5", "2001:db8::5"]);
}

#[test]
fn a_port_without_port_security_or_of_the_network_is_not_filtered() {
    let off = with(port(), json!({"port_security_enabled": false}));
    assert_eq!(good(off).security, Security::PortSecurityOff);
    let trusted = with(port(), json!({"device_owner": "network:dhcp"}));
    assert_eq!(good(trusted).security, Security::Trusted);
    let on = with(
        port(),
        json!({"port_security_enabled": true, "device_owner": "networkx"}),
    );
    assert_eq!(good(on).security, Security::Filtered);
}

#[test]
fn absent_and_null_fields_have_the_defaults_of_the_api() {
    let changes = json!({
        "port_security_enabled": null, "device_owner": null, "device": null, "name": null,
        "allowed_address_pairs": null, "security_groups": null,
    });
    let port = good(with(port(), changes));
    assert_eq!(
        (port.security, port.pairs.len(), port.groups.len()),
        (Security::Filtered, 0, 0)
    );
}

#[test]
fn an_empty_string_is_null_where_null_is_allowed() {
    let changes = json!({
        "port_security_enabled": "", "device_owner": "", "device": "", "name": "",
        "allowed_address_pairs": "", "security_groups": "", "trunk_details": "",
    });
    let port = good(with(port(), changes));
    assert_eq!(port.interface.as_str(), "tap11111111-11");
    assert_eq!((port.security, port.trunk), (Security::Filtered, None));
}

#[test]
fn a_field_of_the_wrong_type_closes_the_port() {
    for (field, value) in [
        ("id", json!(7)),
        ("mac_address", json!(["fa:16:3e:00:00:05"])),
        ("fixed_ips", json!("10.0.0.5")),
        ("security_groups", json!(GROUP)),
        ("port_security_enabled", json!("false")),
        ("device_owner", json!(0)),
        ("device", json!(true)),
    ] {
        let shown = value.to_string();
        assert_closed(with(port(), json!({field: value})), field, &shown);
    }
}

#[test]
fn a_value_that_cannot_be_read_closes_the_port() {
    for (field, value, shown) in [
        ("id", json!("WEB1"), "\"WEB1\""),
        ("mac_address", json!("fa:16:3e"), "\"fa:16:3e\""),
        (
            "mac_address",
            json!("01:00:5e:00:00:01"),
            "\"01:00:5e:00:00:01\"",
        ),
        ("fixed_ips", json!([{"ip_address": "10.0.0"}]), "\"10.0.0\""),
        (
            "fixed_ips",
            json!([{"subnet_id": "x"}]),
            "{\"subnet_id\":\"x\"}",
        ),
        ("fixed_ips", json!(["10.0.0.5", 6]), "6"),
        ("security_groups", json!([GROUP, "web"]), "\"web\""),
        ("device", json!("sixteen-letters-"), "\"sixteen-letters-\""),
        ("device", json!("a/b"), "\"a/b\""),
    ] {
        assert_closed(with(port(), json!({field: value})), field, shown);
    }
}

#[test]
fn a_missing_field_that_widens_access_closes_the_port() {
    assert_closed(without(port(), "mac_address"), "mac_address", "");
    // No fixed IPs at all would allow any source.
    assert_closed(without(port(), "fixed_ips"), "fixed_ips", "");
    assert_closed(with(port(), json!({"fixed_ips": null})), "fixed_ips", "");
}

#[test]
fn the_interface_of_a_closed_port_is_known_where_it_can_be() {
    let interface = |port| {
        let inventory = read_port(port).inventory;
        inventory
            .interfaces()
            .map(|interface| interface.to_string())
            .collect::<Vec<_>>()
    };
    let bad = with(port(), json!({"mac_address": "?"}));
    assert_eq!(interface(bad.clone()), ["tap11111111-11"]);
    assert_eq!(
        interface(with(bad.clone(), json!({"device": "web1"}))),
        ["web1"]
    );
    assert_eq!(
        interface(with(bad.clone(), json!({"device": "web1", "id": 1}))),
        ["web1"]
    );
    assert!(interface(with(bad.clone(), json!({"device": 1}))).is_empty());
    assert!(interface(with(bad, json!({"id": 1}))).is_empty());
}

#[test]
fn two_ports_on_one_interface_are_both_closed() {
    let one = with(port(), json!({"device": "web"}));
    let other = with(
        port(),
        json!({"id": OTHER_PORT, "name": "WEB2", "device": "web"}),
    );
    let third = with(port(), json!({"id": MISSING, "name": "WEB3"}));
    let parsed = read(&document(&[one, other, third], &[group(NO_RULES)], &[]));
    let faults: Vec<_> = parsed
        .faults
        .iter()
        .map(|f| (&*f.object.name, &*f.field, f.effect))
        .collect();
    let closed = Effect::PortClosed;
    assert_eq!(
        faults,
        [("WEB1", "device", closed), ("WEB2", "device", closed)]
    );
    assert_eq!(parsed.inventory.ports.len(), 1);
    assert_eq!(parsed.inventory.closed.len(), 2);
}

#[test]
fn a_good_port_on_the_interface_of_a_closed_one_is_closed_too() {
    let good = with(port(), json!({"device": "web"}));
    let bad = with(
        port(),
        json!({"id": OTHER_PORT, "device": "web", "mac_address": "?"}),
    );
    let parsed = read(&document(&[good, bad], &[group(NO_RULES)], &[]));
    assert_eq!(parsed.faults.len(), 2);
    assert!(parsed.inventory.ports.is_empty());
}

#[test]
fn two_ports_of_one_id_are_both_closed() {
    let other = with(port(), json!({"id": PORT.to_uppercase(), "device": "web2"}));
    let parsed = read(&document(&[port(), other], &[group(NO_RULES)], &[]));
    assert_eq!(parsed.faults.len(), 2);
    assert!(
        parsed
            .faults
            .iter()
            .all(|f| f.field == "id" && f.effect == Effect::PortClosed)
    );
    assert!(parsed.inventory.ports.is_empty());
    let interfaces: Vec<_> = parsed
        .inventory
        .interfaces()
        .map(Interface::as_str)
        .collect();
    assert_eq!(interfaces, ["tap11111111-11", "web2"]);
}

#[test]
fn a_group_that_does_not_exist_is_left_out_of_the_port() {
    let parsed = read_port(with(
        port(),
        json!({"security_groups": [MISSING, GROUP, GROUP]}),
    ));
    assert_fault(
        &parsed,
        "security_groups",
        MISSING,
        Effect::ReferenceLeftOut,
    );
    let port = parsed.inventory.ports.values().next().unwrap();
    assert_eq!(port.groups, [GROUP.parse().unwrap()]);
}

#[test]
fn the_mac_of_a_pair_is_the_ports_unless_given() {
    let pairs = json!([
        {"ip_address": "10.0.0.99"},
        {"ip_address": "10.1.2.3/16", "mac_address": "FA-16-3E-00-00-06"},
        {"ip_address": "0.0.0.0/0", "mac_address": null},
        {"ip_address": "::/0"},
    ]);
    let port = good(with(port(), json!({"allowed_address_pairs": pairs})));
    let text: Vec<_> = port
        .pairs
        .iter()
        .map(|pair| format!("{} {}", pair.net, pair.mac))
        .collect();
    assert_eq!(
        text,
        [
            "10.0.0.99/32 fa:16:3e:00:00:05",
            "10.1.0.0/16 fa:16:3e:00:00:06",
            "0.0.0.0/0 fa:16:3e:00:00:05",
            "::/0 fa:16:3e:00:00:05",
        ]
    );
}

#[test]
fn a_bad_pair_is_left_out_and_the_good_ones_stay() {
    for (pair, field, shown) in [
        (
            json!({"ip_address": "10.0.0.0/33"}),
            "allowed_address_pairs",
            "\"10.0.0.0/33\"",
        ),
        (
            json!({"ip_address": 4}),
            "allowed_address_pairs.ip_address",
            "4",
        ),
        (json!({}), "allowed_address_pairs", ""),
        (json!("10.0.0.9"), "allowed_address_pairs", "\"10.0.0.9\""),
        (
            json!({"ip_address": "224.0.0.5"}),
            "allowed_address_pairs",
            "\"224.0.0.5\"",
        ),
        (
            json!({"ip_address": "ff02::1"}),
            "allowed_address_pairs",
            "\"ff02::1\"",
        ),
        (
            json!({"ip_address": "10.0.0.9", "mac_address": "01:00:5e:00:00:01"}),
            "allowed_address_pairs",
            "\"01:00:5e:00:00:01\"",
        ),
        (
            json!({"ip_address": "10.0.0.9", "mac_address": 5}),
            "allowed_address_pairs.mac_address",
            "5",
        ),
    ] {
        let pairs = json!([{"ip_address": "10.0.0.99"}, pair]);
        let parsed = read_port(with(port(), json!({"allowed_address_pairs": pairs})));
        assert_fault(&parsed, field, shown, Effect::PairLeftOut);
        assert_eq!(
            parsed.inventory.ports.values().next().unwrap().pairs.len(),
            1
        );
    }
}

#[test]
fn pairs_that_are_no_list_are_left_out_together() {
    let parsed = read_port(with(port(), json!({"allowed_address_pairs": {}})));
    assert_fault(&parsed, "allowed_address_pairs", "{}", Effect::PairsLeftOut);
    assert_eq!(parsed.inventory.ports.len(), 1);
}
