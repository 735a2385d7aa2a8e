//! What goes wrong is reported, stays closed, and is tried again.

use serde_json::json;

use super::*;
use crate::{exit::Exit, store::Store};

#[test]
fn a_malformed_document_changes_nothing_and_is_reported_until_a_good_one_comes() {
    let (mut agent, kernel) = agent();
    agent.links(LinkEvent::All(vec![LINK.clone()])).unwrap();
    let document = inventory(json!({}));
    agent.apply(&document).unwrap();
    kernel.calls();

    for malformed in [b"{\"ports\": [".as_slice(), b"[]", b"{\"ports\": {}}"] {
        let error = agent.apply(malformed).unwrap_err();
        assert_eq!(error.exit(), Exit::Malformed, "{error}");
        assert!(kernel.calls().is_empty());
        assert_eq!(state(&agent, "WEB1"), PortState::Enforcing);
        let status = agent.status(Vec::new()).unwrap();
        assert!(status.inventory.last_error.is_some());
        assert_eq!(status.inventory.revision, 1);
    }
    agent.file_changed(Ok(document)).unwrap();
    assert_eq!(agent.status(Vec::new()).unwrap().inventory.last_error, None);
}

#[test]
fn a_file_that_vanishes_changes_nothing() {
    let (mut agent, kernel) = agent();
    agent.links(LinkEvent::All(vec![LINK.clone()])).unwrap();
    agent.apply(&inventory(json!({}))).unwrap();
    kernel.calls();
    let gone = Store::new("/nowhere/inventory.json".as_ref()).read();
    agent.file_changed(gone).unwrap_err();
    assert!(kernel.calls().is_empty());
    let error = agent
        .status(Vec::new())
        .unwrap()
        .inventory
        .last_error
        .unwrap();
    assert!(error.contains("/nowhere/inventory.json"), "{error}");
}

#[test]
fn a_port_with_a_fault_is_attached_and_closed() {
    let (mut agent, kernel) = agent();
    agent.links(LinkEvent::All(vec![LINK.clone()])).unwrap();
    agent.apply(&inventory(json!({}))).unwrap();
    kernel.calls();

    let report = agent
        .apply(&inventory(json!({"mac_address": "not a MAC"})))
        .unwrap();
    assert_eq!(kernel.calls(), ["remove port at 7"]);
    assert!(kernel.kernel().attached.contains_key(&7));
    assert_eq!(report.ports.closed, 1);
    assert_eq!(report.faults[0].field, "mac_address");
    let view = agent
        .ports()
        .into_iter()
        .find(|view| view.name == "WEB1")
        .unwrap();
    assert_eq!(
        view.note.as_deref(),
        Some("mac_address is not a MAC address")
    );

    let (mut late, kernel) = fixture::agent();
    late.apply(&inventory(json!({"mac_address": "not a MAC"})))
        .unwrap();
    late.links(present(7, "tapweb1")).unwrap();
    assert_eq!(
        kernel.calls(),
        ["attach 7 tapweb1"],
        "a closed port is closed by a program"
    );
}

#[test]
fn a_port_that_does_not_fit_is_closed_and_the_others_are_not() {
    let (mut agent, kernel) = agent();
    kernel.kernel().limits.ports = 1;
    let client = Link {
        ifindex: 8,
        name: "tapclient".into(),
        master: None,
    };
    agent
        .links(LinkEvent::All(vec![LINK.clone(), client]))
        .unwrap();
    let report = agent.apply(&inventory(json!({}))).unwrap();
    assert_eq!((report.ports.enforcing, report.ports.closed), (1, 1));
    assert_eq!(report.faults.len(), 1);
    assert!(
        report.faults[0].to_string().contains("--max-ports"),
        "{}",
        report.faults[0]
    );
    assert_eq!(kernel.kernel().attached.len(), 2);
}

