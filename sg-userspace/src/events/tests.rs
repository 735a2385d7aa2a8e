//! Who is told what.

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use bytemuck::Zeroable;
use serde_json::{Value, json};
use sg_common::hook::Hook;
use sg_common::layout::events::{Action, Asked, Cause, Ended, Event};
use sg_common::layout::flow::{Flow, FlowKey, Whose};
use sg_common::reason::{Accept, DropReason, Verdict, verdict_counter};
use sg_common::wire::addr::{Family, from_v4};
use uuid::Uuid;

use super::*;
use crate::view::{EventsRequest, PacketView};

const WEB: &str = "11111111-1111-4111-8111-111111111111";
const DB: &str = "22222222-2222-4222-8222-222222222222";

/// A kernel that remembers what is wanted.
#[derive(Default)]
struct Kernel {
    wanted: Mutex<Wanted>,
    /// It takes what is wanted, and then says that it could not.
    refuses: Mutex<bool>,
    lost: Mutex<Vec<Lost>>,
}

impl Source for Kernel {
    fn want(&self, wanted: &Wanted) -> Result<()> {
        *self.wanted.lock().unwrap() = wanted.clone();
        match *self.refuses.lock().unwrap() {
            true => Err(crate::error::Error::Datapath("refused".into())),
            false => Ok(()),
        }
    }

    fn lost(&self) -> Result<Vec<Lost>> {
        Ok(std::mem::take(&mut self.lost.lock().unwrap()))
    }

    fn accounts(&self) -> Result<Vec<Accounted>> {
        Ok(Vec::new())
    }
}

impl Kernel {
    fn of(&self, port: &str) -> Asked {
        self.wanted.lock().unwrap().of(id(port))
    }
}

fn id(port: &str) -> PortId {
    port.parse().unwrap()
}

fn hub() -> (Arc<Kernel>, Arc<Hub>) {
    let kernel = Arc::new(Kernel::default());
    (kernel.clone(), Hub::new(kernel))
}

fn wanted(request: Value) -> Wanted {
    let request: EventsRequest = serde_json::from_value(request).unwrap();
    Wanted::parse(&request).unwrap()
}

fn lines(subscription: &mut Subscription) -> Vec<Value> {
    let lines = std::iter::from_fn(|| subscription.lines.try_recv().ok());
    lines
        .map(|line| {
            assert_eq!(line.last(), Some(&b'\n'));
            serde_json::from_slice(&line).unwrap()
        })
        .collect()
}

/// A record of a moment far ahead, so that it is after any subscription.
fn event(port: &str, verdict: Verdict, number: u64) -> Event {
    Event {
        time: (1 << 62) + number,
        uuid: port.parse::<Uuid>().unwrap().into_bytes(),
        what: Event::VERDICT,
        verdict: verdict_counter(&verdict) as u8,
        ..Event::zeroed()
    }
}

const REFUSED: Verdict = Err(DropReason::NoRule);
const ACCEPTED: Verdict = Ok(Accept::New);

#[test]
fn the_kernel_is_asked_for_the_sum_of_what_all_want_as_long_as_they_want_it() {
    let (kernel, hub) = hub();
    assert_eq!(kernel.of(WEB), Asked::NOTHING);
    let slow = hub
        .subscribe(wanted(json!({"ports": {WEB: ["accept", "drop"]}})), false)
        .unwrap();
    let of_web = kernel.of(WEB);
    assert_eq!(
        of_web.interval,
        [10_000_000, 10_000_000, 0, 0],
        "100 a second"
    );
    assert_eq!(of_web.slack, [240_000_000, 240_000_000, 0, 0], "25 at once");
    assert_eq!(kernel.of(DB), Asked::NOTHING);

    let fast = json!({"all": ["drop"], "rate": 1000, "burst": 1000});
    let fast = hub.subscribe(wanted(fast), false).unwrap();
    assert_eq!(kernel.of(WEB).interval, [10_000_000, 1_000_000, 0, 0]);
    assert_eq!(kernel.of(WEB).slack, [240_000_000, 999_000_000, 0, 0]);
    assert_eq!(kernel.of(DB).interval, [0, 1_000_000, 0, 0]);

    drop(fast);
    assert_eq!(kernel.of(WEB), of_web);
    drop(slow);
    assert_eq!(*kernel.wanted.lock().unwrap(), Wanted::default());
}

