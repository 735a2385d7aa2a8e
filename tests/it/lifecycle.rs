//! The filter outlives its daemon, and follows what changes.

use std::fs;
use std::thread::sleep;
use std::time::Duration;

use sg_tests::traffic::Connection;
use sg_tests::traffic::Outcome::{Answered, Silence};
use sg_tests::vm::Vm;

use crate::site::{HTTP, HTTPS, Site, site, web1};

/// Time for the daemon to see a change of a file or of an interface.
const NOTICE: Duration = Duration::from_millis(700);

#[test]
fn a_killed_daemon_leaves_the_filter_and_a_restart_adopts_it() {
    let mut site_ = Site::new("killed");
    site_.node.start(&site(&[HTTP]));
    let mut open = Connection::open(site_.client.netns(), site_.web.v4(), 80).unwrap();
    assert_eq!(open.ask(), Answered);

    site_.node.kill();
    assert_eq!(open.ask(), Answered);
    assert_eq!(site_.ask(80), Answered);
    assert_eq!(site_.ask(443), Silence);

    site_.node.start_again();
    assert_eq!(open.ask(), Answered);
    assert!(site_.count("ingress", "no_rule") > 0, "counters go on");
    let again = site_.node.apply(&site(&[HTTP]));
    assert!(again.stdout.contains("0 changes"), "{}", again.stdout);
}

#[test]
fn a_removed_rule_cuts_what_it_had_permitted_and_nothing_else() {
    let mut site_ = Site::new("revoked");
    site_.node.start(&site(&[HTTP, HTTPS]));
    let mut open =
        [80, 443].map(|port| Connection::open(site_.client.netns(), site_.web.v4(), port).unwrap());

    site_.node.apply(&site(&[HTTPS])).expect(0);

    assert_eq!(open[1].ask(), Answered);
    assert_eq!(open[0].ask(), Silence);
    assert!(site_.count("ingress", "revoked") > 0);
    assert_eq!(site_.ask(80), Silence);

    site_.node.apply(&site(&[HTTP, HTTPS])).expect(0);
    assert_eq!(site_.ask(80), Answered);
}

#[test]
fn a_tap_that_comes_back_is_filtered_again() {
    let mut site_ = Site::new("reborn");
    site_.node.start(&site(&[HTTP]));
    let Site {
        web, client, node, ..
    } = site_;
    let interface = web1().interface();
    drop(web);
    sleep(NOTICE);
    let gone = node.query("show port WEB1").to_string();
    assert!(gone.contains("elsewhere"), "{gone}");

    let web = Vm::new(&node, &web1());
    let _servers = [80, 443].map(|port| sg_tests::traffic::EchoServer::start(web.netns(), port));
    sleep(NOTICE);
    let state = node.query("show port WEB1").to_string();
    assert!(
        state.contains(&interface) && state.contains("enforcing"),
        "{state}"
    );
    assert_eq!(
        sg_tests::traffic::ask_tcp(client.netns(), web.v4(), 80),
        Answered
    );
    assert_eq!(
        sg_tests::traffic::ask_tcp(client.netns(), web.v4(), 443),
        Silence
    );
}

#[test]
fn the_inventory_file_is_followed_however_it_is_written() {
    let mut site_ = Site::new("followed");
    site_.node.start(&site(&[]));
    assert_eq!(site_.ask(80), Silence);

    let path = site_.node.inventory_path();
    fs::write(&path, site(&[HTTP]).json().to_string()).unwrap();
    sleep(NOTICE);
    assert_eq!(site_.ask(80), Answered);

    let beside = path.with_extension("new");
    fs::write(&beside, site(&[HTTP, HTTPS]).json().to_string()).unwrap();
    fs::rename(&beside, &path).unwrap();
    sleep(NOTICE);
    assert_eq!(site_.ask(443), Answered);
}

#[test]
fn detach_opens_everything_and_leaves_no_pins() {
    let mut site_ = Site::new("detached");
    site_.node.start(&site(&[]));
    site_.node.sgd("detach").expect(6);
    assert_eq!(site_.ask(80), Silence);
    site_.node.terminate();

    site_.node.sgd("detach").expect(0);

    assert_eq!(site_.ask(80), Answered);
    assert!(
        !site_
            .node
            .pins()
            .join(format!("v{}", sg_common::layout::maps::ABI))
            .exists()
    );
}