#[test]
fn an_interface_that_refuses_programs_is_open_and_tried_again() {
    let (mut agent, kernel) = agent();
    kernel.kernel().refuses.insert(7);
    agent.links(LinkEvent::All(vec![LINK.clone()])).unwrap();
    let report = agent.apply(&inventory(json!({}))).unwrap();
    assert_eq!(state(&agent, "WEB1"), PortState::Open);
    assert_eq!((report.ports.open, report.ports.enforcing), (1, 0));
    assert_eq!(
        kernel.calls(),
        ["write port at 7", "remove port at 7", "park port"]
    );

    kernel.kernel().refuses.clear();
    agent.checked().unwrap();
    assert_eq!(state(&agent, "WEB1"), PortState::Enforcing);
    assert_eq!(
        kernel.calls(),
        ["attach 7 tapweb1", "unpark port", "write port at 7"]
    );
}

#[test]
fn what_the_kernel_refuses_is_reported_and_tried_again_from_what_it_holds() {
    let (mut agent, kernel) = agent();
    agent.links(LinkEvent::All(vec![LINK.clone()])).unwrap();
    kernel.kernel().broken = Some("grants: no memory".into());
    let error = agent.apply(&inventory(json!({}))).unwrap_err();
    assert_eq!(error.exit(), Exit::Failure);
    let refused = agent.status(Vec::new()).unwrap().inventory.apply_error;
    assert_eq!(refused.as_deref(), Some("grants: no memory"));
    assert_ne!(state(&agent, "WEB1"), PortState::Enforcing);

    kernel.kernel().broken = None;
    agent.checked().unwrap();
    assert_eq!(
        agent.status(Vec::new()).unwrap().inventory.apply_error,
        None
    );
    assert_eq!(kernel.places(), [7]);
    assert_eq!(state(&agent, "WEB1"), PortState::Enforcing);
}

#[test]
fn a_filter_that_somebody_took_off_is_put_back_and_counted() {
    let (mut agent, kernel) = agent();
    agent.links(LinkEvent::All(vec![LINK.clone()])).unwrap();
    agent.apply(&inventory(json!({}))).unwrap();
    kernel.calls();
    agent.checked().unwrap();
    assert!(kernel.calls().is_empty(), "nothing is missing");

    kernel.kernel().attached.insert(7, Attachment::Lost);
    agent.checked().unwrap();
    assert_eq!(kernel.calls(), ["attach 7 tapweb1"]);
    assert_eq!(agent.status(Vec::new()).unwrap().restored, 1);

    kernel.kernel().attached.insert(7, Attachment::Lost);
    kernel.kernel().refuses.insert(7);
    agent.checked().unwrap();
    assert_eq!(state(&agent, "WEB1"), PortState::Open);
    let [trouble] = &agent.status(Vec::new()).unwrap().interfaces[..] else {
        panic!("one trouble");
    };
    assert_eq!(
        (&*trouble.interface, &*trouble.kind),
        ("tapweb1", "refused")
    );
    assert!(trouble.opens && trouble.problem.contains("is not filtered"));
}

#[test]
fn an_interface_whose_port_left_the_inventory_is_closed_again_too() {
    let (mut agent, kernel) = agent();
    agent.links(LinkEvent::All(vec![LINK.clone()])).unwrap();
    agent.apply(&inventory(json!({}))).unwrap();
    let empty = serde_json::to_vec(&json!({"ports": [], "security_groups": []})).unwrap();
    agent.apply(&empty).unwrap();
    kernel.calls();

    kernel.kernel().attached.insert(7, Attachment::Lost);
    agent.checked().unwrap();
    assert_eq!(kernel.calls(), ["attach 7 tapweb1"]);
}

#[test]
fn an_interface_that_the_kernel_has_no_more_is_forgotten_and_not_attached_to() {
    let (mut agent, kernel) = agent();
    agent.links(LinkEvent::All(vec![LINK.clone()])).unwrap();
    agent.apply(&inventory(json!({}))).unwrap();
    kernel.calls();

    kernel.kernel().attached.insert(7, Attachment::Gone);
    agent.checked().unwrap();
    assert!(
        kernel.calls().is_empty(),
        "the news of its end is on its way"
    );
    agent.links(LinkEvent::Gone(7)).unwrap();
    assert_eq!(
        kernel.calls(),
        ["remove port at 7", "park port", "forget 7"]
    );
}