#[test]
fn each_gets_what_it_asked_for() {
    let (_kernel, hub) = hub();
    let mut web = hub
        .subscribe(wanted(json!({"ports": {WEB: ["accept", "drop"]}})), false)
        .unwrap();
    let mut drops = hub
        .subscribe(wanted(json!({"all": ["DROP"]})), false)
        .unwrap();
    for event in [
        event(WEB, ACCEPTED, 0),
        event(WEB, REFUSED, 1),
        event(DB, ACCEPTED, 2),
        event(DB, REFUSED, 3),
    ] {
        hub.tell(&event);
    }
    let of = |lines: Vec<Value>| -> Vec<(String, String)> {
        let word = |line: &Value, field: &str| line[field].as_str().unwrap().to_owned();
        let pairs = lines
            .iter()
            .map(|line| (word(line, "port"), word(line, "reason")));
        pairs.collect()
    };
    let pair = |port: &str, reason: &str| (port.to_owned(), reason.to_owned());
    assert_eq!(
        of(lines(&mut web)),
        [pair(WEB, "new"), pair(WEB, "no_rule")]
    );
    assert_eq!(
        of(lines(&mut drops)),
        [pair(WEB, "no_rule"), pair(DB, "no_rule")]
    );
}

#[test]
fn who_asked_for_little_gets_little_though_another_asked_for_much() {
    let (_kernel, hub) = hub();
    let mut little = hub
        .subscribe(wanted(json!({"all": ["drop"], "burst": 2})), false)
        .unwrap();
    let much = json!({"all": ["drop"], "burst": 1000});
    let mut much = hub.subscribe(wanted(much), false).unwrap();
    for number in 0..10 {
        hub.tell(&event(WEB, REFUSED, number));
    }
    assert_eq!(lines(&mut much).len(), 10);
    assert_eq!(lines(&mut little).len(), 2);
    hub.tell_lost();
    assert_eq!(lines(&mut much).len(), 0);
    // It was asked a moment ago what was lost, when the second began.
    std::thread::sleep(Duration::from_millis(1100));
    hub.tell_lost();
    let lost = &lines(&mut little)[0];
    assert_eq!((&lost["lost"], &lost["why"]), (&json!(8), &json!("rate")));
    assert_eq!(
        (&lost["port"], &lost["action"]),
        (&json!(WEB), &json!("DROP"))
    );
}

#[test]
fn a_reader_that_does_not_read_loses_events_is_told_how_many_and_holds_up_nobody() {
    const EVENTS: u64 = 10_000;
    let (_kernel, hub) = hub();
    let much = wanted(json!({"all": ["drop"], "burst": 1_000_000}));
    let mut slow = hub.subscribe(much.clone(), false).unwrap();
    let mut quick = hub.subscribe(much, false).unwrap();
    let mut read = 0;
    for number in 0..EVENTS {
        hub.tell(&event(WEB, REFUSED, number));
        read += lines(&mut quick).len() as u64;
    }
    assert_eq!(read, EVENTS);
    let kept = lines(&mut slow).len() as u64;
    assert!(kept < EVENTS);
    std::thread::sleep(Duration::from_millis(1100));
    hub.tell_lost();
    let lost = lines(&mut slow);
    assert_eq!(lost[0]["lost"], EVENTS - kept);
    assert_eq!(lost[0]["why"], "reader");
    assert!(lines(&mut quick).is_empty());
}

