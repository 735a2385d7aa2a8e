//! Which ports the kernel is asked for, and what is written.

use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytemuck::Zeroable;
use serde_json::json;
use sg_common::layout::events::{Action, Event};
use sg_common::reason::{DropReason, verdict_counter};

use super::*;
use crate::events::{Accounted, Lost, Source, Wanted};
use crate::model;
use crate::settings::Wanted as Settings;

const WEB: &str = "11111111-1111-4111-8111-111111111111";
const DB: &str = "22222222-2222-4222-8222-222222222222";
const GROUP: &str = "5a000000-0000-4000-8000-000000000001";

/// A kernel that remembers what is wanted.
#[derive(Default)]
struct Kernel(Mutex<Wanted>);

impl Source for Kernel {
    fn want(&self, wanted: &Wanted) -> Result<()> {
        *self.0.lock().unwrap() = wanted.clone();
        Ok(())
    }

    fn lost(&self) -> Result<Vec<Lost>> {
        Ok(Vec::new())
    }

    fn accounts(&self) -> Result<Vec<Accounted>> {
        Ok(Vec::new())
    }
}

impl Kernel {
    fn wants(&self, port: &str, action: Action) -> bool {
        let wanted = self.0.lock().unwrap();
        wanted.of(port.parse().unwrap()).wants(action)
    }
}

fn logs() -> (Arc<Kernel>, Arc<Hub>, Arc<Logs>) {
    let kernel = Arc::new(Kernel::default());
    let hub = Hub::new(kernel.clone());
    (kernel, hub.clone(), Logs::new(hub))
}

fn tables(text: &str) -> Vec<Log> {
    Settings::parse(text).unwrap().logs
}

/// WEB and DB, with these groups.
fn inventory(web: &[&str], db: &[&str]) -> Inventory {
    let port = |id: &str, name: &str, groups: &[&str]| {
        json!({"id": id, "name": name, "mac_address": "fa:16:3e:00:00:05", "security_groups": groups,
               "fixed_ips": [], "project_id": "2f 4e"})
    };
    let group = json!({"id": GROUP, "name": "WEB_SERVERS", "security_group_rules": []});
    let document = json!({"ports": [port(WEB, "WEB1", web), port(DB, "DB1", db)],
                          "security_groups": [group]});
    let parsed = model::parse(document.to_string().as_bytes()).unwrap();
    assert!(parsed.faults.is_empty(), "{:?}", parsed.faults);
    parsed.inventory
}

/// A refused packet of a moment far ahead, so that it is after any beginning.
fn refused(port: &str) -> Event {
    Event {
        time: 1 << 62,
        uuid: port.parse::<PortId>().unwrap().0.into_bytes(),
        what: Event::VERDICT,
        verdict: verdict_counter(&Err(DropReason::NoRule)) as u8,
        ..Event::zeroed()
    }
}

fn wait_for(path: &Path, words: &str) -> String {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let text = fs::read_to_string(path).unwrap_or_default();
        if text.contains(words) {
            return text;
        }
        assert!(Instant::now() < deadline, "no {words} in {text:?}");
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn the_kernel_is_asked_for_the_ports_that_are_named_and_for_those_that_get_a_group_later() {
    let (kernel, _hub, logs) = logs();
    let by_name = "[[log]]\nto = 'journal'\nwhat = 'drop'\nports = ['DB1']\n";
    let by_group = "[[log]]\nto = '/nowhere/log'\nwhat = 'accept'\ngroups = ['WEB_SERVERS']\n";
    let nobody = inventory(&[], &[]);
    logs.set(&tables(&(by_name.to_owned() + by_group)), &nobody);
    let asked = || {
        [WEB, DB]
            .map(|port| [Action::Accept, Action::Drop].map(|action| kernel.wants(port, action)))
    };
    assert_eq!(asked(), [[false, false], [false, true]]);
    logs.ports_are(&inventory(&[GROUP], &[]));
    assert_eq!(asked(), [[true, false], [false, true]]);
    logs.ports_are(&inventory(&[], &[GROUP]));
    assert_eq!(asked(), [[false, false], [true, true]]);
    logs.set(&tables(by_group), &nobody);
    assert_eq!(
        asked(),
        [[false, false], [true, false]],
        "until the ports are told"
    );
    logs.set(&[], &nobody);
    assert_eq!(asked(), [[false, false], [false, false]]);
}

#[test]
fn a_port_by_its_id_is_asked_for_before_there_is_one_and_without_names_every_port_is() {
    let (kernel, _hub, logs) = logs();
    let named = format!("[[log]]\nto = 'journal'\nports = ['{WEB}']\n");
    logs.set(&tables(&named), &Inventory::default());
    assert!(kernel.wants(WEB, Action::Accept) && !kernel.wants(DB, Action::Accept));
    logs.set(&tables("[[log]]\nto = 'journal'\n"), &Inventory::default());
    assert!(kernel.wants(WEB, Action::Accept) && kernel.wants(DB, Action::Drop));
}

#[test]
fn what_was_told_until_a_log_ends_is_written_and_names_the_project_in_one_word() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("log");
    let (_kernel, hub, logs) = logs();
    let table = format!("[[log]]\nto = '{}'\nburst = 100\n", path.display());
    logs.set(&tables(&table), &inventory(&[], &[]));
    for _ in 0..30 {
        hub.tell(&refused(WEB));
    }
    logs.end();
    let text = wait_for(&path, "action=DROP");
    assert_eq!(text.lines().count(), 30);
    let words = format!(
        " INFO sgd-log [-] action=DROP project_id=2f\\u{{20}}4e log_resource_ids=[] vm_port={WEB}"
    );
    assert!(text.lines().all(|line| line.contains(&words)), "{text}");
}

#[test]
fn the_windows_of_a_flow_log_say_which_ports_are_here_and_have_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("log");
    let (_kernel, _hub, logs) = logs();
    let table = format!(
        "[[log]]\nto = '{}'\nform = 'flow-log'\nports = ['WEB1']\n",
        path.display()
    );
    logs.set(&tables(&table), &inventory(&[], &[]));
    logs.ports_are_here([WEB, DB].map(|id| id.parse().unwrap()).into_iter());
    logs.end();
    let text = wait_for(&path, "NODATA");
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(
        text.starts_with(&format!("2 2f\\u{{20}}4e {WEB} - - - - - - - ")),
        "{text}"
    );
}

#[test]
fn a_log_that_cannot_be_written_is_told_with_its_cause_until_it_is_gone() {
    let (_kernel, hub, logs) = logs();
    logs.set(
        &tables("[[log]]\nto = '/nowhere/log'\n"),
        &inventory(&[], &[]),
    );
    hub.tell(&refused(WEB));
    let deadline = Instant::now() + Duration::from_secs(20);
    while logs.troubles().is_empty() {
        assert!(Instant::now() < deadline);
        thread::sleep(Duration::from_millis(5));
    }
    let troubles = logs.troubles();
    assert!(
        troubles[0]
            .starts_with("the log /nowhere/log is not written, and tried again: No such file")
            && troubles[0].ends_with("; 1 lines are lost so far"),
        "{troubles:?}"
    );
    logs.set(&[], &inventory(&[], &[]));
    assert_eq!(
        logs.totals()["/nowhere/log"].lost[&crate::view::LostWhy::Log],
        1
    );
}
