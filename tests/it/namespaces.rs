//! Pins belong to one network namespace: an interface has its number in it.

use std::thread::sleep;
use std::time::{Duration, Instant};

use sg_tests::daemon::Daemon;
use sg_tests::netns::Netns;
use sg_tests::node::Node;
use sg_tests::tap::Tap;
use sg_tests::traffic::Outcome::{Answered, Silence};

use crate::site::{HTTP, Site, site, web1};

/// The kernel takes a namespace down behind the back of whoever has removed it.
const PATIENCE: Duration = Duration::from_secs(20);

#[test]
fn sgd_in_another_namespace_leaves_the_pins_of_the_first_alone() {
    for way in ["tcx", "clsact"] {
        let mut site_ = Site::new("first-ns");
        std::fs::write(
            site_.node.inventory_path(),
            site(&[HTTP]).json().to_string(),
        )
        .unwrap();
        site_.node.start_with(&["--attach", way]);
        site_.node.terminate();
        let elsewhere = Node::new("second-ns");

        let refused = site_.node.refused(elsewhere.netns(), &["--attach", way]);

        refused.expect(6);
        assert!(
            refused.stderr.contains("another network namespace")
                && refused.stderr.contains("--bpffs"),
            "{}",
            refused.stderr
        );
        assert_eq!(site_.ask(443), Silence, "{way}");
        assert_eq!(site_.ask(80), Answered, "{way}");
        site_.node.start_again();
        assert_eq!(site_.ask(443), Silence, "{way}");
    }
}

#[test]
fn the_pins_of_a_namespace_that_is_gone_are_taken_over() {
    let mut site_ = Site::new("heir");
    let guest = Netns::new("dead-ns");
    let tap = Tap::new(&guest, &web1().interface(), None);
    std::fs::write(
        site_.node.inventory_path(),
        site(&[HTTP]).json().to_string(),
    )
    .unwrap();
    let daemon = Daemon::start(&guest, site_.node.run_command(&[]));
    let deadline = Instant::now() + PATIENCE;
    while site_.node.sgctl("status").code != 0 {
        assert!(
            Instant::now() < deadline,
            "sgd does not answer in the guest"
        );
        sleep(Duration::from_millis(50));
    }
    assert!(daemon.terminate(PATIENCE).success());
    site_.node.refused(site_.node.netns(), &[]).expect(6);

    drop((tap, guest));
    sleep(Duration::from_secs(1));
    site_.node.start_again();

    assert_eq!(site_.ask(443), Silence);
    assert_eq!(site_.ask(80), Answered);
}

#[test]
fn filters_of_a_qdisc_are_detached_only_where_they_are() {
    let mut site_ = Site::new("detach-ns");
    std::fs::write(
        site_.node.inventory_path(),
        site(&[HTTP]).json().to_string(),
    )
    .unwrap();
    site_.node.start_with(&["--attach", "clsact"]);
    site_.node.terminate();
    let elsewhere = Node::new("elsewhere");

    elsewhere.output(site_.node.detach_command()).expect(6);

    assert_eq!(site_.ask(443), Silence);
    site_.node.sgd("detach").expect(0);
    assert_eq!(site_.ask(443), Answered);
}
