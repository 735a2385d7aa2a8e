//! Documents as large as they come: what they cost grows with them, and no faster. What is measured here takes
//! tenths of a second, or hours if it is forgotten.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sg_common::layout::port::PortKey;

use crate::compile::{Compiled, Limits, compile};
use crate::model::{Parsed, parse};

const GROUP: &str = "5a000000-0000-4000-8000-000000000001";

/// Much longer than it takes on a busy machine, without optimisation.
const SOON: Duration = Duration::from_secs(300);

fn soon<T>(work: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let done = work();
    let took = start.elapsed();
    assert!(took < SOON, "it took {took:?}");
    done
}

fn read(text: &str) -> Parsed {
    soon(|| parse(text.as_bytes())).unwrap()
}

/// A port whose group has these rules.
fn with_rules(rules: impl Iterator<Item = Value>) -> Parsed {
    let rules = rules.enumerate().map(|(number, mut rule)| {
        rule["id"] = json!(format!("12000000-0000-4000-8000-{number:012}"));
        rule["direction"] = json!("ingress");
        rule
    });
    let port = json!({
        "id": "11111111-0000-4000-8000-000000000005", "mac_address": "fa:16:3e:00:00:05",
        "fixed_ips": [{"ip_address": "10.0.0.5"}], "security_groups": [GROUP],
    });
    let group = json!({"id": GROUP, "security_group_rules": rules.collect::<Vec<_>>()});
    read(&json!({"ports": [port], "security_groups": [group]}).to_string())
}

fn compiled(parsed: &Parsed, limits: &Limits) -> Compiled {
    soon(|| compile(&parsed.inventory, &|_| Some(PortKey::new(7, 0)), limits))
}

fn tcp(low: u16, high: u16) -> Value {
    json!({"protocol": "tcp", "port_range_min": low, "port_range_max": high})
}

fn from(cidr: String, mut rule: Value) -> Value {
    rule["remote_ip_prefix"] = cidr.into();
    rule
}

#[test]
fn two_hundred_thousand_unknown_fields_are_each_named() {
    let fields: Vec<_> = (0..200_000).map(|n| format!("\"field{n}\":1")).collect();
    let text = format!(
        "{{\"ports\":[],\"security_groups\":[],{}}}",
        fields.join(",")
    );
    assert_eq!(read(&text).faults.len(), 200_000);
}

#[test]
fn a_name_of_megabytes_is_a_fault_like_any() {
    let name = "remote_ip_prefx".repeat(1 << 18);
    let text = format!("{{\"ports\":[],\"security_groups\":[],\"{name}\":1}}");
    let faults = read(&text).faults;
    assert_eq!(faults.len(), 1);
    assert!(
        faults[0].advice.starts_with("write "),
        "{}",
        faults[0].advice
    );
}

#[test]
fn a_set_of_every_second_port_is_one_row_and_all_ports_are_none() {
    let parsed = with_rules((1..=u16::MAX).step_by(2).map(|port| tcp(port, port)));
    assert_eq!(parsed.faults, []);
    let rows = compiled(&parsed, &Limits::default()).image.rows;
    assert_eq!(rows.port_sets.len(), 1);
    let all = with_rules((1..=u16::MAX).map(|port| tcp(port, port)));
    let rows = compiled(&all, &Limits::default()).image.rows;
    assert_eq!(rows.port_sets.len(), 0, "they are one range");
}

#[test]
fn a_cidr_that_is_named_twice_is_one_row() {
    let twice = [tcp(22, 22), tcp(80, 80)].map(|rule| from("10.0.0.0/8".into(), rule));
    let parsed = with_rules(twice.into_iter());
    let rows = compiled(&parsed, &Limits::default()).image.rows;
    assert_eq!((rows.prefixes.len(), rows.grants.len()), (1, 1));
}

#[test]
fn a_hundred_thousand_rules_that_do_not_fit_close_their_port_and_name_the_setting() {
    let cidr = |n: u32| format!("{}/32", std::net::Ipv4Addr::from_bits(0x0a00_0000 + n));
    let parsed = with_rules((0..100_000).map(|n| from(cidr(n), tcp(80, 80))));
    assert_eq!(parsed.faults, []);
    let compiled = compiled(
        &parsed,
        &Limits {
            prefixes: 1000,
            ..Limits::default()
        },
    );
    assert_eq!(compiled.closed.len(), 1);
    let faults = compiled.left_out();
    let said = faults[0].to_string();
    assert!(said.contains("--max-prefixes 100000"), "{said}");
    assert!(
        compiled.image.rows.prefixes.is_empty(),
        "nothing of it is written"
    );
}

#[test]
fn rules_within_the_cidrs_of_many_others_add_up() {
    let outer = (0..500).map(|n| from("10.0.0.0/8".into(), tcp(1 + 2 * n, 1 + 2 * n)));
    let inner = (0..500).map(|n| from(format!("10.1.{}.{}/32", n / 250, n % 250), tcp(2, 2)));
    let parsed = with_rules(outer.chain(inner));
    let rows = compiled(&parsed, &Limits::default()).image.rows;
    assert_eq!((rows.prefixes.len(), rows.port_sets.len()), (501, 2));
}

#[test]
fn of_thousands_of_source_ports_those_without_room_are_each_named_once() {
    let ports = |n: u16| {
        json!({
            "protocol": "udp", "source_port_range_min": 2 * n, "source_port_range_max": 2 * n,
            "port_range_min": 2 * n, "port_range_max": 2 * n,
        })
    };
    let parsed = with_rules((1..=2000).map(ports));
    assert_eq!(parsed.faults, []);
    let compiled = compiled(&parsed, &Limits::default());
    let left_out = soon(|| compiled.left_out());
    assert_eq!(left_out.len(), 2000 - sg_common::layout::policy::PAIRS);
}
