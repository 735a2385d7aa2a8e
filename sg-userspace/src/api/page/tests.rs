use axum::http::{HeaderMap, HeaderName, HeaderValue, Uri};

use serde_json::{Value, json};

use super::{door::refusal, drops::told, ports::rows};
use crate::view::{EventLine, PacketView, SampleView};

const PORT: u16 = 9477;

/// Which field of a request is refused, if any is. Each header is a line.
fn refused(uri: &str, headers: &[&str]) -> Option<String> {
    let mut map = HeaderMap::new();
    for line in headers {
        let (name, value) = line.split_once(": ").unwrap();
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        map.append(name, HeaderValue::from_str(value).unwrap());
    }
    let uri: Uri = uri.parse().unwrap();
    refusal(&uri, &map, PORT).and_then(|view| view.field)
}

#[test]
fn who_asks_by_a_name_of_the_loopback_with_this_port_is_let_in() {
    for host in [
        "localhost:9477",
        "LocalHost:9477",
        "127.0.0.1:9477",
        "127.0.0.2:9477",
        "[::1]:9477",
    ] {
        assert_eq!(refused("/", &[&format!("Host: {host}")]), None, "{host}");
    }
}

#[test]
fn every_other_name_is_refused_wherever_it_leads() {
    for host in [
        "evil.example:9477",
        "localhost.evil.example:9477",
        "127.0.0.1.evil.example:9477",
        "evil.example",
        "localhost",
        "127.0.0.1",
        "::1",
        "[::1]",
        "[::1]:80",
        "127.0.0.1:9478",
        "localhost:9478",
        "localhost:",
        "localhost:+9477",
        "localhost:09477",
        "localhost:9477:9477",
        "::1:9477",
        "10.0.0.1:9477",
        "0.0.0.0:9477",
        "[::ffff:10.0.0.1]:9477",
        "localhost@evil.example:9477",
        "",
    ] {
        let said = refused("/", &[&format!("Host: {host}")]);
        assert_eq!(said.as_deref(), Some("Host"), "{host}");
    }
    assert_eq!(refused("/", &[]).as_deref(), Some("Host"));
    let twice = ["Host: localhost:9477", "Host: evil.example:9477"];
    assert_eq!(refused("/", &twice).as_deref(), Some("Host"));
    let absolute = refused("http://evil.example/", &["Host: localhost:9477"]);
    assert_eq!(absolute.as_deref(), Some("Host"));
}

#[test]
fn another_page_of_the_same_browser_is_refused() {
    let host = "Host: localhost:9477";
    for (line, field) in [
        ("Origin: http://localhost:9477", None),
        ("Sec-Fetch-Site: same-origin", None),
        ("Sec-Fetch-Site: none", None),
        ("Origin: https://localhost:9477", Some("Origin")),
        ("Origin: http://localhost", Some("Origin")),
        ("Origin: http://127.0.0.1:9477", Some("Origin")),
        ("Origin: http://evil.example", Some("Origin")),
        ("Origin: null", Some("Origin")),
        ("Sec-Fetch-Site: same-site", Some("Sec-Fetch-Site")),
        ("Sec-Fetch-Site: cross-site", Some("Sec-Fetch-Site")),
    ] {
        assert_eq!(refused("/", &[host, line]).as_deref(), field, "{line}");
    }
    let twice = [
        host,
        "Origin: http://localhost:9477",
        "Origin: http://evil.example",
    ];
    assert_eq!(refused("/", &twice).as_deref(), Some("Origin"));
}

#[test]
fn browsers_leave_out_the_port_of_http() {
    let refused = |host: &str| {
        let mut headers = HeaderMap::new();
        headers.insert("host", HeaderValue::from_str(host).unwrap());
        refusal(&Uri::from_static("/"), &headers, 80).is_some()
    };
    for host in ["localhost", "127.0.0.1", "[::1]", "localhost:80"] {
        assert!(!refused(host), "{host}");
    }
    for host in ["evil.example", "::1", "localhost:8080"] {
        assert!(refused(host), "{host}");
    }
}

#[test]
fn a_row_has_what_passed_and_what_fell_and_counts_nothing_twice() {
    let count = |packets, bytes| json!({"packets": packets, "bytes": bytes});
    let sample: SampleView = serde_json::from_value(json!({
        "time": "2026-11-30T10:00:00Z",
        "uptime_us": 7,
        "ports": [{
            "port": "11111111-0000-4000-8000-000000000005",
            "name": "WEB1",
            "interface": "tapweb1",
            "egress": {"established": count(100, 9000), "spoofed_mac": count(3, 300)},
            "ingress": {"new": count(10, 700), "no_rule": count(4, 200), "flow_displaced": count(50, 1)},
            "state": "enforcing",
            "security_groups": [{"id": "22222222", "name": ""}, {"id": "33333333", "name": "WEB"}],
            "zone": 1,
            "connections": {"assured": 5, "quota": 50},
        }],
    }))
    .unwrap();
    let rows = rows("node".into(), sample);
    let row = &rows.ports[0];
    assert_eq!((row.packets, row.bytes), (117, 10200));
    assert_eq!((row.drops, row.opened), (7, 10));
    assert_eq!((row.assured, row.quota), (Some(5), Some(50)));
    assert_eq!(row.groups, ["22222222", "WEB"]);
}

#[test]
fn of_a_refused_packet_only_the_ethernet_header_is_told() {
    let line = EventLine::Packet(Box::new(PacketView {
        reason: "no_rule".into(),
        frame: "ab".repeat(128),
        ..PacketView::default()
    }));
    let told = told(&serde_json::to_vec(&line).unwrap()).unwrap();
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(told["frame"], "ab".repeat(14));
    let sentence = "No rule of the port's security groups permits it.";
    assert_eq!(told["sentence"], sentence);
    assert!(!told.to_string().contains(&"ab".repeat(15)));
}
