//! What may stand for an address, a CIDR and a MAC.

use serde_json::json;

use super::*;

fn with_fixed_ip(address: &str) -> Parsed {
    let port = with(port(), json!({"fixed_ips": [{"ip_address": address}]}));
    read(&document(&[port], &[group(&[])], &[]))
}

fn with_pair(address: &str) -> Parsed {
    let pairs = json!([{"ip_address": address}]);
    let port = with(port(), json!({"allowed_address_pairs": pairs}));
    read(&document(&[port], &[group(&[])], &[]))
}

fn with_prefix(prefix: &str) -> Parsed {
    let ethertype = if prefix.contains(':') { "IPv6" } else { "IPv4" };
    let changes = json!({"remote_ip_prefix": prefix, "ethertype": ethertype});
    read(&document(&[], &[group(&[with(rule(), changes)])], &[]))
}

/// Addresses that no host has, and what each is.
const NO_HOSTS: [(&str, &str); 12] = [
    ("0.0.0.0", "the unspecified address"),
    ("127.0.0.1", "a loopback address"),
    ("127.255.0.9", "a loopback address"),
    ("224.0.0.5", "multicast"),
    ("239.255.255.255", "multicast"),
    ("255.255.255.255", "the broadcast address"),
    ("::", "the unspecified address"),
    ("::1", "a loopback address"),
    ("ff02::1", "multicast"),
    ("::ffff:10.0.0.5", "an IPv4 address in the form of IPv6"),
    ("0:0:0:0:0:0:0:0", "the unspecified address"),
    ("FF02::5", "multicast"),
];

#[test]
fn a_fixed_ip_that_no_host_has_closes_the_port() {
    for (address, what) in NO_HOSTS {
        let parsed = with_fixed_ip(address);
        let shown = format!("{address:?}");
        assert_fault(&parsed, "fixed_ips", &shown, Effect::PortClosed);
        assert_eq!(the_fault(&parsed).problem, format!("is {what}"));
        assert!(parsed.inventory.ports.is_empty());
    }
}

#[test]
fn a_pair_of_an_address_that_no_host_has_is_left_out() {
    let prefixes = [
        ("0.0.0.0/32", "the unspecified address"),
        ("127.0.0.0/8", "a loopback address"),
        ("224.0.0.0/4", "multicast"),
        ("ff00::/8", "multicast"),
    ];
    for (address, what) in NO_HOSTS.into_iter().chain(prefixes) {
        let parsed = with_pair(address);
        let shown = format!("{address:?}");
        assert_fault(
            &parsed,
            "allowed_address_pairs",
            &shown,
            Effect::PairLeftOut,
        );
        assert_eq!(the_fault(&parsed).problem, format!("is {what}"));
    }
}

#[test]
fn a_prefix_that_holds_such_addresses_among_others_is_a_pair() {
    for prefix in [
        "0.0.0.0/0",
        "0.0.0.0/1",
        "128.0.0.0/1",
        "192.0.0.0/2",
        "224.0.0.0/3",
        "0.0.0.0/8",
        "::/0",
        "8000::/1",
        "::/64",
    ] {
        let parsed = with_pair(prefix);
        assert_eq!(parsed.faults, [], "{prefix}");
        let ports = &parsed.inventory.ports;
        let pairs: Vec<_> = ports.values().flat_map(|port| &port.pairs).collect();
        assert_eq!(pairs[0].net.to_string(), prefix);
    }
}

#[test]
fn a_rule_may_be_for_any_address() {
    for prefix in [
        "224.0.0.5/32",
        "255.255.255.255",
        "ff02::/16",
        "127.0.0.0/8",
        "::1",
    ] {
        assert_eq!(with_prefix(prefix).faults, [], "{prefix}");
    }
}

#[test]
fn leading_zeros_are_not_guessed_at() {
    for (parsed, field, value) in [
        (
            with_prefix("010.0.0.0/8"),
            "remote_ip_prefix",
            "\"010.0.0.0/8\"",
        ),
        (
            with_prefix("10.0.0.0/08"),
            "remote_ip_prefix",
            "\"10.0.0.0/08\"",
        ),
        (
            with_pair("10.0.0.09"),
            "allowed_address_pairs",
            "\"10.0.0.09\"",
        ),
        (with_fixed_ip("10.00.0.9"), "fixed_ips", "\"10.00.0.9\""),
    ] {
        let fault = the_fault(&parsed);
        assert_eq!((&*fault.field, &*fault.value), (field, value));
        assert!(fault.problem.contains("leading zero"), "{fault}");
    }
}

#[test]
fn what_only_looks_like_a_cidr_is_none() {
    for prefix in [
        "10.0.0.0/+8",
        "10.0.0.0/",
        "/8",
        "10.0.0.0/8/8",
        "10.5/16",
        "10.0.0.0/33",
        "2001:db8::/129",
    ] {
        let parsed = with_prefix(prefix);
        let shown = format!("{prefix:?}");
        assert_fault(&parsed, "remote_ip_prefix", &shown, Effect::RuleLeftOut);
        assert_eq!(the_fault(&parsed).problem, "is not a CIDR");
    }
    assert_eq!(with_prefix("10.1.2.3/0").faults, []);
}

#[test]
fn a_mac_that_no_station_has_is_named_as_what_it_is() {
    for (mac, what) in [
        ("00:00:00:00:00:00", "is the MAC address of no station"),
        ("000000000000", "is the MAC address of no station"),
        ("01:00:5e:00:00:05", "is a multicast MAC address"),
        ("ff:ff:ff:ff:ff:ff", "is a multicast MAC address"),
    ] {
        let shown = format!("{mac:?}");
        let port_mac = with(port(), json!({"mac_address": mac}));
        let parsed = read(&document(&[port_mac], &[group(&[])], &[]));
        assert_fault(&parsed, "mac_address", &shown, Effect::PortClosed);
        assert_eq!(the_fault(&parsed).problem, what);

        let pairs = json!([{"ip_address": "10.0.0.99", "mac_address": mac}]);
        let pair_mac = with(port(), json!({"allowed_address_pairs": pairs}));
        let parsed = read(&document(&[pair_mac], &[group(&[])], &[]));
        assert_fault(
            &parsed,
            "allowed_address_pairs",
            &shown,
            Effect::PairLeftOut,
        );
        assert_eq!(the_fault(&parsed).problem, what);
    }
}
