//! Operators look into the filter with bpftool.

use std::env;
use std::fs;
use std::process::Command;

use sg_tests::node::{Node, Output};

use crate::site::{HTTP, Site, site};

#[test]
fn bpftool_loads_the_object_and_dumps_every_map_by_name() {
    let mut site_ = Site::new("bpftool");
    site_.node.start(&site(&[HTTP]));
    let object = env::var("SG_EBPF_OBJECT").expect("SG_EBPF_OBJECT says where the object is");
    let programs = site_.node.bpffs().join("try");

    let load = ["prog", "loadall", &object, programs.to_str().unwrap()];
    bpftool(&site_.node, &load).expect(0);
    for program in [
        "from_vm",
        "to_vm",
        "whole_from_vm",
        "whole_to_vm",
        "from_vm_xdp",
    ] {
        assert!(programs.join(program).exists(), "no program {program}");
    }

    let maps = site_.node.map("ports");
    let maps = fs::read_dir(maps.parent().unwrap()).unwrap();
    let mut dumped = 0;
    for map in maps.flatten() {
        // The counters of all CPUs and ports are many lines; the others are small here.
        let path = map.path();
        let path = path.to_str().unwrap();
        // Queues and rings have no keys to go by, so bpftool dumps none; and the places of all interfaces are
        // many.
        let shown = ["/turns4", "/turns6", "/events", "/AYA_LOGS", "/slots"];
        let verb = match shown.iter().any(|map| path.ends_with(map)) {
            true => "show",
            false => "dump",
        };
        bpftool(&site_.node, &["map", verb, "pinned", path]).expect(0);
        dumped += 1;
    }
    assert_eq!(dumped, sg_common::layout::maps::LAYOUTS.len());
    let slots = site_.node.map("slot_ports");
    let dump = bpftool(
        &site_.node,
        &["map", "dump", "pinned", slots.to_str().unwrap()],
    );
    for field in ["ifindex", "vlan", "generation", "policies"] {
        assert!(dump.stdout.contains(field), "{field}: {}", dump.stdout);
    }
}

#[test]
fn the_tables_of_a_port_have_types_as_all_other_maps_have() {
    let mut site_ = Site::new("types");
    site_.node.start(&site(&[HTTP]));
    for kind in ["embryos4", "embryos6", "fragments"] {
        let tables = site_.node.map(kind);
        let dump = ["map", "dump", "pinned", tables.to_str().unwrap()];
        let dump = bpftool(&site_.node, &dump).stdout;
        let table = first_value(&dump).unwrap_or_else(|| panic!("no table in {kind}: {dump}"));
        let table = table.to_string();
        let shown = bpftool(&site_.node, &["map", "show", "id", &table]);
        assert!(shown.stdout.contains("btf_id"), "{kind}: {}", shown.stdout);
    }
}

/// The number in a dump of lines `key: 01 00 00 00  value: 35 4f 00 00`.
fn first_value(dump: &str) -> Option<u32> {
    let bytes = dump.split("value:").nth(1)?.split_whitespace();
    let bytes: Vec<u8> = bytes
        .map_while(|byte| u8::from_str_radix(byte, 16).ok())
        .collect();
    Some(u32::from_le_bytes(*bytes.first_chunk()?))
}

fn bpftool(node: &Node, words: &[&str]) -> Output {
    let mut command = Command::new("bpftool");
    command.args(words);
    node.output(command)
}
