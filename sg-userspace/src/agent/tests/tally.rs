//! In every state the tally says what the kernel does.

use serde_json::json;

use super::{fixture::CLIENT, *};
use crate::{
    agent::{Process, Reader},
    view::{PortTally, PortView},
};

/// WEB1's tap, in a bridge or not.
fn tap(master: Option<u32>) -> LinkEvent {
    LinkEvent::Present(Link {
        master,
        ..LINK.clone()
    })
}

/// An agent with WEB1's tap in a bridge, and CLIENT's on another node.
fn bridged() -> (Agent, double::Double) {
    let (mut agent, kernel) = agent();
    agent.links(tap(Some(3))).unwrap();
    agent.apply(&inventory(json!({}))).unwrap();
    (agent, kernel)
}

fn reader(ifindex: Option<u32>, name: &str) -> Reader {
    let process = Process {
        pid: 4711,
        name: name.into(),
    };
    Reader {
        ifindex,
        inode: 46126,
        process: Some(process),
    }
}

fn view(agent: &mut Agent, interface: &str) -> PortView {
    agent.look();
    let views = agent.ports().into_iter();
    let tally: PortTally = views.clone().map(|view| view.state).collect();
    assert_eq!(tally, agent.tally(), "the tally counts the list");
    assert_eq!(tally, agent.status(Vec::new()).unwrap().ports);
    let mut views = views.filter(|view| view.interface == interface);
    views.next().expect(interface)
}

fn web1(agent: &mut Agent) -> (PortState, String) {
    let view = view(agent, "tapweb1");
    (view.state, view.note.unwrap_or_default())
}

#[test]
fn ports_of_other_nodes_are_counted_apart() {
    let (mut agent, _) = bridged();
    let view = view(&mut agent, "tapclient");
    assert_eq!(view.state, PortState::Elsewhere);
    assert_eq!(agent.tally().pending, 0);

    agent
        .apply(&inventory(json!({"device": "tapgone", "mac_address": 5})))
        .unwrap();
    let view = self::view(&mut agent, "tapgone");
    assert_eq!(view.state, PortState::Elsewhere, "nothing here is closed");
    let note = view.note.unwrap();
    assert!(note.contains("not here; mac_address is not"), "{note}");
}

#[test]
fn a_port_is_open_from_the_moment_its_filter_is_gone_until_it_is_back() {
    let (mut agent, kernel) = bridged();
    kernel.kernel().attached.insert(7, Attachment::Lost);
    let (state, note) = web1(&mut agent);
    assert_eq!(state, PortState::Open);
    assert!(note.contains("taken off"), "{note}");

    kernel.kernel().attached.remove(&7);
    assert_eq!(
        web1(&mut agent).0,
        PortState::Open,
        "also if nothing is pinned"
    );

    agent.checked().unwrap();
    assert_eq!(web1(&mut agent).0, PortState::Enforcing);
}

#[test]
fn also_a_closed_port_and_one_without_port_security_are_open_without_their_programs() {
    for change in [
        json!({"mac_address": 5}),
        json!({"port_security_enabled": false}),
    ] {
        let (mut agent, kernel) = agent();
        agent.links(tap(Some(3))).unwrap();
        agent.apply(&inventory(change)).unwrap();
        kernel.kernel().attached.insert(7, Attachment::Lost);
        assert_eq!(web1(&mut agent).0, PortState::Open);
    }
}

#[test]
fn an_interface_that_refuses_programs_is_open_with_what_the_kernel_said() {
    let (mut agent, kernel) = agent();
    kernel.kernel().refuses.insert(7);
    agent.links(tap(Some(3))).unwrap();
    let report = agent.apply(&inventory(json!({}))).unwrap();
    assert_eq!(report.ports.open, 1);
    let (state, note) = web1(&mut agent);
    assert_eq!(state, PortState::Open);
    assert!(note.contains("no such device"), "{note}");
}