#[test]
fn a_place_that_another_program_took_is_taken_again_and_counted() {
    let (mut agent, kernel) = agent();
    agent.links(LinkEvent::All(vec![LINK.clone()])).unwrap();
    agent.apply(&inventory(json!({}))).unwrap();
    kernel.calls();

    kernel.kernel().attached.insert(7, Attachment::Behind);
    agent.links(LinkEvent::Stirred).unwrap();
    assert_eq!(kernel.calls(), ["attach 7 tapweb1"]);
    let status = agent.status(Vec::new()).unwrap();
    assert_eq!((status.retaken, status.restored), (1, 0));
    assert_eq!(state(&agent, "WEB1"), PortState::Enforcing);
}

#[test]
fn a_contested_place_is_taken_by_the_clock_alone_and_its_port_is_called_open() {
    let (mut agent, kernel) = agent();
    agent.links(LinkEvent::All(vec![LINK.clone()])).unwrap();
    agent.apply(&inventory(json!({}))).unwrap();
    kernel.calls();

    for _ in 0..100 {
        kernel.kernel().attached.insert(7, Attachment::Behind);
        agent.links(LinkEvent::Stirred).unwrap();
    }
    assert_eq!(kernel.calls().len(), 3);
    assert_eq!(state(&agent, "WEB1"), PortState::Open);
    agent.checked().unwrap();
    assert_eq!(kernel.calls(), ["attach 7 tapweb1"]);
    assert_eq!(state(&agent, "WEB1"), PortState::Open, "it will go on");

    for _ in 0..12 {
        agent.checked().unwrap();
    }
    assert_eq!(state(&agent, "WEB1"), PortState::Enforcing, "it has ended");
}

#[test]
fn an_interface_that_could_be_attached_to_in_between_is_written_at_once() {
    let (mut agent, kernel) = agent();
    kernel.kernel().refuses.insert(7);
    agent.links(LinkEvent::All(vec![LINK.clone()])).unwrap();
    agent.apply(&inventory(json!({}))).unwrap();
    // The second try comes a round later than the first.
    agent.checked().unwrap();
    kernel.kernel().refuses.clear();
    agent.links(LinkEvent::Stirred).unwrap();
    let all = kernel.calls();
    assert_eq!(
        all[all.len() - 3..],
        ["attach 7 tapweb1", "unpark port", "write port at 7"]
    );
    assert_eq!(state(&agent, "WEB1"), PortState::Enforcing);
}

#[test]
fn what_is_refused_is_tried_again_ever_more_seldom() {
    let (mut agent, kernel) = agent();
    agent.links(LinkEvent::All(vec![LINK.clone()])).unwrap();
    kernel.kernel().broken = Some("out of memory".into());
    agent.apply(&inventory(json!({}))).unwrap_err();
    let tries: Vec<_> = (0..12).filter(|_| agent.checked().is_err()).collect();
    assert_eq!(tries, [0, 1, 3, 6, 11]);

    kernel.kernel().broken = None;
    while state(&agent, "WEB1") != PortState::Enforcing {
        agent.checked().unwrap();
    }
    assert_eq!(
        agent.status(Vec::new()).unwrap().inventory.apply_error,
        None
    );
}

#[test]
fn many_interfaces_at_once_are_one_change() {
    let (mut agent, kernel) = agent();
    agent.links(LinkEvent::All(vec![])).unwrap();
    agent.apply(&inventory(json!({}))).unwrap();
    kernel.calls();
    let news = [
        present(7, "tapweb1"),
        present(8, "tapclient"),
        present(9, "eth0"),
    ];
    agent.burst_of(news).unwrap();
    let calls = kernel.calls();
    assert_eq!(
        calls[..2],
        ["attach 7 tapweb1", "attach 8 tapclient"],
        "{calls:?}"
    );
}
