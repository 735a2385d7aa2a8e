//! Logs that the daemon writes itself.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use sg_tests::crowd::wait_until;
use sg_tests::events::asked;
use sg_tests::inventory::Inventory;
use sg_tests::node::Node;
use sg_tests::traffic::Outcome::{Answered, Silence};
use sg_tests::vm::RawVm;

use crate::events::PATIENCE;
use crate::leak::{Leak, forged};
use crate::site::{HTTP, Site, client, site, web1};

/// Time for a line to be written.
const QUIET: Duration = Duration::from_millis(1500);

/// A log of a node.
struct Log(PathBuf);

impl Log {
    fn at(node: &Node, name: &str) -> Self {
        Self(node.directory().join(name))
    }

    /// Its table, with further keys.
    fn table(&self, more: &str) -> String {
        format!("[[log]]\nto = '{}'\n{more}\n", self.0.display())
    }

    fn text(&self) -> String {
        fs::read_to_string(&self.0).unwrap_or_default()
    }

    fn lines(&self) -> Vec<String> {
        self.text().lines().map(str::to_owned).collect()
    }

    fn json(&self) -> Vec<Value> {
        let text = self.text();
        let lines = text.lines();
        lines
            .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{line}: {e}")))
            .collect()
    }

    /// How many lines have all these words.
    fn count(&self, words: &[&str]) -> usize {
        let lines = self.lines();
        let has_all = |line: &&String| words.iter().all(|word| line.contains(word));
        lines.iter().filter(has_all).count()
    }

    fn wait_for(&self, what: &str, words: &[&str]) {
        wait_until(PATIENCE, what, || self.count(words) > 0);
    }
}

fn id(port: &sg_tests::inventory::Port) -> String {
    port.id().to_string()
}

/// Starts the daemon of a node with these logs.
fn start(node: &mut Node, inventory: &Inventory, logs: &[String]) {
    node.write(inventory);
    node.start_with_settings(&logs.concat());
}

/// What was lost of a port by lines of JSON, and how many packets are told.
fn told_and_lost(lines: &[Value], port: &str) -> (u64, u64) {
    let of_port = lines.iter().filter(|line| line["port"] == port);
    let (lost, told): (Vec<_>, Vec<_>) = of_port.partition(|line| line.get("lost").is_some());
    let lost = lost.iter().filter_map(|line| line["lost"].as_u64()).sum();
    (told.len() as u64, lost)
}

#[test]
fn each_log_has_what_it_is_to_have_of_the_ports_and_groups_that_it_names() {
    let mut site_ = Site::new("logs");
    let [all, accepts, drops, group, other] =
        ["all", "accepts", "drops", "group", "other"].map(|name| Log::at(&site_.node, name));
    let web = id(&web1());
    let tables = [
        all.table("form = 'json'"),
        accepts.table("what = 'accept'\nports = ['WEB1']"),
        drops.table(&format!("what = 'drop'\nports = ['{web}']")),
        group.table("form = 'json'\ngroups = ['WEB_SERVERS']"),
        other.table("ports = ['NOBODY']"),
    ];
    start(&mut site_.node, &site(&[HTTP]), &tables);

    assert_eq!(site_.ask(80), Answered);
    assert_eq!(site_.ask(443), Silence);
    drops.wait_for("the refused packet is not logged", &["action=DROP"]);
    sleep(QUIET);

    let syns = site_.count("ingress", "no_rule") as usize;
    let vm_port = format!("vm_port={web}");
    let ipv4 = "ipv4(csum=";
    assert_eq!(
        accepts.count(&["action=ACCEPT project_id=", &vm_port, ipv4, "dst_port=80"]),
        1
    );
    assert_eq!(accepts.lines().len(), 1, "{}", accepts.text());
    let refused = ["INFO sgd-log [-] action=DROP", &vm_port];
    assert_eq!(drops.count(&refused), syns, "{}", drops.text());
    assert_eq!(drops.lines().len(), syns, "{}", drops.text());
    assert!(drops.count(&[ipv4, "dst_port=443"]) > 0, "{}", drops.text());
    let of = |log: &Log, port: &str| told_and_lost(&log.json(), port);
    assert_eq!(of(&group, &web), (1 + syns as u64, 0));
    assert_eq!(of(&group, &id(&client())), (0, 0));
    assert_eq!(of(&all, &web), (1 + syns as u64, 0));
    assert!(of(&all, &id(&client())).0 >= 2, "what the client opens");
    assert_eq!(other.text(), "");
    let mode = fs::metadata(&drops.0).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o640);
    let (status, metrics) = site_.node.request("GET", "/metrics", "");
    assert_eq!(status, 200);
    let counted = format!("sg_log_lines_total{{to=\"{}\"}} 1\n", accepts.0.display());
    assert!(metrics.contains(&counted), "{metrics}");
}

