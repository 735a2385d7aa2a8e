//! A daemon that cannot do all of its work goes on, and says so.

use std::fs;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use sg_tests::traffic::Outcome::{Answered, Silence};

use crate::site::{HTTP, HTTPS, Site, site};

#[test]
fn a_refused_first_inventory_leaves_the_daemon_running_and_the_taps_closed() {
    let mut site_ = Site::new("refused");
    site_.node.start(&site(&[]));
    site_.node.terminate();
    // From now on the kernel refuses every write of user space to this map.
    let mut freeze = Command::new("bpftool");
    let policies = site_.node.map("policies");
    freeze.args(["map", "freeze", "pinned"]).arg(policies);
    site_.node.output(freeze).expect(0);

    site_.node.start(&site(&[HTTP]));

    let status = site_.node.query("status");
    let why = status["inventory"]["apply_error"].as_str().unwrap_or("");
    assert!(why.contains("policies"), "{status}");
    assert_eq!(site_.ask(80), Silence);
    let tries = || site_.node.log().matches("does not hold the whole").count();
    let (before, deadline) = (tries(), Instant::now() + Duration::from_secs(15));
    while tries() == before {
        assert!(
            Instant::now() < deadline,
            "not tried again:\n{}",
            site_.node.log()
        );
        sleep(Duration::from_millis(100));
    }
}

#[test]
fn a_malformed_inventory_at_the_start_changes_nothing_of_what_is_enforced() {
    let mut site_ = Site::new("malformed");
    site_.node.start(&site(&[HTTP]));
    site_.node.terminate();
    fs::write(site_.node.inventory_path(), "{").unwrap();

    site_.node.refused(site_.node.netns(), &[]).expect(3);

    assert_eq!(site_.ask(443), Silence);
    assert_eq!(site_.ask(80), Answered);
}

#[test]
fn an_inventory_behind_a_swapped_link_is_followed() {
    let mut site_ = Site::new("swapped");
    let directory = site_.node.directory().to_owned();
    for (version, rules) in [("one", &[HTTP][..]), ("two", &[HTTP, HTTPS][..])] {
        let version = directory.join(version);
        fs::create_dir(&version).unwrap();
        let document = site(rules).json().to_string();
        fs::write(version.join("inventory.json"), document).unwrap();
    }
    let link = |target: &str, name: &str| {
        std::os::unix::fs::symlink(target, directory.join(name)).unwrap();
    };
    // As Kubernetes mounts a ConfigMap.
    link("one", "..data");
    link("..data/inventory.json", "inventory.json");
    site_.node.start_again();
    assert_eq!(site_.ask(443), Silence);

    link("two", "..data.new");
    fs::rename(directory.join("..data.new"), directory.join("..data")).unwrap();
    sleep(Duration::from_secs(1));

    assert_eq!(site_.ask(443), Answered);
}
