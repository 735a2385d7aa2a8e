//! Whatever is done to the daemon: nothing of what is permitted is lost, and nothing of what is refused passes.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use sg_tests::node::{Node, program};
use sg_tests::steady::{Outcome, Steady, inventory};

/// A node whose two machines talk.
pub struct World {
    pub node: Node,
    pub steady: Steady,
}

impl World {
    /// The daemon is not started yet.
    pub fn new(label: &str) -> Self {
        let node = Node::new(label);
        let steady = Steady::new(&node);
        Self { node, steady }
    }

    pub fn with_the_daemon(label: &str) -> Self {
        let mut world = Self::new(label);
        world.node.start(&inventory(&[]));
        world
    }

    pub fn during(&mut self, work: impl FnOnce(&mut Node)) -> Outcome {
        let Self { node, steady } = self;
        steady.during(|| work(node))
    }
}

/// Numbers that look random and are the same in each run.
fn numbers() -> impl FnMut(u64) -> u64 {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    move |below| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) % below
    }
}

#[test]
fn the_daemon_may_be_killed_at_any_instant_of_its_start_of_its_work_and_of_an_apply() {
    let kills = env::var("SG_KILLS").map_or(30, |kills| kills.parse().unwrap());
    let mut world = World::with_the_daemon("kills");
    let outcome = world.during(|node| {
        let mut number = numbers();
        node.kill();
        for kill in 0..kills {
            node.begin();
            sleep(Duration::from_millis(number(400)));
            if kill % 2 == 0 {
                // It follows the file, and may be in the middle of writing this.
                let more = format!("ingress IPv4 tcp {} from 10.9.0.0/16", 2000 + kill);
                node.write(&inventory(&[&more]));
                sleep(Duration::from_millis(number(60)));
            }
            node.kill();
        }
        node.begin();
        node.wait_until_ready();
    });
    outcome.expect_no_gap();
}

#[test]
fn the_daemon_may_be_stopped_and_started_again() {
    let mut world = World::with_the_daemon("restarts");
    let outcome = world.during(|node| {
        for _ in 0..3 {
            node.terminate();
            node.start_again();
        }
    });
    outcome.expect_no_gap();
}

#[test]
fn an_upgrade_to_another_object_of_the_same_layout_and_back_is_not_noticed() {
    let directory = tempfile::tempdir().unwrap();
    another_object(directory.path());
    let mut world = World::with_the_daemon("upgrade");
    let tags = |node: &Node| {
        let port = node.query("show port WEB1");
        port["hooks"].to_string()
    };
    let before = tags(&world.node);
    let outcome = world.during(|node| {
        node.terminate();
        node.change_programs(Some(directory.path()));
        node.start_again();
        assert_ne!(before, tags(node), "these are other programs");
        node.terminate();
        node.change_programs(None);
        node.start_again();
    });
    outcome.expect_no_gap();
}

#[test]
fn pins_may_be_removed_half_of_them_or_all() {
    let mut world = World::with_the_daemon("pins-gone");
    let outcome = world.during(|node| {
        let mut files = Vec::new();
        pinned(&node.pins(), &mut files);
        for pin in files.iter().step_by(2) {
            fs::remove_file(pin).unwrap();
        }
        node.terminate();
        node.start_again();
        fs::remove_dir_all(node.pins()).unwrap();
        node.terminate();
        node.start_again();
    });
    outcome.expect_no_gap();
}

/// What is pinned below a directory.
pub fn pinned(directory: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => pinned(&path, files),
            false => files.push(path),
        }
    }
}

/// Puts programs into a directory whose kernel object is another one to the loader, and the same to the kernel:
/// a byte of its header differs that nobody reads (`EI_PAD` of `elf(5)`).
fn another_object(directory: &Path) {
    const ELF64: [u8; 9] = *b"\x7fELF\x02\x01\x01\x00\x00";
    /// `e_machine` of BPF.
    const BPF: [u8; 2] = 247_u16.to_le_bytes();
    fs::copy(program("sgctl"), directory.join("sgctl")).unwrap();
    let mut sgd = fs::read(program("sgd")).unwrap();
    let is_object = |at: &usize| sgd[*at..].starts_with(&ELF64) && sgd[at + 18..].starts_with(&BPF);
    let objects: Vec<_> = (0..sgd.len() - 64).filter(is_object).collect();
    let [object] = objects[..] else {
        panic!("one object, not {objects:?}");
    };
    sgd[object + 12] = 1;
    let changed = directory.join("sgd");
    fs::write(&changed, sgd).unwrap();
    fs::set_permissions(
        &changed,
        fs::metadata(program("sgd")).unwrap().permissions(),
    )
    .unwrap();
}