#[test]
fn what_is_to_be_logged_follows_the_file_and_nothing_of_a_log_that_stays_is_lost() {
    let mut leak = Leak::before_the_daemon("logs-followed");
    let (one, other) = (Log::at(&leak.node, "one"), Log::at(&leak.node, "other"));
    let (first, second) = (
        one.table("what = 'drop'"),
        other.table("what = 'drop'\nform = 'json'"),
    );
    start(&mut leak.node, &site(&[]), std::slice::from_ref(&first));
    leak.web.send(&forged());
    one.wait_for("nothing is logged", &["action=DROP"]);

    leak.node.set(&(first.clone() + &second));
    wait_until(PATIENCE, "the second log is not there", || {
        let set = leak.node.query("settings");
        let settings = set["settings"].as_array().unwrap().clone();
        let log = settings.iter().find(|set| set["key"] == "log").unwrap();
        log["value"].as_array().is_some_and(|logs| logs.len() == 2)
    });
    leak.web.send(&forged());
    other.wait_for("the second log has nothing", &["DROP"]);
    wait_until(PATIENCE, "the first log has ended", || {
        one.lines().len() == 2
    });
    assert_eq!(other.json().len(), 1, "nothing from before");

    leak.node.set("log = [{ to = 'elsewhere' }]");
    wait_until(PATIENCE, "the mistake is not told", || {
        leak.node
            .sgctl("status")
            .stdout
            .contains("log.to: 'elsewhere' is not a value of it")
    });
    leak.web.send(&forged());
    wait_until(PATIENCE, "a bad file ends a log", || one.lines().len() == 3);

    leak.node.set("");
    wait_until(PATIENCE, "the kernel goes on telling", || {
        asked(&leak.node).is_empty()
    });
    leak.web.send(&forged());
    sleep(QUIET);
    assert_eq!((one.lines().len(), other.lines().len()), (3, 2));
}

#[test]
fn a_port_that_gets_a_group_later_is_logged_from_then_on() {
    let mut leak = Leak::before_the_daemon("logs-later");
    let log = Log::at(&leak.node, "log");
    start(
        &mut leak.node,
        &site(&[]),
        &[log.table("form = 'json'\ngroups = ['CLIENTS']")],
    );
    leak.web.send(&forged());
    sleep(QUIET);
    assert_eq!(log.text(), "");
    let both = site(&[]);
    let document = both.json().to_string();
    let (web, clients) = ("WEB_SERVERS", "CLIENTS");
    let mut document: Value = serde_json::from_str(&document).unwrap();
    let group = |name: &str| {
        let groups = document["security_groups"].as_array().unwrap();
        let found = groups.iter().find(|group| group["name"] == name);
        found.expect("a group")["id"].clone()
    };
    let groups = Value::from(vec![group(web), group(clients)]);
    let ports = document["ports"].as_array_mut().unwrap();
    let port = ports
        .iter_mut()
        .find(|port| port["name"] == "WEB1")
        .unwrap();
    port["security_groups"] = groups;
    leak.node.put(&document.to_string());
    leak.web.send(&forged());
    log.wait_for("it is not logged", &[&id(&web1())]);
}

#[test]
fn a_file_that_is_moved_away_is_begun_anew_and_at_a_hangup_too() {
    let mut leak = Leak::before_the_daemon("logs-rotated");
    let log = Log::at(&leak.node, "log");
    start(&mut leak.node, &site(&[]), &[log.table("what = 'drop'")]);
    leak.web.send(&forged());
    log.wait_for("nothing is logged", &["action=DROP"]);
    for round in 1..=2 {
        let old = log.0.with_extension(round.to_string());
        fs::rename(&log.0, &old).unwrap();
        if round == 2 {
            let pid = Pid::from_raw(leak.node.daemon_pid().cast_signed());
            kill(pid, Signal::SIGHUP).unwrap();
        }
        leak.web.send(&forged());
        log.wait_for("it is not begun anew", &["action=DROP"]);
        assert_eq!(fs::read_to_string(&old).unwrap().lines().count(), 1);
        assert_eq!(log.lines().len(), 1);
    }
}

/// A small file system, unmounted at the end.
struct Small(PathBuf);

