//! What the operator has set is in force, or what was before, and the status says which.

use sg_common::layout::settings::{switch, ticks};

use super::*;
use crate::{error::Error, settings::Wanted};

fn wanted(text: &str) -> Wanted {
    Wanted::parse(text).unwrap()
}

fn generation(kernel: &double::Double) -> u32 {
    let kernel = kernel.kernel();
    kernel.state.ports.values().next().unwrap().generation
}

fn refused() -> Result<Wanted> {
    Err(Error::Settings {
        path: "/etc/sgd/sgd.toml".into(),
        what: "line 1: tagged: 'maybe' is not a value of it".into(),
    })
}

#[test]
fn settings_are_written_when_they_change_and_only_then() {
    let (mut agent, kernel) = agent();
    for _ in 0..2 {
        agent.set_now(Wanted::default()).unwrap();
    }
    assert!(kernel.calls().is_empty(), "they are in force already");
    for _ in 0..2 {
        agent.set_now(wanted("timeouts.udp = 45")).unwrap();
    }
    assert_eq!(kernel.calls(), ["set settings"]);
    assert_eq!(kernel.kernel().settings.udp, ticks(45));
}

#[test]
fn a_bad_file_leaves_the_settings_in_force_and_is_reported_until_a_good_one_comes() {
    let (mut agent, kernel) = agent();
    agent.set_now(wanted("tagged = 'pass'")).unwrap();
    kernel.calls();
    agent.settings_read(refused()).unwrap_err();
    assert!(kernel.calls().is_empty());
    let view = agent.status(Vec::new()).unwrap().settings;
    assert_eq!(
        view.last_error.unwrap(),
        "the settings /etc/sgd/sgd.toml: line 1: tagged: 'maybe' is not a value of it"
    );
    assert_eq!(view.settings.len(), 1);
    let set = &view.settings[0];
    assert_eq!(
        (&*set.key, &set.value, &set.default),
        ("tagged", &json!("pass"), &json!("drop"))
    );

    agent.settings_read(Ok(Wanted::default())).unwrap();
    let view = agent.status(Vec::new()).unwrap().settings;
    assert_eq!((view.last_error, view.settings.len()), (None, 0));
    let capacity = kernel.flow_capacity();
    let default = Wanted::default().settings(capacity);
    assert_eq!(kernel.kernel().settings, default);
}

#[test]
fn connections_are_judged_again_after_a_switch_and_not_after_a_timeout() {
    let (mut agent, kernel) = agent();
    agent.links(LinkEvent::All(vec![LINK.clone()])).unwrap();
    agent.apply(&inventory(json!({}))).unwrap();
    let first = generation(&kernel);
    agent.set_now(wanted("other_family = 'pass'")).unwrap();
    let second = generation(&kernel);
    assert!(second > first);
    agent
        .set(wanted("other_family = 'pass'\ntimeouts.udp = 45"))
        .unwrap();
    assert_eq!(generation(&kernel), second);

    let report = agent.apply(&inventory(json!({}))).unwrap();
    assert_eq!(report.changes, 0, "the agent knows what the tables hold");
    assert!(kernel.kernel().next_generation > second);
}

#[test]
fn connections_that_could_not_be_judged_again_are_later() {
    let (mut agent, kernel) = agent();
    agent.links(LinkEvent::All(vec![LINK.clone()])).unwrap();
    agent.apply(&inventory(json!({}))).unwrap();
    let first = generation(&kernel);
    kernel.kernel().broken = Some("out of memory".into());
    agent.set_now(wanted("tagged = 'pass'")).unwrap_err();
    assert!(kernel.kernel().settings.has(switch::TAGGED));
    let refused = |agent: &mut Agent| agent.status(Vec::new()).unwrap().inventory.apply_error;
    assert_eq!(refused(&mut agent).as_deref(), Some("out of memory"));

    kernel.kernel().broken = None;
    agent.checked().unwrap();
    assert_eq!(refused(&mut agent), None);
    assert!(generation(&kernel) > first);
}

#[test]
fn a_share_of_the_table_is_shown_as_what_it_comes_to() {
    let (mut agent, _kernel) = agent();
    agent.set_now(wanted("assured_per_port = '10%'")).unwrap();
    let view = agent.settings().unwrap();
    let setting = view
        .settings
        .iter()
        .find(|set| set.key == "assured_per_port");
    assert_eq!(setting.unwrap().value, 26_214);
}

#[test]
fn what_a_vm_sends_is_judged_where_its_port_wants_it_and_moves_when_that_changes() {
    let (mut agent, kernel) = agent();
    agent.links(LinkEvent::All(vec![LINK.clone()])).unwrap();
    agent.apply(&inventory(json!({}))).unwrap();
    let attached = |calls: Vec<String>| -> Vec<_> {
        let calls = calls.into_iter();
        calls.filter(|call| call.starts_with("attach")).collect()
    };
    assert_eq!(attached(kernel.calls()), ["attach 7 tapweb1"]);
    agent.set_now(wanted("from_vm = 'xdp'")).unwrap();
    assert_eq!(attached(kernel.calls()), ["attach 7 tapweb1 at xdp"]);
    agent.checked().unwrap();
    assert!(attached(kernel.calls()).is_empty(), "it is there");
    let own = format!("from_vm = 'xdp'\n[ports.{WEB1}]\nfrom_vm = 'tc'");
    agent.set_now(wanted(&own)).unwrap();
    assert_eq!(attached(kernel.calls()), ["attach 7 tapweb1"]);
}

#[test]
fn by_itself_a_tap_is_judged_at_xdp_as_long_as_a_switch_reads_it_and_is_enforcing_then() {
    let (mut agent, kernel) = agent();
    agent.links(LinkEvent::All(vec![LINK.clone()])).unwrap();
    agent.apply(&inventory(json!({}))).unwrap();
    kernel.calls();
    kernel.kernel().readers = vec![Reader {
        ifindex: Some(LINK.ifindex),
        inode: 5,
        process: None,
    }];
    agent.checked().unwrap();
    assert_eq!(kernel.calls(), ["attach 7 tapweb1 at xdp"]);
    let tally = agent.tally();
    assert_eq!((tally.enforcing, tally.bypassed), (1, 0));
    kernel.kernel().readers.clear();
    agent.checked().unwrap();
    assert_eq!(kernel.calls(), ["attach 7 tapweb1"]);
}
