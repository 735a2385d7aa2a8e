//! Whatever becomes of the host beneath the daemon: its BPF file system goes, its disk is full, its clock jumps.
//! What is permitted goes on, what is refused does not pass, and the daemon says what is wrong.

use std::env;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use serde_json::{Value, json};
use sg_tests::bpffs::Bpffs;
use sg_tests::node::Node;
use sg_tests::steady::{Outcome, Steady, inventory};

use crate::gaps::World;
use crate::order::{wait_for, wait_until};

/// Who tells, in transactions.
const SESSION: &str = "0e550000-0000-4000-8000-000000000001";

fn unmount(node: &Node) {
    let mut umount = Command::new("umount");
    umount.arg("-l").arg(node.bpffs());
    node.output(umount).expect(0);
}

fn is_told_to_end(status: &Value) -> bool {
    let troubles = status["troubles"].to_string();
    troubles.contains("the filters end when this daemon does")
}

#[test]
fn the_bpf_file_system_may_be_unmounted_and_mounted_again() {
    let mut world = World::with_the_daemon("no-bpffs");
    let outcome = world.during(|node| {
        unmount(node);
        wait_until(node, is_told_to_end);
        let more = inventory(&["ingress IPv4 tcp 2000 from 10.9.0.0/16"]);
        node.apply(&more).expect(0);
        assert_eq!(node.query("status")["ports"]["enforcing"], 2);

        // Unmounted with the node.
        std::mem::forget(Bpffs::mount(node.bpffs()));
        wait_for(node, "pinned_again", 1);
        assert!(node.query("status")["troubles"].is_null());
        node.kill();
        node.start_again();
        node.terminate();
        node.start_again();
    });
    outcome.expect_no_gap();
}

#[test]
fn a_daemon_killed_without_its_bpf_file_system_leaves_ports_open_until_the_next_one_cuts_nobody() {
    let mut world = World::with_the_daemon("lost-bpffs");
    let mut outcome = world.during(|node| {
        unmount(node);
        wait_until(node, is_told_to_end);
        let killed = Instant::now();
        node.kill();
        std::mem::forget(Bpffs::mount(node.bpffs()));
        node.start_again();
        eprintln!("open for {:?} at most", killed.elapsed());
        assert_eq!(node.query("status")["ports"]["enforcing"], 2);
    });
    outcome.idle.client_first("an idle connection");
    outcome.idle.server_first("and back");
    let Outcome {
        traffic, stream, ..
    } = &outcome;
    // With the last descriptor of it the kernel empties the array of the second programs, and takes the first ones off
    // a moment later: for so long what needs a second one falls.
    let lost = stream.sent - stream.came;
    assert!(lost <= 1000, "{lost} of ten in each millisecond lost");
    let [_, questions, pings] = Outcome::counts(&traffic.lost);
    // An answer that is under way when the filter comes, which has not seen the question.
    assert!(
        questions <= 1 && pings <= 1,
        "{questions} questions, {pings} pings lost"
    );
    let steady = &world.steady;
    steady.during(|| {}).expect_no_gap();
}

/// A small file system of its own, unmounted when dropped.
struct Disk(PathBuf);

