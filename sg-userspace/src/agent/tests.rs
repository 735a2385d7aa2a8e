//! What the agent does on which event.

mod adopt;
mod explain;
mod faults;
mod fixture;
mod flows;
mod sample;
mod settings;
mod settled;
mod show;
mod standing;
mod tally;
mod transact;
pub(crate) mod trunk;

use fixture::WEB_SERVERS;
pub(crate) use fixture::{LINK, WEB1, agent, counted, inventory};
use serde_json::json;
pub(crate) use show::flow;

use super::*;
use crate::{netlink::Link, view::PortState};

fn present(ifindex: u32, name: &str) -> LinkEvent {
    LinkEvent::Present(Link {
        ifindex,
        name: name.into(),
        master: None,
    })
}

fn state(agent: &Agent, port: &str) -> PortState {
    agent
        .ports()
        .into_iter()
        .find(|view| view.name == port)
        .expect(port)
        .state
}

#[test]
fn a_port_without_an_interface_waits_for_it() {
    let (mut agent, kernel) = agent();
    agent.links(LinkEvent::All(vec![])).unwrap();
    agent.apply(&inventory(json!({}))).unwrap();
    assert_eq!(state(&agent, "WEB1"), PortState::Elsewhere);
    assert!(kernel.calls().is_empty());

    agent.links(present(7, "tapweb1")).unwrap();
    assert_eq!(state(&agent, "WEB1"), PortState::Enforcing);
    assert_eq!(kernel.calls(), ["attach 7 tapweb1", "write port at 7"]);
}

#[test]
fn a_tap_that_comes_back_with_another_index_is_closed_and_enforced_again() {
    let (mut agent, kernel) = agent();
    agent.links(LinkEvent::All(vec![LINK.clone()])).unwrap();
    agent.apply(&inventory(json!({}))).unwrap();
    let before = kernel
        .kernel()
        .state
        .ports
        .values()
        .next()
        .copied()
        .unwrap();
    kernel.calls();

    kernel.kernel().attached.insert(7, Attachment::Gone);
    agent.links(LinkEvent::Gone(7)).unwrap();
    assert_eq!(state(&agent, "WEB1"), PortState::Elsewhere);
    assert_eq!(
        kernel.calls(),
        ["remove port at 7", "park port", "forget 7"]
    );

    agent.links(present(9, "tapweb1")).unwrap();
    assert_eq!(
        kernel.calls(),
        ["attach 9 tapweb1", "unpark port", "write port at 9"]
    );
    let after = kernel
        .kernel()
        .state
        .ports
        .values()
        .next()
        .copied()
        .unwrap();
    assert_ne!(
        before.generation, after.generation,
        "connections must be judged again"
    );
    assert_eq!(before.slot, after.slot, "they are kept");
}

#[test]
fn an_interface_that_lives_elsewhere_is_not_forgotten() {
    let (mut agent, kernel) = agent();
    agent.links(LinkEvent::All(vec![LINK.clone()])).unwrap();
    agent.apply(&inventory(json!({}))).unwrap();
    kernel.calls();

    kernel.kernel().attached.insert(7, Attachment::Moved);
    let interface = LINK.name.clone();
    let links = vec![448, 449];
    kernel.kernel().troubles = vec![(7, Trouble::Moved { interface, links })];
    agent.links(LinkEvent::Gone(7)).unwrap();
    assert_eq!(state(&agent, "WEB1"), PortState::Elsewhere);
    assert_eq!(kernel.calls(), ["remove port at 7", "park port"]);
    let status = agent.status(Vec::new()).unwrap();
    let [trouble] = &status.interfaces[..] else {
        panic!("one trouble, not {:?}", status.interfaces);
    };
    assert_eq!((&*trouble.interface, &*trouble.kind), ("tapweb1", "moved"));

    let unfiltered = json!({"device_owner": "network:dhcp", "port_security_enabled": false});
    agent.apply(&inventory(unfiltered)).unwrap();
    assert_eq!(kernel.calls(), ["release tapweb1", "park port"]);
    assert!(agent.status(Vec::new()).unwrap().interfaces.is_empty());
}

#[test]
fn interfaces_of_nobody_are_left_alone() {
    let (mut agent, kernel) = agent();
    agent.apply(&inventory(json!({}))).unwrap();
    agent.links(present(1, "lo")).unwrap();
    agent.links(present(2, "eth0")).unwrap();
    agent.links(LinkEvent::Gone(2)).unwrap();
    agent.links(LinkEvent::Gone(99)).unwrap();
    assert!(kernel.calls().is_empty());
}

#[test]
fn news_that_change_nothing_write_nothing() {
    let (mut agent, kernel) = agent();
    agent.links(LinkEvent::All(vec![LINK.clone()])).unwrap();
    let document = inventory(json!({}));
    agent.apply(&document).unwrap();
    kernel.calls();

    agent.links(present(7, "tapweb1")).unwrap();
    agent.file_changed(Ok(document.clone())).unwrap();
    assert_eq!(agent.apply(&document).unwrap().changes, 0);
    agent.links(LinkEvent::All(vec![LINK.clone()])).unwrap();
    assert!(kernel.calls().is_empty());
}

#[test]
fn a_restarted_agent_adopts_what_it_finds() {
    let (mut first, kernel) = agent();
    first.links(LinkEvent::All(vec![LINK.clone()])).unwrap();
    first.apply(&inventory(json!({}))).unwrap();
    kernel.calls();

    let mut second = fixture::agent_on(&kernel);
    second.links(LinkEvent::All(vec![LINK.clone()])).unwrap();
    assert_eq!(second.apply(&inventory(json!({}))).unwrap().changes, 0);
    assert!(kernel.calls().is_empty());
}