#[test]
fn clsact_enforces_survives_a_restart_and_detaches() {
    let mut site_ = Site::new("clsact");
    let path = site_.node.inventory_path();
    fs::write(&path, site(&[HTTP]).json().to_string()).unwrap();
    site_.node.start_with(&["--attach", "clsact"]);
    let mut open = Connection::open(site_.client.netns(), site_.web.v4(), 80).unwrap();
    assert_eq!(open.ask(), Answered);
    assert_eq!(site_.ask(443), Silence);

    site_.node.terminate();
    assert_eq!(site_.ask(443), Silence);
    site_.node.start_with(&["--attach", "clsact"]);
    assert_eq!(open.ask(), Answered);
    assert_eq!(site_.ask(443), Silence);
    site_.node.apply(&site(&[HTTP, HTTPS])).expect(0);
    assert_eq!(site_.ask(443), Answered);

    site_.node.apply(&site(&[])).expect(0);
    assert_eq!(site_.ask(80), Silence);
    site_.node.terminate();
    site_.node.sgd("detach").expect(0);
    assert_eq!(site_.ask(80), Answered);
}

#[test]
fn explain_says_what_packets_meet_and_leaves_no_trace() {
    let mut site_ = Site::new("explained");
    // Reports of multicast listeners, which come when they like, are counted too.
    for machine in [&site_.web, &site_.client] {
        machine.netns().set("ipv6/conf/all/disable_ipv6", "1");
    }
    site_.node.start(&site(&[HTTP]));
    let counts = || {
        [
            ("ingress", "no_rule"),
            ("ingress", "new"),
            ("egress", "spoofed_address"),
        ]
    };
    let before = counts().map(|(direction, reason)| site_.count(direction, reason));
    let explain = |words: &str| site_.node.sgctl(&format!("explain --port WEB1 {words}"));

    explain("--ingress tcp 10.0.0.7:40000 10.0.0.5:80").expect(0);
    let refused = explain("--ingress tcp 10.0.0.7:40000 10.0.0.5:443");
    refused.expect(10);
    assert!(refused.stdout.contains("no_rule"), "{}", refused.stdout);
    let spoofed = explain("--egress tcp 10.0.0.66:40000 10.0.0.7:80");
    spoofed.expect(10);
    assert!(
        spoofed.stdout.contains("spoofed_address"),
        "{}",
        spoofed.stdout
    );

    let after = counts().map(|(direction, reason)| site_.count(direction, reason));
    assert_eq!(after, before);
    assert_eq!(
        site_.node.query("list flows").as_array().map(Vec::len),
        Some(0)
    );
    assert_eq!(site_.ask(80), Answered);
    assert_eq!(site_.ask(443), Silence);
    let flows = site_.node.query("list flows").to_string();
    assert!(flows.contains("10.0.0.7"), "{flows}");
}

#[test]
fn a_port_that_does_not_fit_is_closed_and_names_the_setting() {
    let mut site_ = Site::new("limits");
    let path = site_.node.inventory_path();
    fs::write(&path, site(&[HTTP]).json().to_string()).unwrap();

    site_.node.start_with(&["--max-ports", "1"]);

    let ports = site_.node.query("list ports").to_string();
    assert!(
        ports.contains("closed") && ports.contains("enforcing"),
        "{ports}"
    );
    assert!(
        site_.node.log().contains("--max-ports"),
        "{}",
        site_.node.log()
    );
    assert_eq!(site_.ask(80), Silence);
}

#[test]
fn a_full_table_is_told_in_the_log_of_the_daemon() {
    let mut site_ = Site::new("full-log");
    fs::write(
        site_.node.inventory_path(),
        site(&[HTTP]).json().to_string(),
    )
    .unwrap();
    site_.node.start_with(&["--max-flows", "2"]);

    let mut open: Vec<_> = (0..8)
        .map(|_| Connection::open(site_.client.netns(), site_.web.v4(), 80).unwrap())
        .collect();
    for connection in &mut open {
        assert_eq!(connection.ask(), Answered);
    }

    sleep(Duration::from_secs(2));
    let log = site_.node.log();
    assert!(log.contains("at the port in slot"), "{log}");
}
