//! The page beside the metrics, as a browser on the node asks for it.

use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sg_tests::crowd::wait_until;
use sg_tests::daemon::Daemon;
use sg_tests::events::asked;
use sg_tests::http::{self, Answer};
use sg_tests::node::Node;
use sg_tests::traffic::Outcome::{Answered, Silence};

use crate::events::PATIENCE;
use crate::site::{HTTP, Site, site, web1};

const ADDRESS: &str = "127.0.0.1:9477";

/// A site whose daemon serves the page.
fn served(label: &str, options: &[&str]) -> Site {
    let mut site_ = Site::new(label);
    site_.node.netns().ip("link set lo up");
    site_.node.write(&site(&[HTTP]));
    site_.node.start_with(options);
    site_
}

fn get(node: &Node, path: &str, headers: &[&str]) -> Answer {
    let request = format!("GET {path}");
    http::ask(node.netns(), ADDRESS, &request, headers, "").expect("the daemon answers")
}

/// Who follows what is refused; gone when dropped.
struct Follower(BufReader<TcpStream>);

impl Follower {
    fn start(node: &Node, query: &str) -> Self {
        let request = format!("GET /page/drops{query}");
        let stream = http::send(node.netns(), ADDRESS, &request, &[], "").unwrap();
        let mut follower = Self(BufReader::new(stream));
        let status = follower.line();
        assert!(status.contains(" 200 "), "{status}");
        while !follower.line().is_empty() {}
        follower
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).expect("it goes on");
        line.trim_end().to_owned()
    }

    /// The next that is told, within a while.
    fn next(&mut self) -> Value {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if let Some(told) = self.line().strip_prefix("data: ") {
                return serde_json::from_str(told).expect("JSON");
            }
        }
        panic!("nothing is told");
    }
}

#[test]
fn the_page_and_what_it_shows_come_over_the_port_of_the_metrics() {
    let site_ = served("page", &["--metrics", ADDRESS]);
    let node = &site_.node;
    assert!(
        node.log().contains("the page is at http://127.0.0.1:9477/"),
        "{}",
        node.log()
    );
    assert_eq!(site_.ask(80), Answered);
    assert_eq!(site_.ask(443), Silence);

    let html = get(node, "/", &[]);
    assert_eq!(html.status, 200);
    assert!(
        html.head.contains("content-type: text/html"),
        "{}",
        html.head
    );
    let named: Vec<&str> = html
        .body
        .split(['"'])
        .filter(|word| word.starts_with("/page/"))
        .collect();
    assert_eq!(named.len(), 3, "{named:?}");
    for path in named {
        let file = get(node, path, &[]);
        assert_eq!(file.status, 200, "{path}");
        assert!(!file.body.is_empty(), "{path}");
    }
    // It loads nothing from elsewhere.
    for scheme in ["http:", "https:", "//"] {
        let elsewhere = html.body.split('"').find(|word| word.starts_with(scheme));
        assert_eq!(elsewhere, None);
    }

    let rows = get(node, "/page/ports", &[]).json();
    let row = rows["ports"].as_array().unwrap().iter();
    let row = row.clone().find(|row| row["name"] == "WEB1").unwrap();
    assert_eq!(row["state"], "enforcing", "{row}");
    assert_eq!(row["groups"], json!(["WEB_SERVERS"]));
    assert!(row["opened"].as_u64().unwrap() >= 1, "{row}");
    assert!(row["drops"].as_u64().unwrap() >= 1, "{row}");

    let port = get(node, "/page/ports/WEB1", &[]).json();
    let rules = port["ingress"].as_array().unwrap().iter();
    let rules = rules.clone().find(|stage| stage["stage"] == "rules");
    assert!(
        rules.unwrap()["count"]["packets"].as_u64().unwrap() >= 1,
        "{port}"
    );

    let words = "tcp+10.0.0.7:40000+10.0.0.5:443";
    let path = format!("/page/explain?port=WEB1&direction=ingress&words={words}");
    let walk = get(node, &path, &[]).json();
    assert_eq!(
        (&walk["verdict"], &walk["reason"]),
        (&json!("drop"), &json!("no_rule")),
        "{walk}"
    );
    let remedy = walk["remedy"].as_str().unwrap();
    assert!(remedy.contains("--dst-port 443"), "{remedy}");
}