#[test]
fn a_restarted_agent_forgets_interfaces_that_went_meanwhile() {
    let (_, kernel) = agent();
    kernel.kernel().attached.insert(5, Attachment::Gone);
    let mut agent = fixture::agent_on(&kernel);
    agent.links(LinkEvent::All(vec![LINK.clone()])).unwrap();
    assert!(
        kernel.calls().is_empty(),
        "nothing is done before an inventory is known"
    );
    agent.apply(&inventory(json!({}))).unwrap();
    assert_eq!(
        kernel.calls(),
        ["attach 7 tapweb1", "write port at 7", "forget 5"]
    );
}

#[test]
fn a_port_that_leaves_the_inventory_leaves_its_interface_closed() {
    let (mut agent, kernel) = agent();
    agent.links(LinkEvent::All(vec![LINK.clone()])).unwrap();
    agent.apply(&inventory(json!({}))).unwrap();
    kernel.calls();

    let empty = serde_json::to_vec(&json!({"ports": [], "security_groups": []})).unwrap();
    agent.apply(&empty).unwrap();
    assert_eq!(kernel.calls(), ["remove port at 7"]);
    assert!(
        kernel.kernel().attached.contains_key(&7),
        "programs without a port drop everything"
    );
}

#[test]
fn a_new_inventory_is_written_in_the_difference_only() {
    let (mut agent, kernel) = agent();
    agent.links(LinkEvent::All(vec![LINK.clone()])).unwrap();
    agent.apply(&inventory(json!({}))).unwrap();
    kernel.calls();
    let report = agent
        .apply(&inventory(json!({"port_security_enabled": false})))
        .unwrap();
    assert_eq!(report.ports.unfiltered, 1);
    assert_eq!(kernel.calls(), ["write port at 7"]);
    assert_eq!(agent.status(Vec::new()).unwrap().inventory.revision, 2);
}

#[test]
fn generations_are_reserved_before_they_are_used() {
    let (mut agent, kernel) = agent();
    agent.links(LinkEvent::All(vec![LINK.clone()])).unwrap();
    agent.apply(&inventory(json!({}))).unwrap();
    let kernel = kernel.kernel();
    let used = kernel
        .state
        .ports
        .values()
        .map(|port| port.generation)
        .max()
        .unwrap();
    assert!(used < kernel.next_generation);
}

#[test]
fn counters_of_a_slot_begin_at_zero_with_each_owner() {
    let (mut agent, kernel) = agent();
    agent.links(LinkEvent::All(vec![LINK.clone()])).unwrap();
    kernel.kernel().counts.insert(1, counted());
    agent.apply(&inventory(json!({}))).unwrap();
    assert!(
        kernel.kernel().counts.is_empty(),
        "slot 1 had another owner before"
    );

    kernel.kernel().counts.insert(1, counted());
    agent.apply(&inventory(json!({"name": "WEB2"}))).unwrap();
    assert!(!kernel.kernel().counts.is_empty(), "its owner is the same");
}

#[test]
fn a_port_is_found_by_whatever_is_known_of_it() {
    let (mut agent, _) = agent();
    agent.apply(&inventory(json!({}))).unwrap();
    for reference in [
        WEB1,
        "WEB1",
        "tapweb1",
        "FA-16-3E-00-00-05",
        "10.0.0.5",
        "2001:db8:0::5",
    ] {
        assert_eq!(
            agent.port(reference, &[]).unwrap().port.id,
            WEB1,
            "{reference}"
        );
    }
    let error = agent.port("web1", &[]).unwrap_err();
    assert_eq!(error.exit(), crate::exit::Exit::NotFound, "{error}");
}

#[test]
fn a_name_of_several_ports_names_none() {
    let (mut agent, _) = agent();
    agent.apply(&inventory(json!({"name": "CLIENT"}))).unwrap();
    let error = agent.port("CLIENT", &[]).unwrap_err().to_string();
    assert!(
        error.contains("names several ports") && error.contains(WEB1),
        "{error}"
    );
}

#[test]
fn what_identifies_a_port_goes_before_the_name_that_another_one_has() {
    let client = "11111111-0000-4000-8000-000000000006";
    for of_client in [client, "tapclient", "fa:16:3e:00:00:06", "10.0.0.6"] {
        let (mut agent, _) = agent();
        agent.apply(&inventory(json!({"name": of_client}))).unwrap();
        assert_eq!(agent.port(of_client, &[]).unwrap().port.name, "CLIENT");
    }
}

#[test]
fn what_is_written_for_the_id_of_a_closed_port_hides_no_other_port() {
    let (mut agent, _) = agent();
    let closed = inventory(json!({"id": "10.0.0.6", "name": "web"}));
    agent.apply(&closed).unwrap();
    assert_eq!(agent.port("10.0.0.6", &[]).unwrap().port.name, "CLIENT");

    agent.apply(&inventory(json!({"id": "nobody"}))).unwrap();
    assert_eq!(agent.port("nobody", &[]).unwrap().port.name, "WEB1");
}

#[test]
fn an_address_on_two_networks_names_no_port_and_both_are_listed() {
    let (mut agent, _) = agent();
    let twins = inventory(json!({"fixed_ips": [{"ip_address": "10.0.0.6"}]}));
    agent.apply(&twins).unwrap();
    let error = agent.port("10.0.0.6", &[]).unwrap_err();
    assert_eq!(error.exit(), crate::exit::Exit::NotFound);
    assert_eq!(
        error.to_string(),
        format!(
            "\"10.0.0.6\" names several ports: {WEB1} (WEB1, tapweb1), \
             11111111-0000-4000-8000-000000000006 (CLIENT, tapclient) (name one by its id)"
        )
    );
}
