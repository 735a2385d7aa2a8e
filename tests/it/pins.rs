//! What somebody removes of the pins is put back, and nothing passes meanwhile.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use sg_common::layout::maps::name;
use sg_tests::bpffs::Bpffs;
use sg_tests::traffic::Outcome;

use crate::gaps::pinned;
use crate::leak::Leak;
use crate::order::{kinds, wait_for, wait_until};
use crate::site::{HTTP, Site, site};

const WAYS: [&str; 2] = ["tcx", "clsact"];

#[test]
fn a_removed_pin_is_put_back_and_nothing_passes_meanwhile() {
    for way in WAYS {
        let mut leak = Leak::new("pin-off", way);
        let pins: Vec<_> = fs::read_dir(links(&leak)).unwrap().flatten().collect();
        let pins: Vec<PathBuf> = pins.iter().map(|pin| pin.path()).collect();
        assert_eq!(pins.len(), 2, "{way}: {pins:?}");

        let (leaked, ()) = leak.during(|| {
            for pin in &pins {
                match pin.is_dir() {
                    true => fs::remove_dir(pin).unwrap(),
                    false => fs::remove_file(pin).unwrap(),
                }
            }
            sleep(Duration::from_millis(300));
            wait_for(&leak.node, "pinned_again", 1);
        });

        assert_eq!(leaked, 0, "{way}");
        assert!(pins.iter().all(|pin| pin.exists()), "{way}: {pins:?}");
        assert_eq!(leak.node.query("status")["restored"], 0, "{way}");
        leak.node.kill();
        leak.expect_filtered();
        leak.node.start_again();
        leak.expect_filtered();
    }
}

#[test]
fn a_removed_directory_is_made_again_with_all_that_was_in_it() {
    for way in WAYS {
        let mut leak = Leak::new("dir-off", way);
        let all = || {
            let mut files = Vec::new();
            pinned(&leak.node.pins(), &mut files);
            // The next start can load these while the filter is in force.
            let of_tables = ["adopt", "dismiss", "sweep_start", "sweep_step"];
            files.retain(|pin| !of_tables.iter().any(|name| pin.ends_with(name)));
            files.sort();
            files
        };
        let before = all();
        let (leaked, ()) = leak.during(|| {
            fs::remove_dir_all(leak.node.pins()).unwrap();
            sleep(Duration::from_millis(300));
            wait_for(&leak.node, "pinned_again", 1);
        });
        assert_eq!(leaked, 0, "{way}");
        assert_eq!(all(), before, "{way}");
        let log = leak.node.log();
        assert!(log.contains("pins were removed and are back"), "{log}");
        // It is the daemon's alone, as the one before it was.
        leak.node.sgd("detach").expect(6);

        leak.node.kill();
        leak.expect_filtered();
        leak.node.start_again();
        leak.expect_filtered();
        let status = leak.node.query("status");
        assert_eq!(status["restored"], 0, "{way}: {status}");
    }
}

#[test]
fn pins_removed_just_before_the_daemon_ends_are_put_back_by_it() {
    let mut leak = Leak::new("last-look", "tcx");
    fs::remove_dir_all(leak.node.pins()).unwrap();
    leak.node.terminate();
    leak.expect_filtered();
}

#[test]
fn without_its_bpf_file_system_the_daemon_goes_on_and_says_what_that_means() {
    for way in WAYS {
        let mut leak = Leak::new("unmounted", way);
        let (leaked, ()) = leak.during(|| {
            let mut umount = Command::new("umount");
            umount.arg("-l").arg(leak.node.bpffs());
            leak.node.output(umount).expect(0);
            wait_until(&leak.node, |status| {
                let troubles = status["troubles"].to_string();
                troubles.contains("the filters end when this daemon does")
                    && troubles.contains("mount -t bpf")
            });
        });
        assert_eq!(leaked, 0, "{way}");
        leak.expect_filtered();

        let again = Bpffs::mount(leak.node.bpffs());
        wait_for(&leak.node, "pinned_again", 1);

        assert!(leak.node.query("status")["troubles"].is_null(), "{way}");
        leak.node.kill();
        leak.expect_filtered();
        drop(again);
    }
}

#[test]
fn a_filter_that_has_lost_its_second_program_lets_nothing_new_pass_until_the_next_start() {
    let mut site_ = Site::new("no-whole");
    site_.node.start(&site(&[HTTP]));
    assert_eq!(site_.ask(80), Outcome::Answered);
    site_.node.kill();
    assert_eq!(site_.ask(80), Outcome::Answered, "no process is needed");

    // The kernel empties an array of programs that neither a pin nor a process holds, when it has the time
    // (`prog_array_map_clear_deferred` of `kernel/bpf/arraymap.c`).
    fs::remove_file(site_.node.map(name::WHOLE)).unwrap();
    let is_empty = (0..50).any(|_| site_.ask(80) == Outcome::Silence);
    assert!(is_empty, "still permitted by the second program");
    assert_eq!(site_.ask(80), Outcome::Silence);

    site_.node.start_again();
    assert_eq!(site_.ask(80), Outcome::Answered);
}

#[test]
fn the_filter_of_another_set_of_pins_is_told_with_what_takes_it_off() {
    let mut leak = Leak::new("two-sets", "tcx");
    assert!(kinds(&leak.node).is_empty());
    leak.node.terminate();
    let other = leak.node.bpffs().join("other");
    fs::rename(leak.node.pins(), &other).unwrap();

    leak.node.start_again();

    assert_eq!(kinds(&leak.node), ["other_filter"; 2]);
    let status = leak.node.query("status");
    let remedy = status["interfaces"][0]["remedy"].as_str().unwrap_or("");
    assert!(remedy.contains("`sgd detach --bpffs"), "{remedy}");
    let mut show = Command::new("bpftool");
    let words = remedy
        .split('`')
        .find_map(|quoted| quoted.strip_prefix("bpftool "));
    show.args(words.expect("a command that names the pin").split(' '));
    let shown = leak.node.output(show);
    assert!(
        shown.stdout.contains(other.to_str().unwrap()),
        "{}",
        shown.stdout
    );
    assert!(leak.node.log().contains("the filter of another sgd"));
    let other = other.to_str().unwrap();
    leak.node.sgd_args(&["detach", "--bpffs", other]).expect(0);
    assert!(kinds(&leak.node).is_empty());
    leak.expect_filtered();
}

fn links(leak: &Leak) -> PathBuf {
    let version = format!("v{}", sg_common::layout::maps::ABI);
    leak.node.pins().join(version).join("links")
}
