use std::{collections::BTreeMap, time::Duration};

use super::*;
use crate::view::{
    AssuredView, Count, Counters, InventoryView, LostWhy, PortCounters, PortState, PortTally,
    SettingsView, SourceView, SweepView, TableView,
};

fn status() -> StatusView {
    StatusView {
        version: "0.1.0".into(),
        bpffs: "/sys/fs/bpf/sg".into(),
        attach: "tcx".into(),
        source: SourceView::default(),
        inventory: InventoryView {
            path: "/i.json".into(),
            revision: 3,
            last_error: None,
            apply_error: Some("full".into()),
        },
        restored: 1,
        retaken: 0,
        pinned_again: 0,
        adopted: 7,
        troubles: Vec::new(),
        interfaces: Vec::new(),
        ports: PortTally {
            enforcing: 2,
            ..PortTally::default()
        },
        tables: vec![TableView {
            name: "flows4".into(),
            used: 4,
            capacity: 100,
            bytes: 4096,
        }],
        memory: 8192,
        sweep: SweepView {
            removed: 9,
            seconds_ago: 1,
            ..SweepView::default()
        },
        settings: SettingsView {
            path: "/etc/sgd/sgd.toml".into(),
            last_error: None,
            notes: Vec::new(),
            settings: Vec::new(),
        },
        faults: Vec::new(),
    }
}

fn sample() -> Sample {
    let counts = |all: &[(&str, u64, u64)]| {
        let counts = all.iter().map(|(reason, packets, bytes)| {
            let (packets, bytes) = (*packets, *bytes);
            ((*reason).to_owned(), Count { packets, bytes })
        });
        counts.collect::<BTreeMap<_, _>>()
    };
    let applies = applies();
    applies.observe(0.002);
    Sample {
        status: status(),
        ports: vec![PortSample {
            counted: PortCounters {
                port: "11111111-1111-4111-8111-111111111111".into(),
                name: "web \"one\"".into(),
                interface: "tap11111111-11".into(),
                vlan: None,
                counters: Counters {
                    egress: counts(&[("established", 5, 500), ("no_rule", 0, 0)]),
                    ingress: counts(&[("no_rule", 2, 120)]),
                },
            },
            state: PortState::Enforcing,
            security_groups: Vec::new(),
            zone: Some(1),
            connections: Some(AssuredView {
                assured: 4,
                quota: Some(50),
            }),
        }],
        applies,
        events: EventTotals {
            told: 5,
            over_rate: 2,
            unread: 1,
            readers: 1,
        },
        logs: BTreeMap::from([(
            "/var/log/sgd/drops.log".into(),
            LogTotals {
                written: 11,
                lost: BTreeMap::from([(LostWhy::Log, 3)]),
                failure: None,
            },
        )]),
        programs: vec![ProgramTime {
            name: "from_vm".into(),
            runs: 5,
            time: Duration::from_micros(2),
        }],
    }
}

#[test]
fn a_sample_is_text_that_prometheus_reads() {
    let text = exposition(sample());
    for line in [
        "sg_build_info{version=\"0.1.0\",attach=\"tcx\"} 1",
        "sg_ports{state=\"enforcing\"} 2",
        "sg_desired_revision 3",
        "sg_desired_behind 1",
        "sg_filters_restored_total 1",
        "sg_connections_adopted_total 7",
        "sg_table_entries{table=\"flows4\"} 4",
        "sg_table_capacity_entries{table=\"flows4\"} 100",
        "sg_table_memory_bytes{table=\"flows4\"} 4096",
        "sg_memory_bytes 8192",
        "sg_sweep_age_seconds 1",
        "sg_events_told_total 5",
        "sg_events_lost_total{why=\"rate\"} 2",
        "sg_events_lost_total{why=\"reader\"} 1",
        "sg_event_readers 1",
        "sg_log_lines_total{to=\"/var/log/sgd/drops.log\"} 11",
        "sg_log_lost_lines_total{to=\"/var/log/sgd/drops.log\",why=\"log\"} 3",
        "sg_apply_seconds_count 1",
        "sg_apply_seconds_bucket{le=\"0.005\"} 1",
        "sg_program_runs_total{program=\"from_vm\"} 5",
        "sg_program_run_seconds_total{program=\"from_vm\"} 0.000002",
    ] {
        assert!(text.lines().any(|one| one == line), "{line}:\n{text}");
    }
    assert!(text.ends_with("# EOF\n"));
}

#[test]
fn a_port_is_told_with_what_became_of_its_packets_and_zeros_are_left_out() {
    let text = exposition(sample());
    let of_port: Vec<_> = text
        .lines()
        .filter(|line| line.starts_with("sg_port_"))
        .collect();
    let port = "port=\"11111111-1111-4111-8111-111111111111\",interface=\"tap11111111-11\"";
    assert_eq!(
        of_port,
        [
            format!("sg_port_state{{{port},name=\"web \\\"one\\\"\",state=\"enforcing\"}} 1"),
            format!(
                "sg_port_packets_total{{{port},direction=\"egress\",verdict=\"accept\",reason=\"established\"}} 5"
            ),
            format!(
                "sg_port_packets_total{{{port},direction=\"ingress\",verdict=\"drop\",reason=\"no_rule\"}} 2"
            ),
            format!(
                "sg_port_bytes_total{{{port},direction=\"egress\",verdict=\"accept\",reason=\"established\"}} 500"
            ),
            format!(
                "sg_port_bytes_total{{{port},direction=\"ingress\",verdict=\"drop\",reason=\"no_rule\"}} 120"
            ),
            format!("sg_port_connections{{{port}}} 4"),
            format!("sg_port_connections_limit{{{port}}} 50"),
        ]
    );
}

#[test]
fn every_family_has_its_kind_its_unit_and_what_it_means() {
    let text = exposition(sample());
    let families: Vec<_> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE "))
        .collect();
    assert!(families.len() > 20, "{families:?}");
    for family in families {
        let (name, _) = family.split_once(' ').unwrap();
        assert!(text.contains(&format!("# HELP {name} ")), "{name}");
        for unit in ["seconds", "bytes"] {
            let has_unit = text.contains(&format!("# UNIT {name} {unit}"));
            assert_eq!(name.ends_with(unit), has_unit, "{name}");
        }
    }
}