#[test]
fn foreign_pages_and_names_and_orders_are_refused() {
    let site_ = served("page-door", &["--metrics", ADDRESS]);
    let node = &site_.node;
    for headers in [
        &["Host: evil.example:9477"][..],
        &["Origin: http://evil.example"],
        &["Sec-Fetch-Site: cross-site"],
    ] {
        for path in ["/", "/page/ports", "/page/drops", "/page/ports/WEB1"] {
            let answer = get(node, path, headers);
            assert_eq!(answer.status, 403, "{headers:?} {path}");
            assert!(answer.json()["error"].is_string(), "{}", answer.body);
        }
        assert_eq!(get(node, "/metrics", headers).status, 200, "{headers:?}");
    }
    let before = node.query("status")["inventory"]["revision"].clone();
    for request in [
        "PUT /v1/inventory",
        "POST /v1/transactions",
        "DELETE /v1/flows",
        "POST /v1/explain",
        "GET /v1/status",
        "POST /page/explain",
        "PUT /page/ports",
        "POST /",
    ] {
        let body = r#"{"ports": [], "security_groups": []}"#;
        let answer = http::ask(node.netns(), ADDRESS, request, &[], body).unwrap();
        assert!(
            [404, 405].contains(&answer.status),
            "{request}: {}",
            answer.status
        );
        assert!(
            answer.json()["error"].is_string(),
            "{request}: {}",
            answer.body
        );
    }
    assert_eq!(node.query("status")["inventory"]["revision"], before);
}

#[test]
fn there_is_no_page_where_others_reach_it_or_where_nobody_wants_it() {
    let mut site_ = Site::new("page-open");
    site_.node.netns().ip("link set lo up");
    site_.node.write(&site(&[HTTP]));
    for (options, said) in [
        (&["--metrics", "0.0.0.0:9477"][..], "there is no page"),
        (&["--metrics", ADDRESS, "--page", "off"], "metrics are told"),
    ] {
        site_.node.start_with(options);
        let node = &site_.node;
        assert!(node.log().contains(said), "{}", node.log());
        assert!(!node.log().contains("the page is at"), "{}", node.log());
        for path in ["/", "/page/ports", "/page/drops", "/page/script.js"] {
            assert_eq!(get(node, path, &[]).status, 404, "{options:?} {path}");
        }
        assert_eq!(get(node, "/metrics", &[]).status, 200);
        site_.node.terminate();
    }
}

#[test]
fn a_drop_is_told_while_it_is_followed_without_what_the_machines_said() {
    let site_ = served("page-drops", &["--metrics", ADDRESS]);
    let mut of_web = Follower::start(&site_.node, &format!("?port={}", web1().id()));
    assert_eq!(asked(&site_.node).len(), 1, "one port is asked for");
    assert_eq!(site_.ask(443), Silence);
    let told = of_web.next();
    assert_eq!(
        (&told["action"], &told["reason"]),
        (&json!("DROP"), &json!("no_rule")),
        "{told}"
    );
    assert_eq!(told["port"], web1().id().to_string());
    assert_eq!(told["destination_port"], 443);
    assert_eq!(
        told["sentence"],
        "No rule of the port's security groups permits it."
    );
    assert_eq!(told["frame"].as_str().unwrap().len(), 2 * 14, "{told}");

    drop(of_web);
    wait_until(PATIENCE, "the kernel goes on telling", || {
        asked(&site_.node).is_empty()
    });
}

#[test]
fn a_browser_that_is_killed_leaves_nothing_behind() {
    let site_ = served("page-killed", &["--metrics", ADDRESS]);
    let node = &site_.node;
    let mut bash = Command::new("bash");
    let follow = format!(
        "exec 3<>/dev/tcp/127.0.0.1/9477; printf 'GET /page/drops HTTP/1.1\\r\\nHost: {ADDRESS}\\r\\n\\r\\n' >&3; exec cat <&3"
    );
    bash.args(["-c", &follow]).stdout(Stdio::null());
    let browser = Daemon::start(node.netns(), bash);
    wait_until(PATIENCE, "nothing is asked for", || asked(node).len() == 2);
    // Dropped, it is killed.
    drop(browser);
    wait_until(PATIENCE, "the kernel goes on telling", || {
        asked(node).is_empty()
    });
    let metrics = get(node, "/metrics", &[]).body;
    assert!(metrics.contains("sg_event_readers 0"), "{metrics}");
}

#[test]
fn those_who_ask_and_never_read_hold_up_neither_the_page_nor_the_filter() {
    let site_ = served("page-slow", &["--metrics", ADDRESS]);
    let node = &site_.node;
    let ask = |path: &str| http::send(node.netns(), ADDRESS, &format!("GET {path}"), &[], "");
    let slow: Vec<_> = (0..20).map(|_| ask("/page/script.js")).collect();
    let more: Vec<_> = (0..20).map(|_| ask("/page/ports/WEB1")).collect();
    let begun = Instant::now();
    assert_eq!(get(node, "/page/ports", &[]).status, 200);
    assert_eq!(get(node, "/page/ports/WEB1", &[]).status, 200);
    assert!(
        begun.elapsed() < Duration::from_secs(10),
        "{:?}",
        begun.elapsed()
    );
    assert_eq!(site_.ask(80), Answered);
    assert_eq!(node.query("status")["ports"]["enforcing"], 2);
    assert!(slow.iter().chain(&more).all(Result::is_ok));
}