#[test]
fn what_the_kernel_has_lost_is_told_to_those_who_had_asked_for_it_by_then() {
    let (kernel, hub) = hub();
    let lose = |port, count| {
        *kernel.lost.lock().unwrap() = vec![Lost {
            port: id(port),
            action: Action::Drop,
            count,
        }];
    };
    let mut first = hub
        .subscribe(wanted(json!({"all": ["drop"]})), false)
        .unwrap();
    lose(WEB, 7);
    let mut second = hub
        .subscribe(wanted(json!({"ports": {DB: ["drop"]}})), false)
        .unwrap();
    assert_eq!(lines(&mut first)[0]["lost"], 7);
    std::thread::sleep(Duration::from_millis(1100));
    lose(DB, 3);
    hub.tell_lost();
    for subscription in [&mut first, &mut second] {
        let told = lines(subscription);
        assert_eq!(told.len(), 1);
        assert_eq!(
            (&told[0]["lost"], &told[0]["port"]),
            (&json!(3), &json!(DB))
        );
    }
}

#[test]
fn who_is_refused_by_the_kernel_leaves_nothing_asked_for() {
    let (kernel, hub) = hub();
    let drops = wanted(json!({"ports": {DB: ["drop"]}}));
    let _first = hub.subscribe(drops.clone(), false).unwrap();
    *kernel.refuses.lock().unwrap() = true;
    let refused = hub.subscribe(wanted(json!({"all": ["accept"]})), false);
    assert!(refused.is_err());
    assert_eq!(*kernel.wanted.lock().unwrap(), drops);
}

#[test]
fn nothing_is_told_from_before_it_was_asked_for() {
    let (_kernel, hub) = hub();
    let mut subscription = hub
        .subscribe(wanted(json!({"all": ["drop"]})), false)
        .unwrap();
    hub.tell(&Event {
        time: 1,
        ..event(WEB, REFUSED, 0)
    });
    assert!(lines(&mut subscription).is_empty());
}

#[test]
fn a_request_that_cannot_be_meant_is_refused_with_what_is_wrong() {
    for (request, word) in [
        (json!({}), "nothing is asked for"),
        (json!({"ports": {WEB: []}}), "nothing is asked for"),
        (
            json!({"ports": {"WEB1": ["drop"]}}),
            "\"WEB1\" is not the id of a port",
        ),
        (
            json!({"all": ["drop"], "rate": 0}),
            "rate: 0 is not from 1 to 1000000",
        ),
        (
            json!({"all": ["drop"], "burst": 1_000_001}),
            "burst: 1000001 is not",
        ),
    ] {
        let request: EventsRequest = serde_json::from_value(request).unwrap();
        let error = Wanted::parse(&request).unwrap_err().to_string();
        assert!(error.contains(word), "{error}");
    }
}

/// A frame of the VM's, told.
fn described(frame: &[u8], length: usize) -> PacketView {
    let mut event = event(WEB, Err(DropReason::SpoofedAddress), 0);
    let captured = frame.len().min(event.bytes.len());
    event.bytes[..captured].copy_from_slice(&frame[..captured]);
    event.captured = captured as u16;
    event.length = length as u32;
    event.hook = Hook::FromVm as u8;
    describe(
        &event,
        Clock {
            now: SystemTime::UNIX_EPOCH + Duration::from_secs(5),
            boottime: event.time + 1_500_000_000,
        },
    )
    .unwrap()
}

