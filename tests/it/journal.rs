//! Logs that the daemon writes to journald: one that the test plays, at the socket that the daemon sees, and
//! systemd's own.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use sg_tests::crowd::wait_until;
use sg_tests::daemon::Daemon;
use sg_tests::node::Node;
use sg_tests::traffic::Outcome::{Answered, Silence};
use sg_tests::traffic::{EchoServer, ask_tcp};
use sg_tests::vm::{RawVm, Vm};

use crate::events::PATIENCE;
use crate::leak::forged;
use crate::site::{HTTP, client, site, web1};

/// Time for an entry to come.
const QUIET: Duration = Duration::from_millis(1500);

/// What journald would read.
struct Journald(UnixDatagram);

type Entry = BTreeMap<String, String>;

impl Journald {
    /// A node whose daemon finds this journald at its place, and no other.
    fn beside(label: &str) -> (Self, Node) {
        let node = node_with_journal(label);
        let socket = UnixDatagram::bind(node.directory().join("journal/socket")).unwrap();
        socket.set_read_timeout(Some(QUIET)).unwrap();
        (Self(socket), node)
    }

    /// The next entry, unless none comes for a while.
    fn next(&self) -> Option<Entry> {
        let mut bytes = [0; 1 << 16];
        let length = self.0.recv(&mut bytes).ok()?;
        let text = String::from_utf8(bytes[..length].to_vec()).expect("text");
        let fields = text.lines().map(|line| {
            let (name, value) = line.split_once('=').expect("a field");
            (name.to_owned(), value.to_owned())
        });
        Some(fields.collect())
    }

    fn all(&self) -> Vec<Entry> {
        std::iter::from_fn(|| self.next()).collect()
    }
}

/// A node whose daemon finds its directory `journal` where journald has its socket.
fn node_with_journal(label: &str) -> Node {
    let node = Node::new(label);
    let directory = node.directory().join("journal");
    fs::create_dir(&directory).unwrap();
    let place = "/run/systemd/journal";
    let script = format!(
        "mkdir -p {place} && mount --bind '{}' {place} && exec \"$@\"",
        directory.display()
    );
    node.with_prefix(&["unshare", "--mount", "sh", "-c", &script, "sh"])
}

fn start(node: &mut Node, rules: &[&str], log: &str) {
    node.write(&site(rules));
    node.start_with_settings(&format!("[[log]]\nto = 'journal'\n{log}\n"));
}

#[test]
fn journald_is_told_lines_with_fields_that_it_can_be_asked_for() {
    let (journald, mut node) = Journald::beside("journal");
    let (web, client) = (Vm::new(&node, &web1()), Vm::new(&node, &client()));
    let _server = EchoServer::start(web.netns(), 80);
    start(&mut node, &[HTTP], "ports = ['WEB1']");
    assert_eq!(ask_tcp(client.netns(), web.v4(), 80), Answered);
    assert_eq!(ask_tcp(client.netns(), web.v4(), 443), Silence);

    let entries = journald.all();
    let find = |action: &str| {
        let mut entries = entries.iter();
        let found = entries.find(|entry| entry["SG_ACTION"] == action);
        found.unwrap_or_else(|| panic!("{action}: {entries:?}"))
    };
    for (action, reason, port) in [("ACCEPT", "new", "80"), ("DROP", "no_rule", "443")] {
        let entry = find(action);
        for (name, value) in [
            ("PRIORITY", "6"),
            ("SYSLOG_IDENTIFIER", "sgd-log"),
            ("SG_PORT", &web1().id().to_string()),
            ("SG_DIRECTION", "ingress"),
            ("SG_REASON", reason),
            ("SG_SOURCE", "10.0.0.7"),
            ("SG_DESTINATION", "10.0.0.5"),
            ("SG_PROTOCOL", "6"),
            ("SG_DESTINATION_PORT", port),
            ("SG_TCP_FLAGS", "SYN"),
        ] {
            assert_eq!(entry[name], value, "{name}");
        }
        let message = &entry["MESSAGE"];
        assert!(
            message.starts_with(&format!("action={action} project_id=")),
            "{message}"
        );
        assert!(message.contains(&format!("dst_port={port}")), "{message}");
    }
}

/// Where Debian has journald.
const JOURNALD: &str = "/lib/systemd/systemd-journald";

