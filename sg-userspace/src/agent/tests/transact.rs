//! What a writer tells is in force when it is answered.

use proptest::collection::vec;
use proptest::prelude::{
    Just, ProptestConfig, Strategy, any, prop_assert, prop_assert_eq, proptest,
};
use serde_json::{Value, json};

use super::fixture::agent_on;
use super::*;
use crate::{
    compile::{Compilation, Limits},
    exit::Exit,
    model::{PortId, told::tests::transactions},
    plan::tests::image_of,
    view::TransactionReport,
};

const WEB: &str = "5a000000-0000-4000-8000-000000000001";
const DB: &str = "5a000000-0000-4000-8000-000000000002";
const S1: &str = "0e550000-0000-4000-8000-000000000001";

/// An agent that is told by transactions, on a node with WEB1's tap.
fn writer() -> (Agent, double::Double) {
    let (mut agent, kernel) = agent();
    agent.recalled();
    agent.links(LinkEvent::All(vec![LINK.clone()])).unwrap();
    (agent, kernel)
}

fn tell(agent: &mut Agent, mut body: Value) -> Result<TransactionReport> {
    let view = agent.transactions().unwrap();
    if body.get("session").is_none() {
        body["session"] = json!(S1);
        body["base"] = view.session.map(|_| view.revision).into();
    }
    agent.told_now(body.to_string().as_bytes())
}

fn port(number: u32) -> Value {
    json!({"mac_address": "fa:16:3e:00:00:05", "fixed_ips": [format!("10.0.{}.{}", number / 250, 1 + number % 250)],
        "device": format!("tap{number}"), "security_groups": [WEB]})
}

fn web1() -> Value {
    let mut port = port(5);
    port["device"] = json!("tapweb1");
    port
}

fn rules(count: u32) -> Value {
    let rules = (0..count).map(|number| {
        json!({"direction": "ingress", "protocol": "tcp", "port_range_min": 1000 + number,
            "port_range_max": 1000 + number, "remote_group_id": DB})
    });
    json!({"security_group_rules": rules.collect::<Vec<_>>()})
}

fn site() -> Value {
    json!({"ports": {WEB1: web1()}, "security_groups": {WEB: rules(3)}, "members": {DB: ["10.0.9.1"]}})
}

#[test]
fn a_port_that_is_told_is_enforced_when_it_is_answered() {
    let (mut agent, kernel) = writer();
    assert!(kernel.calls().is_empty());
    let report = tell(&mut agent, site()).unwrap();
    assert_eq!(kernel.calls(), ["write port at 7", "attach 7 tapweb1"]);
    let outcome = &report.ports[&WEB1.parse().unwrap()];
    assert_eq!((outcome.state, &outcome.why), (PortState::Enforcing, &None));
    assert_eq!((report.revision, report.faults.len()), (1, 0));

    let report = tell(
        &mut agent,
        json!({"ports": {WEB1: {"fixed_ips": [], "device": "tapweb1"}}}),
    )
    .unwrap();
    let outcome = &report.ports[&WEB1.parse().unwrap()];
    assert_eq!(outcome.state, PortState::Closed);
    assert_eq!(outcome.why.as_deref(), Some("mac_address is missing"));
}

#[test]
fn a_change_is_told_with_the_ports_that_it_reaches_and_writes_a_handful_of_entries() {
    let (mut agent, _) = writer();
    tell(&mut agent, site()).unwrap();
    let report = tell(&mut agent, json!({"security_groups": {WEB: rules(4)}})).unwrap();
    assert_eq!(
        report
            .ports
            .keys()
            .map(ToString::to_string)
            .collect::<Vec<_>>(),
        [WEB1]
    );
    assert!((1..5).contains(&report.changes), "{}", report.changes);
    let report = tell(
        &mut agent,
        json!({"members": {DB: ["10.0.9.1", "10.0.9.2"]}}),
    )
    .unwrap();
    assert_eq!(report.changes, 1);
}

