//! The first start on a node: what runs there is not cut.

use super::*;
use crate::agent::{Attachment, double::Double};

/// An agent that has found WEB1's interface, on a node where this is attached already.
fn started(attached: &[(u32, Attachment)]) -> (Agent, Double) {
    let (mut agent, kernel) = agent();
    kernel.kernel().attached = attached.iter().copied().collect();
    agent.links(LinkEvent::All(vec![LINK.clone()])).unwrap();
    (agent, kernel)
}

#[test]
fn what_stood_open_at_the_first_start_is_written_before_the_filter_is_put_on() {
    let (mut agent, kernel) = started(&[]);
    let report = agent.apply(&inventory(json!({}))).unwrap();
    assert_eq!(kernel.calls(), ["write port at 7", "attach 7 tapweb1"]);
    assert_eq!((report.ports.enforcing, report.ports.elsewhere), (1, 1));
    assert!(report.faults.is_empty());
}

#[test]
fn until_it_is_written_it_is_called_open() {
    let (mut agent, kernel) = started(&[]);
    let in_force = agent.inventory().unwrap();
    let read = Read::new(&inventory(json!({})), &in_force).unwrap();
    agent.take(read).unwrap();
    agent.look();
    assert_eq!(state(&agent, "WEB1"), PortState::Open);
    assert!(kernel.calls().is_empty());
    agent.settle().unwrap();
    assert_eq!(state(&agent, "WEB1"), PortState::Enforcing);
}

#[test]
fn what_is_open_where_a_filter_was_in_force_is_closed_first() {
    let (mut agent, kernel) = started(&[(3, Attachment::InForce)]);
    agent.apply(&inventory(json!({}))).unwrap();
    assert_eq!(kernel.calls(), ["attach 7 tapweb1", "write port at 7"]);
}

#[test]
fn a_tap_that_comes_after_the_first_start_is_closed_first() {
    let (mut agent, kernel) = agent();
    agent.links(LinkEvent::All(Vec::new())).unwrap();
    agent.apply(&inventory(json!({}))).unwrap();
    agent.links(present(7, "tapweb1")).unwrap();
    assert_eq!(kernel.calls(), ["attach 7 tapweb1", "write port at 7"]);
}

#[test]
fn a_tap_that_is_made_again_or_gets_the_name_of_another_is_closed_first() {
    for after in [
        vec![LinkEvent::Gone(7), present(7, "tapweb1")],
        vec![present(7, "tapother"), present(7, "tapweb1")],
    ] {
        let (mut agent, kernel) = started(&[]);
        agent.burst_of(after).unwrap();
        agent.apply(&inventory(json!({}))).unwrap();
        assert_eq!(kernel.calls(), ["attach 7 tapweb1", "write port at 7"]);
    }
}

#[test]
fn a_port_that_cannot_be_read_has_nothing_to_wait_for() {
    let (mut agent, kernel) = started(&[]);
    agent
        .apply(&inventory(json!({"mac_address": "?"})))
        .unwrap();
    assert_eq!(kernel.calls(), ["attach 7 tapweb1"]);
}

#[test]
fn what_cannot_be_written_is_closed() {
    let (mut agent, kernel) = started(&[]);
    kernel.kernel().broken = Some("no memory".into());
    agent.apply(&inventory(json!({}))).unwrap_err();
    assert_eq!(kernel.calls(), ["attach 7 tapweb1"]);
    assert_eq!(state(&agent, "WEB1"), PortState::Pending);
}

#[test]
fn the_connections_of_what_stood_open_are_there_before_the_filter_is() {
    let (mut agent, kernel) = started(&[]);
    agent.adopt_at_first(true);
    kernel.kernel().tracked = vec![adopt::tracked(4097, 40_000)];
    agent.apply(&inventory(json!({}))).unwrap();
    assert_eq!(kernel.kernel().flows.len(), 1);
    assert_eq!(agent.status(Vec::new()).unwrap().adopted, 1);
    assert_eq!(
        kernel.calls(),
        ["write port at 7", "dump", "attach 7 tapweb1", "dump"],
        "and once more, for what began in between"
    );
    kernel.kernel().flows.clear();
    agent.links(present(8, "tapclient")).unwrap();
    assert!(kernel.kernel().flows.is_empty(), "later ones have none");
}

#[test]
fn connections_are_left_alone_unless_that_was_asked_for() {
    let (mut agent, kernel) = started(&[]);
    kernel.kernel().tracked = vec![adopt::tracked(4097, 40_000)];
    agent.apply(&inventory(json!({}))).unwrap();
    assert!(kernel.kernel().flows.is_empty());
}

#[test]
fn what_an_earlier_layout_filters_is_written_before_ours_takes_its_place() {
    let (mut agent, kernel) = started(&[(7, Attachment::Earlier)]);
    agent.adopt_at_first(true);
    kernel.kernel().tracked = vec![adopt::tracked(4097, 40_000)];
    let read = Read::new(&inventory(json!({})), &agent.inventory().unwrap()).unwrap();
    agent.take(read).unwrap();
    agent.look();
    assert_eq!(
        state(&agent, "WEB1"),
        PortState::Outdated,
        "by what it was told"
    );
    agent.settle().unwrap();
    assert_eq!(kernel.calls(), ["write port at 7", "attach 7 tapweb1"]);
    assert_eq!(state(&agent, "WEB1"), PortState::Enforcing);
    assert!(
        kernel.kernel().flows.is_empty(),
        "its connections are known already"
    );
}

#[test]
fn an_interface_that_an_earlier_layout_does_not_filter_is_closed_first() {
    let (mut agent, kernel) = started(&[(3, Attachment::Earlier)]);
    agent.apply(&inventory(json!({}))).unwrap();
    assert_eq!(kernel.calls(), ["attach 7 tapweb1", "write port at 7"]);
}

#[test]
fn an_earlier_layout_goes_on_where_ours_cannot_be_written() {
    let (mut agent, kernel) = started(&[(7, Attachment::Earlier)]);
    kernel.kernel().broken = Some("no memory".into());
    agent.apply(&inventory(json!({}))).unwrap_err();
    assert!(kernel.calls().is_empty());
    assert_eq!(state(&agent, "WEB1"), PortState::Outdated);
    kernel.kernel().broken = None;
    agent.check().unwrap();
    agent.settle().unwrap();
    assert_eq!(kernel.calls(), ["write port at 7", "attach 7 tapweb1"]);
    assert_eq!(state(&agent, "WEB1"), PortState::Enforcing);
}