#[test]
fn what_the_kernel_refuses_to_write_leaves_a_new_port_pending_and_an_old_one_outdated() {
    let (mut new, kernel) = agent();
    new.links(tap(Some(3))).unwrap();
    kernel.kernel().broken = Some("grants: no memory".into());
    new.apply(&inventory(json!({}))).unwrap_err();
    let (state, note) = web1(&mut new);
    assert_eq!(
        (state, note.as_str()),
        (PortState::Pending, "grants: no memory")
    );

    let (mut old, kernel) = bridged();
    kernel.kernel().broken = Some("grants: no memory".into());
    for change in [
        json!({"port_security_enabled": false}),
        json!({"mac_address": 5}),
        json!({"id": CLIENT.replace('6', "7")}),
    ] {
        old.apply(&inventory(change)).unwrap_err();
        let (state, note) = web1(&mut old);
        assert_eq!(
            (state, note.as_str()),
            (PortState::Outdated, "grants: no memory")
        );
    }
    let empty = serde_json::to_vec(&json!({"ports": [], "security_groups": []})).unwrap();
    old.apply(&empty).unwrap_err();
    assert_eq!(
        web1(&mut old).0,
        PortState::Outdated,
        "what it had is still there"
    );

    kernel.kernel().broken = None;
    old.apply(&inventory(json!({}))).unwrap();
    assert_eq!(web1(&mut old).0, PortState::Enforcing);
}

#[test]
fn a_tap_whose_port_left_the_inventory_is_listed_and_counted_as_closed() {
    let (mut agent, kernel) = bridged();
    let empty = serde_json::to_vec(&json!({"ports": [], "security_groups": []})).unwrap();
    let report = agent.apply(&empty).unwrap();
    assert_eq!(
        report.ports,
        PortTally {
            closed: 1,
            ..PortTally::default()
        }
    );
    let (state, note) = web1(&mut agent);
    assert_eq!(
        (state, note.as_str()),
        (PortState::Closed, "its port is not in the inventory")
    );

    kernel.kernel().attached.insert(7, Attachment::Lost);
    assert_eq!(web1(&mut agent).0, PortState::Open);

    agent.links(LinkEvent::Gone(7)).unwrap();
    assert_eq!(agent.tally(), PortTally::default());
}

#[test]
fn a_capture_beside_a_bridge_is_told_and_changes_nothing_else() {
    let (mut agent, kernel) = bridged();
    for bound in [Some(7), None] {
        kernel.kernel().readers = vec![reader(bound, "tcpdump")];
        let (state, note) = web1(&mut agent);
        assert_eq!(state, PortState::Enforcing);
        assert_eq!(note, "", "nothing is wrong with the filter");
        let troubles = view(&mut agent, "tapweb1").troubles;
        let told: Vec<_> = troubles
            .iter()
            .map(|told| (&*told.kind, told.opens))
            .collect();
        assert_eq!(told, [("captured", false)]);
        let problem = &troubles[0].problem;
        assert!(
            problem.contains("read by tcpdump (pid 4711) before"),
            "{problem}"
        );
    }
    kernel.kernel().readers = vec![reader(Some(3), "tcpdump")];
    assert_eq!(
        web1(&mut agent),
        (PortState::Enforcing, String::new()),
        "its bridge"
    );
}

#[test]
fn a_port_whose_frames_a_switch_reads_before_the_filter_is_bypassed() {
    let (mut agent, kernel) = bridged();
    kernel.kernel().readers = vec![reader(Some(7), "ovs-vswitchd")];
    assert_eq!(
        web1(&mut agent).0,
        PortState::Bypassed,
        "a switch beside a bridge"
    );

    kernel.kernel().readers = vec![reader(Some(7), "anything")];
    assert_eq!(web1(&mut agent).0, PortState::Enforcing);
    agent.links(tap(None)).unwrap();
    let (state, note) = web1(&mut agent);
    assert_eq!(
        state,
        PortState::Bypassed,
        "nothing else carries its frames"
    );
    assert!(note.contains("anything (pid 4711)"), "{note}");

    kernel.kernel().readers.clear();
    assert_eq!(web1(&mut agent).0, PortState::Enforcing);
}

#[test]
fn a_closed_port_that_is_read_by_a_switch_is_not_closed_and_one_without_security_is_not_bypassed() {
    for (change, expected) in [
        (json!({"mac_address": 5}), PortState::Bypassed),
        (
            json!({"port_security_enabled": false}),
            PortState::Unfiltered,
        ),
    ] {
        let (mut agent, kernel) = agent();
        agent.links(tap(None)).unwrap();
        agent.apply(&inventory(change)).unwrap();
        kernel.kernel().readers = vec![reader(Some(7), "ovs-vswitchd")];
        assert_eq!(web1(&mut agent).0, expected);
    }
}