#[test]
fn one_member_more_of_ten_thousand_is_one_write_for_any_number_of_ports() {
    let (mut agent, kernel) = writer();
    let links = (0..200).map(|number| Link {
        ifindex: 100 + number,
        name: format!("tap{number}"),
        master: None,
    });
    agent.links(LinkEvent::All(links.collect())).unwrap();
    let ports: serde_json::Map<_, _> = (0..200)
        .map(|number| {
            (
                format!("11111111-0000-4000-8000-{number:012}"),
                port(number),
            )
        })
        .collect();
    let members = |count: u32| -> Vec<_> {
        (0..count)
            .map(|n| format!("10.1.{}.{}", n / 256, n % 256))
            .collect()
    };
    tell(&mut agent, json!({"ports": ports, "security_groups": {WEB: rules(10)}, "members": {DB: members(10_000)}}))
        .unwrap();
    assert_eq!(kernel.places().len(), 200);
    let report = tell(&mut agent, json!({"members": {DB: members(10_001)}})).unwrap();
    assert_eq!((report.changes, report.ports.len()), (1, 200));
    // One less: connections of all 200 are judged again.
    let report = tell(
        &mut agent,
        json!({"members": {DB: {"removed": ["10.1.0.7"]}}}),
    )
    .unwrap();
    assert!(report.changes <= 1 + 2 * 200, "{}", report.changes);
}

#[test]
fn a_full_announcement_of_what_is_in_force_writes_nothing_and_takes_away_the_rest() {
    let (mut agent, kernel) = writer();
    let mut body = site();
    body["ports"]["11111111-0000-4000-8000-00000000000a"] = port(9);
    tell(&mut agent, body).unwrap();
    kernel.calls();
    let mut again = site();
    again["session"] = json!("0e550000-0000-4000-8000-000000000002");
    again["base"] = Value::Null;
    let report = tell(&mut agent, again).unwrap();
    assert_eq!(
        (report.changes, agent.transactions().unwrap().objects.ports),
        (0, 2)
    );
    let reap = json!({"session": "0e550000-0000-4000-8000-000000000002", "base": 2, "reap": true});
    let report = tell(&mut agent, reap).unwrap();
    assert_eq!(
        (report.changes, agent.transactions().unwrap().objects.ports),
        (0, 1)
    );
    assert!(kernel.calls().is_empty());
}

#[test]
fn what_was_kept_is_in_force_at_once_and_needs_no_writes_where_it_was() {
    let (mut agent, kernel) = writer();
    tell(&mut agent, site()).unwrap();
    let held = kernel.kernel().state.clone();
    kernel.calls();
    let mut next = agent_on(&kernel);
    next.links(LinkEvent::All(vec![LINK.clone()])).unwrap();
    next.recall(agent.basis().unwrap().snapshot()).unwrap();
    next.settle().unwrap();
    assert!(kernel.calls().is_empty());
    assert_eq!(kernel.kernel().state, held);
    assert_eq!(next.transactions().unwrap(), agent.transactions().unwrap());
}

#[test]
fn a_daemon_has_one_source() {
    let (mut told, _) = writer();
    assert_eq!(
        told.apply(&inventory(json!({}))).unwrap_err().exit(),
        Exit::Failure
    );
    let (mut fed, _) = agent();
    fed.apply(&inventory(json!({}))).unwrap();
    let error = tell_to_one_that_is_not(&fed);
    assert!(error.contains("--transactions"), "{error}");
}

fn tell_to_one_that_is_not(agent: &Agent) -> String {
    let body = json!({"session": S1, "base": null});
    let refused = agent
        .basis()
        .and_then(|basis| basis.step(body.to_string().as_bytes()));
    refused.err().unwrap().to_string()
}