/// systemd's journald, with its socket and its files in the directory of a node.
fn real_journald(node: &Node) -> Daemon {
    let at = |name: &str| node.directory().join(name);
    fs::create_dir_all(at("var/journal")).unwrap();
    // An instance that reads neither the kernel's log nor that of the host.
    let script = format!(
        "mkdir -p /run/systemd/journal.sg /run/log &&
         mount --bind '{}' /run/systemd/journal.sg &&
         mount -t tmpfs none /run/log &&
         mount --bind '{}' /var/log &&
         exec {JOURNALD} sg",
        at("journal").display(),
        at("var").display()
    );
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", &script]);
    Daemon::start(node.netns(), command)
}

/// What the journal answers.
fn journalctl(node: &Node, words: &[&str]) -> Vec<Value> {
    let directories = fs::read_dir(node.directory().join("var/journal")).unwrap();
    let mut command = Command::new("journalctl");
    command.args(["--quiet", "--output=json"]);
    for directory in directories.flatten() {
        command
            .arg("--file")
            .arg(directory.path().join("system.journal"));
    }
    let output = command.args(words).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
    lines.collect()
}

#[test]
fn the_journal_of_systemd_finds_lines_by_port_and_reason() {
    if !Path::new(JOURNALD).exists() {
        eprintln!("left out: there is no {JOURNALD} here");
        return;
    }
    let mut node = node_with_journal("journal-real");
    let _journald = real_journald(&node);
    wait_until(PATIENCE, "journald does not start", || {
        node.directory().join("journal/socket").exists()
    });
    let web = RawVm::new(&node, &web1());
    start(&mut node, &[], "");
    web.send(&forged());
    let port = format!("SG_PORT={}", web1().id());
    let found = || journalctl(&node, &[&port, "SG_REASON=spoofed_mac"]);
    wait_until(PATIENCE, "the journal does not have it", || {
        found().len() == 1
    });
    let found = found();
    for (name, value) in [
        ("SYSLOG_IDENTIFIER", "sgd-log"),
        ("SG_ACTION", "DROP"),
        ("_COMM", "sgd"),
        ("PRIORITY", "6"),
    ] {
        assert_eq!(found[0][name], value, "{name}");
    }
    assert!(journalctl(&node, &[&port, "SG_REASON=no_rule"]).is_empty());
}

#[test]
fn a_journald_that_does_not_read_holds_nothing_up_and_is_told_what_it_has_missed() {
    let (journald, mut node) = Journald::beside("journal-slow");
    let web = RawVm::new(&node, &web1());
    start(&mut node, &[], "form = 'json'\nrate = 10000\nburst = 10000");
    // More than the kernel keeps for a socket that nobody reads.
    const SENT: u64 = 2000;
    for _ in 0..SENT {
        web.send(&forged());
    }
    wait_until(PATIENCE, "the trouble is not told", || {
        let said = node.sgctl("status").stdout;
        said.contains("the log journal is not written") && said.contains("journald does not read")
    });
    let mut told = 0;
    let mut lost = 0;
    wait_until(PATIENCE, "not all is accounted for", || {
        for entry in journald.all() {
            match entry.get("SG_LOST") {
                Some(count) => {
                    assert_eq!((&*entry["SG_WHY"], &*entry["PRIORITY"]), ("log", "4"));
                    lost += count.parse::<u64>().unwrap();
                }
                None => told += 1,
            }
        }
        told + lost == SENT
    });
    assert!(lost > 0, "{told} were told");
}

#[test]
fn a_journald_that_is_away_is_told_what_it_has_missed_when_it_comes() {
    let (journald, mut node) = Journald::beside("journal-away");
    let socket = node.directory().join("journal/socket");
    drop(journald);
    fs::remove_file(&socket).unwrap();
    let web = RawVm::new(&node, &web1());
    start(&mut node, &[], "");
    for _ in 0..3 {
        web.send(&forged());
    }
    wait_until(PATIENCE, "the trouble is not told", || {
        node.sgctl("status")
            .stdout
            .contains("; 3 lines are lost so far")
    });
    let journald = UnixDatagram::bind(&socket).unwrap();
    journald.set_read_timeout(Some(PATIENCE)).unwrap();
    let missed = Journald(journald).next().expect("it is told");
    assert_eq!((&*missed["SG_LOST"], &*missed["SG_WHY"]), ("3", "log"));
    let whole = || !node.sgctl("status").stdout.contains("is not written");
    wait_until(PATIENCE, "the trouble is not over", whole);
}
