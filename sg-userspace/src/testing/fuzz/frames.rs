//! Frames, one after the other, at both hooks: each is answered, by the short lane as by the long way, and what
//! is refused leaves nothing.
//!
//! An input is frames, each behind a byte of flags and two of its length.

use std::collections::BTreeMap;

use serde_json::json;
use sg_common::filter::filter_by;
use sg_common::hook::Hook;
use sg_common::layout::flow::{Flow, FlowKey};
use sg_common::layout::port::PortKey;
use sg_common::layout::settings::{Settings, switch, ticks};
use sg_common::memory::{FlowMemory, Memory};
use sg_common::reason::Verdict;
use sg_common::scratch::Run;

use crate::compile::{Limits, compile};
use crate::model::parse;
use crate::plan::{State, plan};

const IFINDEX: u32 = 7;

/// Flags of a frame: the VM receives it; time passes before it.
const TO_VM: u8 = 1;
const PAUSE: u8 = 2;

/// A port with rules for everything that is tracked.
fn memory(strict: bool) -> Memory {
    const GROUP: &str = "5a000000-0000-4000-8000-000000000001";
    let rule = |number: u8, rest: serde_json::Value| {
        let mut rule = rest;
        rule["id"] = json!(format!("33333333-0000-4000-8000-0000000000{number:02}"));
        rule
    };
    let document = json!({
        "ports": [{
            "id": "11111111-0000-4000-8000-000000000005", "mac_address": "fa:16:3e:00:00:05",
            "fixed_ips": [{"ip_address": "10.0.0.5"}, {"ip_address": "2001:db8::5"}],
            "security_groups": [GROUP],
        }],
        "security_groups": [{"id": GROUP, "security_group_rules": [
            rule(1, json!({"direction": "egress", "ethertype": "IPv4"})),
            rule(2, json!({"direction": "egress", "ethertype": "IPv6", "protocol": "udp"})),
            rule(3, json!({"direction": "ingress", "protocol": "tcp", "port_range_min": 80, "port_range_max": 80})),
            rule(4, json!({"direction": "ingress", "protocol": "icmp", "remote_ip_prefix": "192.0.2.0/24"})),
        ]}],
    });
    let inventory = parse(document.to_string().as_bytes()).unwrap().inventory;
    let image = compile(
        &inventory,
        &|_| Some(PortKey::new(IFINDEX, 0)),
        &Limits::default(),
    )
    .image;
    let state = plan(&State::default(), &image, &Limits::default(), 1).state;
    let mut settings = Settings::DEFAULT;
    settings.switch(switch::TCP_STRICT, strict);
    settings.switch(switch::FRAGMENTS_UNORDERED, strict);
    Memory {
        settings,
        ..state.to_memory()
    }
}

fn stored(memory: &Memory) -> [BTreeMap<FlowKey, Flow>; 2] {
    let of = |table: &FlowMemory| {
        let table = table.borrow();
        table.iter().map(|(key, flow)| (*key, flow.get())).collect()
    };
    [of(&memory.flows), of(&memory.embryos)]
}

fn keys(memory: &Memory) -> usize {
    memory.flows.borrow().len() + memory.embryos.borrow().len() + memory.fragments.borrow().len()
}

fn judge<const LANE: bool>(memory: &Memory, hook: Hook, frame: &[u8]) -> Verdict {
    filter_by::<_, _, LANE>(hook, IFINDEX, frame, memory, &mut Run::EMPTY.clone())
}

fn check(input: &[u8]) {
    for strict in [false, true] {
        let lanes = [memory(strict), memory(strict)];
        let mut rest = input;
        while let [flags, high, low, behind @ ..] = rest {
            let length = usize::from(u16::from_be_bytes([*high, *low])).min(behind.len());
            let (frame, behind) = behind.split_at(length);
            rest = behind;
            let hook = match flags & TO_VM {
                0 => Hook::FromVm,
                _ => Hook::ToVm,
            };
            if flags & PAUSE != 0 {
                for memory in &lanes {
                    let clock = &memory.clock;
                    clock.set(clock.get().wrapping_add(ticks(u64::from(flags >> 2) * 40)));
                }
            }
            let before = keys(&lanes[0]);
            let verdict = judge::<true>(&lanes[0], hook, frame);
            assert_eq!(
                judge::<false>(&lanes[1], hook, frame),
                verdict,
                "the lanes differ"
            );
            assert_eq!(
                stored(&lanes[0]),
                stored(&lanes[1]),
                "the lanes leave other entries"
            );
            if verdict.is_err() {
                assert!(keys(&lanes[0]) <= before, "a refused frame left something");
            }
            let forged =
                hook == Hook::FromVm && frame.get(6..12) != Some(&[0xfa, 0x16, 0x3e, 0, 0, 5]);
            assert!(!forged || verdict.is_err(), "{verdict:?} of a forged frame");
        }
    }
}

super::target!("frames", check);
