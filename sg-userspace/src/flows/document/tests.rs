use proptest::prelude::*;
use serde_json::{Value, json};
use sg_common::hook::Hook;

use super::*;

const NOW: Ticks = 5_000;

fn port() -> PortId {
    "11111111-0000-4000-8000-000000000005".parse().unwrap()
}

fn record(protocol: u8) -> (FlowKey, Flow) {
    let address = |text: &str| from_ip(&text.parse().unwrap());
    let key = FlowKey::new(
        Whose::new(9, protocol, Family::V4, false),
        [address("10.0.0.5"), address("198.51.100.7")],
        [22, 40000],
    );
    let mut flow = Flow::new(Hook::ToVm, 77, 0xdead_beef);
    flow.expires = NOW + 100;
    flow.end = [NOW + 10, 3];
    flow.max_ack = [4, 5];
    flow.change(|word| {
        word.set_state(3);
        word.set_assured(true);
        word.set_revoked(true);
        word.set_source_vouched(true);
    });
    (key, flow)
}

fn document(protocol: u8) -> FlowDocument {
    let mut document = FlowDocument::new(port(), 9_000);
    let (key, flow) = record(protocol);
    document.push(&key, &flow, NOW);
    document
}

fn parsed(document: &Value) -> Result<FlowDocument, String> {
    FlowDocument::parse(&serde_json::to_vec(document).unwrap())
}

#[test]
fn a_connection_arrives_with_all_that_the_filter_knows_of_it() {
    let document = document(protocol::TCP);
    let bytes = serde_json::to_vec(&document).unwrap();
    assert_eq!(FlowDocument::parse(&bytes), Ok(document.clone()));
    let record_ = &document.flows[0];
    let (key, before) = record(protocol::TCP);
    assert_eq!(record_.key(9), key);
    let after = record_.flow(1_000_000, 30, 43).unwrap();
    assert_eq!(after.expires, 1_000_070, "it has lived on under way");
    assert_eq!((after.end, after.max_ack), (before.end, before.max_ack));
    let word = after.word();
    assert_eq!((word.state(), word.assured(), word.nonce()), (3, true, 43));
    assert_eq!(after.generation, 0, "no port has it: it is judged again");
    assert!(!word.revoked() && !word.source_vouched());
}

#[test]
fn the_moment_when_udp_is_a_stream_moves_with_the_clock() {
    let flow = document(protocol::UDP).flows[0]
        .flow(1_000_000, 4, 0)
        .unwrap();
    assert_eq!(flow.end, [1_000_006, 3]);
}

#[test]
fn a_connection_that_has_ended_under_way_is_over() {
    let record = &document(protocol::TCP).flows[0];
    assert!(record.flow(0, 99, 0).is_some());
    assert!(record.flow(0, 100, 0).is_none() && record.flow(0, i32::MAX as u32, 0).is_none());
}

#[test]
fn a_clock_that_runs_behind_costs_no_lifetime() {
    let document = document(protocol::TCP);
    assert_eq!(document.age(12_000), 3_000);
    assert_eq!(document.age(2_000), 0);
}

#[test]
fn a_document_that_is_not_whole_of_this_form_and_layout_is_refused() {
    let good = serde_json::to_value(document(protocol::TCP)).unwrap();
    assert!(parsed(&good).is_ok());
    let with = |pointer: &str, value: Value| {
        let mut bad = good.clone();
        *bad.pointer_mut(pointer).expect(pointer) = value;
        parsed(&bad).expect_err(pointer)
    };
    for (pointer, value, says) in [
        ("/format", json!("other"), "format"),
        ("/version", json!(2), "version = 2"),
        ("/layout", json!(0), "layout = 0"),
        ("/port", json!("WEB1"), "not whole"),
        ("/flows/0/remote", json!("2001:db8::1"), "flows[0]: local"),
        ("/flows/0/remote_port", json!(65_536), "not whole"),
        ("/flows/0/expires", json!(0), "expires = 0"),
        ("/flows/0/expires", json!(u32::MAX), "expires"),
        ("/flows/0/word", json!(0), "TCP has no state 0"),
        ("/flows/0/icmp_request", json!(8), "icmp_request = 8"),
        ("/flows/0/protocol", json!(1), "icmp_request = 0"),
    ] {
        let error = with(pointer, value);
        assert!(error.contains(says), "{pointer}: {error}");
    }
    let mut twice = good.clone();
    let again = twice["flows"][0].clone();
    twice["flows"].as_array_mut().unwrap().push(again);
    assert!(parsed(&twice).unwrap_err().contains("flows[1]"));
    let mut more = good.clone();
    more["flows"][0]["colour"] = json!("red");
    assert!(parsed(&more).unwrap_err().contains("colour"));
    let text = good.to_string();
    assert!(FlowDocument::parse(&text.as_bytes()[..text.len() - 1]).is_err());
    assert!(FlowDocument::parse(b"").is_err() && FlowDocument::parse(b"[]").is_err());
}

proptest! {
    #[test]
    fn any_connection_comes_back_as_it_was(
        numbers in any::<[u32; 12]>(), ports in any::<[u16; 3]>(), protocol in 0_u8..=255,
        lifetime in 1..i32::MAX as u32, now in any::<u32>(),
    ) {
        prop_assume!(protocol != protocol::ICMP && protocol != protocol::ICMPV6);
        let (mut key, mut flow) = record(protocol);
        (key.local_port, key.remote_port) = (ports[0], ports[1]);
        let [a, b, c, d, e, f, g, h, i, j, k, l] = numbers;
        (flow.end, flow.max_end, flow.max_window, flow.max_ack) = ([a, b], [c, d], [e, f], [g, h]);
        (flow.last_sequence, flow.last_ack, flow.last_end) = (i, j, k);
        (flow.last_window, flow.window_scales, flow.last_options) = (ports[2], l as u8, (l >> 8) as u8);
        flow.expires = now.wrapping_add(lifetime);
        let mut document = FlowDocument::new(port(), 0);
        document.push(&key, &flow, now);
        let document = FlowDocument::parse(&serde_json::to_vec(&document).unwrap()).unwrap();
        let record = &document.flows[0];
        prop_assert_eq!(record.key(9), key);
        let nonce = flow.word().nonce();
        let mut back = record.flow(now, 0, nonce).unwrap();
        back.generation = flow.generation;
        back.change(|word| {
            word.set_revoked(true);
            word.set_source_vouched(true);
        });
        prop_assert_eq!(back, flow);
    }
}