#[test]
fn a_record_is_described_with_what_its_headers_say() {
    let frame = etherparse::PacketBuilder::ethernet2([2; 6], [4; 6])
        .ipv4([10, 0, 0, 5], [192, 0, 2, 1], 64)
        .tcp(40000, 443, 7, 1000)
        .syn();
    let mut bytes = Vec::new();
    frame.write(&mut bytes, &[9; 500]).unwrap();
    let view = described(&bytes, bytes.len());
    assert_eq!(view.time, "1970-01-01T00:00:03.500000Z");
    assert_eq!(
        (view.port.as_str(), view.direction.as_str()),
        (WEB, "egress")
    );
    assert_eq!(view.reason, "spoofed_address");
    assert_eq!(view.source.as_deref(), Some("10.0.0.5"));
    assert_eq!(view.destination.as_deref(), Some("192.0.2.1"));
    assert_eq!(
        (view.source_port, view.destination_port),
        (Some(40000), Some(443))
    );
    assert_eq!(view.tcp_flags.as_deref(), Some("SYN"));
    assert_eq!((view.protocol, view.length), (Some(6), bytes.len() as u32));
    assert_eq!(view.frame.len(), 256);
    assert!(
        view.frame.starts_with("040404040404020202020202"),
        "{}",
        view.frame
    );

    let mut bytes = Vec::new();
    let ping = etherparse::PacketBuilder::ethernet2([2; 6], [4; 6]).ipv6([1; 16], [2; 16], 64);
    ping.icmpv6_echo_request(1, 2)
        .write(&mut bytes, &[])
        .unwrap();
    let view = described(&bytes, bytes.len());
    assert_eq!(
        (view.icmp_type, view.icmp_code, view.source_port),
        (Some(128), Some(0), None)
    );
}

#[test]
fn a_record_that_nobody_can_read_is_told_with_its_bytes_and_one_of_another_kind_not_at_all() {
    let view = described(&[1, 2, 3], 3);
    assert_eq!((view.frame.as_str(), view.source), ("010203", None));
    let other = Event {
        what: 200,
        ..event(WEB, REFUSED, 0)
    };
    assert_eq!(describe(&other, START), None);
}

#[test]
fn the_last_refused_packet_of_a_port_is_kept_for_who_asks_for_it_later() {
    let (_kernel, hub) = hub();
    let first = hub.subscribe(wanted(json!({"all": ["drop", "accept"]})), false);
    for (port, time) in [(WEB, 1), (WEB, 2), (DB, 3)] {
        hub.tell(&event(port, REFUSED, time));
    }
    hub.tell(&event(WEB, ACCEPTED, 4));
    drop(first);

    let of_web = || wanted(json!({"ports": {WEB: ["drop"]}}));
    let mut later = hub.subscribe(of_web(), true).unwrap();
    assert_eq!(lines(&mut later).len(), 1, "the last of the port alone");
    let mut accepts = hub
        .subscribe(wanted(json!({"all": ["accept"]})), true)
        .unwrap();
    assert!(lines(&mut accepts).is_empty());
    let mut now = hub.subscribe(of_web(), false).unwrap();
    assert!(lines(&mut now).is_empty());
}

const START: Clock = Clock {
    now: SystemTime::UNIX_EPOCH,
    boottime: 0,
};

/// The end of a connection of WEB that a client opened, in a state of its protocol.
fn end(protocol: u8, state: u8, cause: Cause, revoked: bool) -> Event {
    let (local, remote) = (from_v4([10, 0, 0, 5]), from_v4([10, 0, 0, 7]));
    let whose = Whose::new(3, protocol, Family::V4, false);
    let mut flow = Flow::new(Hook::ToVm, 1, 1);
    flow.change(|word| {
        word.set_state(state);
        word.set_revoked(revoked);
    });
    bytemuck::must_cast(Ended {
        time: (1 << 62) + 5_000_000_000,
        uuid: WEB.parse::<Uuid>().unwrap().into_bytes(),
        slot: 3,
        what: Event::END,
        cause: cause as u8,
        flow,
        key: bytemuck::must_cast(FlowKey::new(whose, [local, remote], [80, 40000])),
        ..Ended::zeroed()
    })
}