impl Disk {
    fn new(node: &Node) -> Self {
        let path = node.directory().join("disk");
        fs::create_dir(&path).unwrap();
        let size = Some("size=128k");
        mount(Some("small"), &path, Some("tmpfs"), MsFlags::empty(), size).unwrap();
        Self(path)
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn fill(&self) {
        let mut file = File::create(self.at("filler")).unwrap();
        while file.write(&[7; 512]).is_ok() {}
    }

    fn make_room(&self) {
        fs::remove_file(self.at("filler")).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = umount2(&self.0, MntFlags::MNT_DETACH);
    }
}

#[test]
fn a_transaction_that_finds_no_room_is_refused_as_a_whole_and_taken_when_there_is() {
    let mut node = Node::new("full-state");
    let steady = Steady::new(&node);
    let disk = Disk::new(&node);
    let state = disk.at("state");
    node.start_told_with(&state);
    let told = tell(&node, all(&[]));
    assert_eq!(told.0, 200, "{}", told.1);

    // More than is left in the file's last page.
    let rules: Vec<String> = (0..40)
        .map(|number| format!("ingress IPv4 tcp {} from 10.9.0.0/16", 2000 + number))
        .collect();
    let rules: Vec<&str> = rules.iter().map(String::as_str).collect();
    let outcome = steady.during(|| {
        disk.fill();
        let before = fs::read(&state).unwrap();
        let shown = node.query("show port WEB1");
        for _ in 0..2 {
            let (status, answer) = tell(&node, all(&rules));
            assert_eq!(status, 500, "{answer}");
            assert!(
                answer.contains("the state") && answer.contains("make room"),
                "{answer}"
            );
        }
        assert_eq!(fs::read(&state).unwrap(), before, "nothing was kept");
        let after = node.query("show port WEB1");
        assert_eq!(after["groups"], shown["groups"], "nothing was taken");
        assert!(!after.to_string().contains("2039"), "{after}");

        disk.make_room();
        let (status, answer) = tell(&node, all(&rules));
        assert_eq!(status, 200, "{answer}");
        assert!(node.query("show port WEB1").to_string().contains("2039"));
        node.kill();
        node.start_told_with(&state);
        assert!(node.query("show port WEB1").to_string().contains("2039"));
    });
    outcome.expect_no_gap();
    node.terminate();
}

/// All there is, as one transaction, with these rules besides those that the traffic needs.
fn all(rules: &[&str]) -> Value {
    let by_id = |list: &Value| {
        let objects = list.as_array().unwrap().iter().map(|object| {
            let mut fields = object.as_object().unwrap().clone();
            let id = fields.remove("id").unwrap();
            (id.as_str().unwrap().to_owned(), Value::from(fields))
        });
        Value::from_iter(objects)
    };
    let all = inventory(rules).json();
    json!({
        "session": SESSION,
        "base": null,
        "complete": true,
        "ports": by_id(&all["ports"]),
        "security_groups": by_id(&all["security_groups"]),
    })
}

fn tell(node: &Node, transaction: Value) -> (u16, String) {
    node.request("POST", "/v1/transactions", &transaction.to_string())
}

#[test]
fn an_inventory_and_a_log_that_find_no_room_change_nothing_and_work_again_when_there_is() {
    let mut world = World::new("full-disk");
    let disk = Disk::new(&world.node);
    for file in [
        world.node.inventory_path(),
        world.node.directory().join("sgd.log"),
    ] {
        let place = disk.at(file.file_name().unwrap().to_str().unwrap());
        std::os::unix::fs::symlink(place, file).unwrap();
    }
    world.node.start(&inventory(&[]));
    let more = inventory(&["ingress IPv4 tcp 2000 from 10.9.0.0/16"]);
    let outcome = world.during(|node| {
        disk.fill();
        let before = fs::read(node.inventory_path()).unwrap();
        for _ in 0..3 {
            let refused = node.apply(&more);
            assert!(
                refused.expect(1).stderr.contains("make room"),
                "{refused:?}"
            );
        }
        assert_eq!(fs::read(node.inventory_path()).unwrap(), before);
        assert_eq!(node.query("status")["ports"]["enforcing"], 2);
        assert!(!node.query("show port WEB1").to_string().contains("2000"));

        disk.make_room();
        node.apply(&more).expect(0);
        assert!(node.query("show port WEB1").to_string().contains("2000"));
        node.kill();
        node.start_again();
    });
    outcome.expect_no_gap();
    world.node.terminate();
}

/// The seconds that WEB1's idle connection has left.
fn left(node: &Node) -> u64 {
    let flows = node.query("flows list --port WEB1 -p tcp");
    let flows = flows.as_array().unwrap().iter();
    let left = flows.map(|flow| flow["expires"].as_u64().unwrap_or_else(|| panic!("{flow}")));
    // One that is busy has five minutes when an answer is under way.
    left.max().expect("a connection")
}

/// What nf_conntrack and this filter give an established connection.
const FIVE_DAYS: u64 = 432_000;

#[test]
fn a_daemon_in_a_time_namespace_knows_the_kernels_clock() {
    let mut world = World::new("timens");
    let shifted = [
        "unshare",
        "--time",
        "--monotonic",
        "86400",
        "--boottime",
        "86400",
    ];
    world.node = world.node.with_prefix(&shifted);
    world.node.start(&inventory(&[]));
    let outcome = world.during(|node| {
        let left = left(node);
        assert!((FIVE_DAYS - 60..=FIVE_DAYS).contains(&left), "{left}");
    });
    outcome.expect_no_gap();
}

/// What `faketime` has its programs load.
fn libfaketime() -> PathBuf {
    let of_debian = format!("/usr/lib/{}-linux-gnu", env::consts::ARCH);
    let folders = [&of_debian, "/usr/lib64", "/usr/lib"];
    let mut libraries = folders
        .map(|folder| Path::new(folder).join("faketime/libfaketime.so.1"))
        .into_iter();
    libraries
        .find(|library| library.exists())
        .expect("libfaketime is where the package faketime puts it")
}

#[test]
fn a_wall_clock_that_jumps_decides_nothing() {
    let library = libfaketime();
    let mut world = World::new("wall-clock");
    let clock = world.node.directory().join("clock");
    let step = |offset: &str| fs::write(&clock, offset).unwrap();
    step("+0");
    let (preload, file) = (
        format!("LD_PRELOAD={}", library.display()),
        format!("FAKETIME_TIMESTAMP_FILE={}", clock.display()),
    );
    // The kernel's own clocks, which nobody sets, stay as they are.
    let faked = [
        "env",
        &preload,
        &file,
        "FAKETIME_NO_CACHE=1",
        "FAKETIME_DONT_FAKE_MONOTONIC=1",
    ];
    world.node = world.node.with_prefix(&faked);
    world.node.start(&inventory(&[]));
    let outcome = world.during(|node| {
        for (number, offset) in ["+30h", "-30h", "+0"].into_iter().enumerate() {
            step(offset);
            let rule = format!("ingress IPv4 tcp {} from 10.9.0.0/16", 2000 + number);
            node.apply(&inventory(&[&rule])).expect(0);
            // It looks after the filters meanwhile.
            sleep(Duration::from_secs(6));
            let left = left(node);
            assert!((FIVE_DAYS - 60..=FIVE_DAYS).contains(&left), "{left}");
        }
        step("+30h");
        node.terminate();
        node.start_again();
    });
    outcome.expect_no_gap();
}
