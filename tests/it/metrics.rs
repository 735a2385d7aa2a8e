//! Metrics, as Prometheus asks for them.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;

use sg_tests::node::Node;
use sg_tests::traffic::Outcome::{Answered, Silence};

use crate::site::{HTTP, Site, site};

const ADDRESS: &str = "127.0.0.1:9477";

/// What the node answers over TCP to these lines.
fn ask(node: &Node, request: &str) -> String {
    node.netns().run(|| {
        let mut stream = TcpStream::connect(ADDRESS).expect("the daemon listens");
        write!(
            stream,
            "{request} HTTP/1.1\r\nHost: {ADDRESS}\r\nConnection: close\r\n\r\n"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    })
}

fn value(text: &str, metric: &str) -> Option<f64> {
    let line = text.lines().find(|line| line.starts_with(metric))?;
    line.rsplit_once(' ')?.1.parse().ok()
}

#[test]
fn a_scrape_says_what_was_counted_and_how_the_daemon_is_doing() {
    let mut site_ = Site::new("metrics");
    site_.node.netns().ip("link set lo up");
    site_.node.write(&site(&[HTTP]));
    site_.node.start_with(&["--metrics", ADDRESS]);
    assert_eq!(site_.ask(80), Answered);
    assert_eq!(site_.ask(443), Silence);
    let answer = ask(&site_.node, "GET /metrics");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.contains("application/openmetrics-text"), "{answer}");
    assert_eq!(
        value(&answer, "sg_ports{state=\"enforcing\"}"),
        Some(2.0),
        "{answer}"
    );
    assert_eq!(value(&answer, "sg_desired_behind"), Some(0.0));
    assert_eq!(
        value(&answer, "sg_table_entries{table=\"flows4\"}"),
        Some(2.0),
        "{answer}"
    );
    let dropped = site_.count("ingress", "no_rule");
    let of_web = answer.lines().find(|line| {
        line.starts_with("sg_port_packets_total")
            && line.contains("ingress")
            && line.contains("\"no_rule\"")
    });
    let of_web = of_web.unwrap_or_else(|| panic!("{answer}"));
    assert!(
        of_web.ends_with(&format!(" {dropped}")),
        "{dropped}: {of_web}"
    );
    assert!(answer.contains("sg_port_connections{"), "{answer}");
    // The same over the control socket, and nothing of the socket's over TCP.
    let (status, text) = site_.node.request("GET", "/metrics", "");
    assert_eq!(status, 200);
    assert!(text.contains("sg_ports{"), "{text}");
    for request in ["GET /v1/status", "PUT /v1/inventory", "POST /metrics"] {
        let answer = ask(&site_.node, request);
        assert!(answer.starts_with("HTTP/1.1 40"), "{request}: {answer}");
    }
}

#[test]
fn a_hundred_scrapes_at_once_hold_nothing_up() {
    let mut site_ = Site::new("scrapes");
    site_.node.netns().ip("link set lo up");
    site_.node.write(&site(&[HTTP]));
    site_.node.start_with(&["--metrics", ADDRESS]);
    let node = &site_.node;
    let served = thread::scope(|scope| {
        let ask = || {
            node.netns().run(|| {
                let Ok(mut stream) = TcpStream::connect(ADDRESS) else {
                    return 0;
                };
                let request = format!(
                    "GET /metrics HTTP/1.1\r\nHost: {ADDRESS}\r\nConnection: close\r\n\r\n"
                );
                let mut answer = String::new();
                let _ = stream.write_all(request.as_bytes());
                let _ = stream.read_to_string(&mut answer);
                usize::from(answer.contains("# EOF"))
            })
        };
        let all: Vec<_> = (0..100).map(|_| scope.spawn(ask)).collect();
        assert_eq!(node.query("status")["ports"]["enforcing"], 2);
        all.into_iter()
            .map(|one| one.join().unwrap())
            .sum::<usize>()
    });
    assert!(served >= 64, "{served} of 100; the others were turned away");
    assert_eq!(site_.ask(80), Answered);
}

#[test]
fn an_address_that_another_program_has_is_refused_before_anything_is_touched() {
    let mut site_ = Site::new("metrics-taken");
    site_.node.netns().ip("link set lo up");
    site_.node.write(&site(&[HTTP]));
    site_.node.start_with(&["--metrics", ADDRESS]);
    let other = Node::new("metrics-other");
    other.write(&site(&[HTTP]));
    let refused = other.refused(site_.node.netns(), &["--metrics", ADDRESS]);
    refused.expect(6);
    for words in [ADDRESS, "in use", "--metrics"] {
        assert!(
            refused.stderr.contains(words),
            "{words}: {}",
            refused.stderr
        );
    }
}