#[test]
fn how_a_connection_ended_is_said_by_its_last_state_and_by_what_has_ended_it() {
    use sg_common::conntrack::{sctp, tcp};
    let tcp = |state: tcp::State, cause| end(6, state as u8, cause, false);
    let sctp = |state: sctp::State| end(132, state as u8, Cause::Expired, false);
    for (event, reason) in [
        (tcp(tcp::State::TimeWait, Cause::Expired), "closed"),
        (tcp(tcp::State::TimeWait, Cause::Packet), "closed"),
        (tcp(tcp::State::TimeWait, Cause::GaveWay), "closed"),
        (tcp(tcp::State::Close, Cause::Expired), "reset"),
        (tcp(tcp::State::SynSent, Cause::Packet), "reset"),
        (tcp(tcp::State::SynSent, Cause::Expired), "timed_out"),
        (tcp(tcp::State::Established, Cause::Expired), "timed_out"),
        (tcp(tcp::State::FinWait, Cause::GaveWay), "gave_way"),
        (end(6, 3, Cause::Expired, true), "revoked"),
        (sctp(sctp::State::ShutdownAckSent), "closed"),
        (sctp(sctp::State::Established), "timed_out"),
        (end(17, 0, Cause::Expired, false), "timed_out"),
    ] {
        let view = describe_end(event.ended().unwrap(), None, START).unwrap();
        assert_eq!(view.reason, reason);
    }
}

#[test]
fn an_end_is_told_as_the_packet_that_opened_it_and_with_its_age_if_that_was_told() {
    let (kernel, hub) = hub();
    let mut ends = hub
        .subscribe(wanted(json!({"ports": {WEB: ["end"]}})), false)
        .unwrap();
    assert!(
        kernel.of(WEB).wants(Action::Accept),
        "its age is known by it"
    );
    let mut bytes = Vec::new();
    etherparse::PacketBuilder::ethernet2([2; 6], [4; 6])
        .ipv4([10, 0, 0, 7], [10, 0, 0, 5], 64)
        .tcp(40000, 80, 1, 1)
        .syn()
        .write(&mut bytes, &[])
        .unwrap();
    let mut opened = Event {
        slot: 3,
        hook: Hook::ToVm as u8,
        length: bytes.len() as u32,
        captured: bytes.len() as u16,
        ..event(WEB, ACCEPTED, 0)
    };
    opened.bytes[..bytes.len()].copy_from_slice(&bytes);
    for event in [
        opened,
        end(6, 8, Cause::Expired, false),
        end(6, 8, Cause::Expired, false),
    ] {
        hub.tell(&event);
    }
    let lines = lines(&mut ends);
    assert_eq!(lines.len(), 2, "the opening was not asked for: {lines:?}");
    assert_eq!(lines[0]["lived_ms"], 5_000);
    assert_eq!(lines[0]["source"], "10.0.0.7");
    assert_eq!(
        (&lines[0]["source_port"], &lines[0]["destination_port"]),
        (&json!(40000), &json!(80))
    );
    assert_eq!(
        (&lines[0]["direction"], &lines[0]["reason"]),
        (&json!("ingress"), &json!("reset"))
    );
    assert!(
        lines[1].get("lived_ms").is_none(),
        "another one, of which nothing is known"
    );
    drop(ends);
    assert_eq!(*kernel.wanted.lock().unwrap(), Wanted::default());
}

#[test]
fn a_moment_has_one_name_until_somebody_sets_the_clock() {
    let first = Clock::after(None);
    let second = Clock::after(Some(first));
    let time = first.boottime + 7;
    assert_eq!(first.moment(time), second.moment(time));
    let before_it_was_set = Clock {
        now: first.now - Duration::from_secs(3600),
        ..first
    };
    let third = Clock::after(Some(before_it_was_set));
    let apart = third.moment(time).duration_since(first.moment(time));
    assert!(apart.unwrap_or_default() < Duration::from_secs(1));
    let told = third
        .moment(time)
        .duration_since(before_it_was_set.moment(time));
    assert!(told.unwrap() > Duration::from_secs(3590));
}