#[test]
fn what_the_kernel_refuses_of_a_transaction_is_tried_again() {
    let (mut agent, kernel) = writer();
    tell(&mut agent, site()).unwrap();
    kernel.kernel().broken = Some("grants: no memory".into());
    tell(&mut agent, json!({"security_groups": {WEB: rules(5)}})).unwrap_err();
    assert_eq!(state(&agent, ""), PortState::Outdated);
    kernel.kernel().broken = None;
    agent.checked().unwrap();
    let report = tell(&mut agent, json!({"security_groups": {WEB: rules(5)}})).unwrap();
    assert_eq!((report.revision, report.changes), (3, 0));
    assert_eq!(report.ports, [].into());
}

/// What happens to an agent.
#[derive(Clone, Debug)]
enum Event {
    Told(Value),
    /// A tap comes or goes.
    Tap(u32, bool),
    /// The kernel refuses to write, or takes it again.
    Broken(bool),
    /// What is due is handed out, to be written later.
    HandedOut,
    /// What was handed out is written.
    Written,
}

fn events() -> impl Strategy<Value = Event> {
    proptest::prop_oneof![
        8 => transactions().prop_map(Event::Told),
        2 => (0..2u32, any::<bool>()).prop_map(|(number, is_there)| Event::Tap(number, is_there)),
        1 => any::<bool>().prop_map(Event::Broken),
        3 => Just(Event::HandedOut),
        3 => Just(Event::Written),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn any_sequence_ends_in_the_image_of_a_fresh_start(events in vec(events(), 1..12)) {
        let (mut agent, kernel) = agent();
        agent.recalled();
        let tap = |number| present(100 + number, ["tap0", "tap1"][number as usize]);
        agent.burst_of([tap(0), tap(1)]).unwrap();
        let mut at_work = None;
        for event in events {
            let _ = match event {
                Event::Told(mut body) => {
                    // Changes wait for their turn.
                    let _ = at_work.take().map(|work: Work| agent.finish(work.run()));
                    let view = agent.transactions().unwrap();
                    if view.session.map(|own| own.to_string()).as_deref() == body["session"].as_str() {
                        body["base"] = view.revision.into();
                    }
                    tell(&mut agent, body).map(drop)
                }
                Event::Tap(number, true) => {
                    let mut kernel = kernel.kernel();
                    kernel.attached.remove(&(100 + number));
                    drop(kernel);
                    agent.burst([tap(number)])
                }
                Event::Tap(number, false) => {
                    kernel.kernel().attached.insert(100 + number, Attachment::Gone);
                    agent.burst([LinkEvent::Gone(100 + number)])
                }
                Event::Broken(is_broken) => {
                    kernel.kernel().broken = is_broken.then(|| "no memory".into());
                    Ok(())
                }
                Event::HandedOut => {
                    at_work = at_work.or_else(|| agent.work());
                    Ok(())
                }
                Event::Written => {
                    let written = at_work.take().map(|work| agent.finish(work.run()));
                    written.map_or(Ok(()), |written| written.map(drop))
                }
            };
        }
        let _ = at_work.map(|work| agent.finish(work.run()));
        kernel.kernel().broken = None;
        for _ in 0..70 {
            agent.checked().unwrap();
        }
        prop_assert!(agent.failures.enforce.is_none());
        let held = kernel.kernel().state.clone();
        let places = held.ports.iter().map(|(key, port)| (PortId(uuid::Uuid::from_bytes(port.uuid)), *key));
        let places = places.collect();
        let inventory = &agent.desired.inventory;
        let fresh = Compilation::new(inventory, &places, &Limits::default());
        prop_assert_eq!(&image_of(&held), fresh.image());
        let here = inventory.ports.values().filter(|port| agent.ifindex(port.interface.as_str()).is_some());
        prop_assert!(here.into_iter().all(|port| places.contains_key(&port.id)));
        // The agent has not lost sight of what the tables hold.
        prop_assert_eq!(&*agent.held_state().unwrap(), &held);
    }
}