impl Small {
    fn mount(node: &Node) -> Self {
        let path = node.directory().join("small");
        fs::create_dir(&path).unwrap();
        run(
            "mount",
            &[
                "-t",
                "tmpfs",
                "-o",
                "size=64k",
                "small",
                path.to_str().unwrap(),
            ],
        );
        Self(path)
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

fn run(program: &str, arguments: &[&str]) {
    let status = Command::new(program).args(arguments).status().unwrap();
    assert!(status.success(), "{program} {arguments:?}");
}

#[test]
fn a_full_disk_loses_lines_that_are_counted_told_and_named_once_there_is_room_and_no_other_log_waits()
 {
    let mut leak = Leak::before_the_daemon("logs-full");
    let small = Small::mount(&leak.node);
    let (log, other) = (Log(small.0.join("log")), Log::at(&leak.node, "other"));
    let more = "form = 'json'\nwhat = 'drop'\nrate = 1000\nburst = 1000";
    start(
        &mut leak.node,
        &site(&[]),
        &[log.table(more), other.table(more)],
    );
    fs::write(small.0.join("ballast"), vec![0; 128 << 10]).unwrap_err();

    const SENT: u64 = 50;
    for _ in 0..SENT {
        leak.web.send(&forged());
    }
    let web = id(&web1());
    wait_until(PATIENCE, "the other log waits", || {
        told_and_lost(&other.json(), &web) == (SENT, 0)
    });
    let said = || leak.node.sgctl("status").stdout;
    wait_until(PATIENCE, "the trouble is not told", || {
        said().contains("is not written, and tried again: No space left on device")
    });
    wait_until(PATIENCE, "the lost lines are not counted", || {
        said().contains(&format!("; {SENT} lines are lost so far"))
    });

    fs::remove_file(small.0.join("ballast")).unwrap();
    log.wait_for("what was lost is not told", &["\"why\":\"log\""]);
    assert_eq!(
        told_and_lost(&log.json(), &web),
        (0, SENT),
        "{}",
        log.text()
    );
    leak.web.send(&forged());
    wait_until(PATIENCE, "it is not written again", || {
        told_and_lost(&log.json(), &web) == (1, SENT)
    });
    assert!(!said().contains("is not written"), "{}", said());
    let (_, metrics) = leak.node.request("GET", "/metrics", "");
    let to = log.0.display();
    let counted = format!("sg_log_lost_lines_total{{to=\"{to}\",why=\"log\"}} {SENT}");
    assert!(metrics.contains(&counted), "{metrics}");
}

#[test]
fn a_directory_that_comes_later_and_a_link_are_told_and_nothing_is_made_or_followed() {
    let mut leak = Leak::before_the_daemon("logs-nowhere");
    let nowhere = Log::at(&leak.node, "later/log");
    let link = Log::at(&leak.node, "link");
    let target = leak.node.directory().join("target");
    fs::write(&target, "").unwrap();
    std::os::unix::fs::symlink(&target, &link.0).unwrap();
    let more = "form = 'json'\nwhat = 'drop'";
    start(
        &mut leak.node,
        &site(&[]),
        &[nowhere.table(more), link.table(more)],
    );
    leak.web.send(&forged());
    for words in ["No such file or directory", "it is a symbolic link"] {
        wait_until(PATIENCE, words, || {
            leak.node.sgctl("status").stdout.contains(words)
        });
    }
    let directory = nowhere.0.parent().unwrap();
    assert!(!directory.exists());
    fs::create_dir(directory).unwrap();
    nowhere.wait_for("it is not written", &["\"lost\":1", "\"why\":\"log\""]);
    assert_eq!(fs::read_to_string(&target).unwrap(), "");
}

#[test]
fn a_flood_at_one_port_loses_lines_of_its_own_which_are_counted_and_none_of_another() {
    const FLOOD: u64 = 5_000;
    let mut leak = Leak::before_the_daemon("logs-flood");
    let other = RawVm::new(&leak.node, &client());
    let (json, neutron) = (Log::at(&leak.node, "json"), Log::at(&leak.node, "neutron"));
    let tables = [
        json.table("form = 'json'\nwhat = 'drop'"),
        neutron.table("what = 'drop'"),
    ];
    start(&mut leak.node, &site(&[]), &tables);

    for number in 0..FLOOD {
        leak.web.send(&forged());
        if number % 1000 == 0 {
            other.send(&forged());
        }
    }

    let (web, client) = (id(&web1()), id(&client()));
    wait_until(PATIENCE, "not all is accounted for", || {
        let (told, lost) = told_and_lost(&json.json(), &web);
        told + lost == FLOOD
    });
    let (told, _) = told_and_lost(&json.json(), &web);
    assert!((25..1000).contains(&told), "{told} are told");
    assert_eq!(told_and_lost(&json.json(), &client), (5, 0));
    neutron.wait_for(
        "it does not say what was lost",
        &["action=DROP", &format!("vm_port={web} lost="), "why=rate"],
    );
    assert_eq!(
        neutron.count(&[&format!("vm_port={client}"), "pkt=ethernet("]),
        5
    );
}

#[test]
fn what_was_told_before_the_daemon_ends_is_written() {
    let mut leak = Leak::before_the_daemon("logs-end");
    let log = Log::at(&leak.node, "log");
    start(
        &mut leak.node,
        &site(&[]),
        &[log.table("form = 'json'\nwhat = 'drop'")],
    );
    const SENT: u64 = 20;
    for _ in 0..SENT {
        leak.web.send(&forged());
    }
    // The kernel's ring is read at once.
    sleep(Duration::from_millis(200));
    leak.node.terminate();
    assert_eq!(told_and_lost(&log.json(), &id(&web1())), (SENT, 0));
}
