//! `sgctl top`: on a terminal, and where there is none.

use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle, sleep};
use std::time::Duration;

use nix::sys::signal::Signal;
use sg_tests::node::Node;
use sg_tests::terminal::Terminal;
use sg_tests::traffic::Outcome::Answered;

use crate::site::{HTTP, Site, site};

/// Datagrams from the client that WEB1 refuses, some hundred a second, until it is dropped.
struct Refused {
    is_over: Arc<AtomicBool>,
    sender: Option<JoinHandle<()>>,
}

impl Refused {
    fn start(site: &Site) -> Self {
        let socket = site.client.netns().run(|| UdpSocket::bind("0.0.0.0:0"));
        let socket = socket.unwrap();
        let to = (site.web.v4(), 9);
        let is_over = Arc::new(AtomicBool::new(false));
        let ended = is_over.clone();
        let sender = thread::spawn(move || {
            while !ended.load(Ordering::Relaxed) {
                let _ = socket.send_to(b"refused", to);
                sleep(Duration::from_millis(5));
            }
        });
        Self {
            is_over,
            sender: Some(sender),
        }
    }
}

impl Drop for Refused {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        if let Some(sender) = self.sender.take() {
            let _ = sender.join();
        }
    }
}

/// A column of the row of a port.
fn cell(text: &str, port: &str, heading: &str) -> Option<String> {
    let header = text.lines().find(|line| line.contains("PACKETS/S"))?;
    let header = header.replace(['↓', '↑'], "");
    let place = header.split_whitespace().position(|word| word == heading)?;
    let row = text.lines().map(|line| line.trim_start_matches("> "));
    let mut row = row.filter(|line| line.split_whitespace().next() == Some(port));
    row.next()?.split_whitespace().nth(place).map(str::to_owned)
}

fn is_some(cell: Option<String>) -> bool {
    cell.is_some_and(|number| number != "-" && number != "0")
}

fn top(node: &Node, words: &str) -> Terminal {
    Terminal::start(node, &format!("top {words}"), 24, 80)
}

#[test]
fn a_person_sees_which_ports_are_busy_and_what_they_refuse_while_the_daemon_comes_and_goes() {
    let mut site_ = Site::new("top");
    site_.node.start(&site(&[HTTP]));
    let _refused = Refused::start(&site_);
    let mut top = top(&site_.node, "--interval 300ms --sort drops");
    top.wait_for("there are no rates", |text| {
        assert_eq!(site_.ask(80), Answered);
        ["PACKETS/S", "BYTES/S", "DROPS/S", "NEW/S"]
            .into_iter()
            .all(|heading| is_some(cell(text, "WEB1", heading)))
            && text.contains("no_rule")
    });
    let text = top.text();
    assert!(
        text.contains("2 ports") && text.contains("DROPS/S↓"),
        "{text}"
    );
    // Its stack looks for a router now and then, which is refused, too.
    top.wait_for("the client is refused all the time", |text| {
        cell(text, "CLIENT", "DROPS/S").as_deref() == Some("0")
    });

    top.type_in("/client");
    top.wait_for("it is not narrowed", |text| {
        text.contains("filter: client_") && text.contains("CLIENT") && !text.contains("WEB1")
    });
    top.type_in("?");
    top.wait_for("it is not said that nothing matches", |text| {
        text.contains("no port has \"client?\"")
    });
    top.type_in("\u{1b}");
    top.wait_for("the filter stays", |text| text.contains("WEB1"));

    top.resize(16, 140);
    top.wait_for("it is not drawn anew", |text| {
        text.contains("INTERFACE") && text.contains("WEB_SERVERS")
    });

    site_.node.kill();
    top.wait_for("nobody says that the daemon is away", |text| {
        text.contains("no daemon answers")
    });
    site_.node.start_again();
    top.wait_for("it does not go on", |text| {
        !text.contains("no daemon answers") && is_some(cell(text, "WEB1", "DROPS/S"))
    });

    top.type_in("q");
    assert!(top.end().success());
    top.wait_for("its screen stays", |text| !text.contains("WEB1"));
    assert!(top.is_as_before());
}

#[test]
fn a_terminal_is_as_before_however_it_ends() {
    let mut site_ = Site::new("top-ends");
    site_.node.start(&site(&[HTTP]));
    let keys = ["q", "\u{3}"].map(Ok);
    let signals = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP].map(Err);
    for end in keys.into_iter().chain(signals) {
        let what = &format!("{end:?}");
        let mut top = top(&site_.node, "");
        top.wait_for("there is no screen", |text| text.contains("CLIENT"));
        assert!(!top.is_as_before(), "{what}");
        match end {
            Ok(key) => top.type_in(key),
            Err(signal) => top.signal(signal),
        }
        assert!(top.end().success(), "{what}");
        top.wait_for(what, |text| !text.contains("CLIENT"));
        assert!(top.is_as_before(), "{what}");
    }
}

#[test]
fn what_is_piped_is_printed_once() {
    let mut site_ = Site::new("top-piped");
    site_.node.start(&site(&[HTTP]));
    let _refused = Refused::start(&site_);
    let output = site_.node.sgctl("top --interval 500ms --sort drops");
    output.expect(0);
    let table = output.stdout.as_str();
    let drops = cell(table, "WEB1", "DROPS/S").unwrap();
    assert!(drops.parse::<f64>().unwrap() > 0.0, "{table}");
    assert_eq!(cell(table, "CLIENT", "DROPS/S").as_deref(), Some("0.0"));
    assert!(table.contains("ingress    no_rule"), "{table}");

    let rates = site_.node.query("top --interval 500ms --group WEB_SERVERS");
    let ports = rates["ports"].as_array().unwrap();
    assert_eq!(ports.len(), 1, "{rates}");
    assert_eq!(ports[0]["name"], "WEB1");
    assert!(
        ports[0]["per_second"]["drops"].as_f64().unwrap() > 0.0,
        "{rates}"
    );
    assert_eq!(rates["drops"][0]["reason"], "no_rule");

    site_.node.sgctl("top --port NOBODY").expect(7);
    site_.node.kill();
    site_.node.sgctl("top").expect(5);
}
