//! Whatever is done to the daemon: nothing of what is permitted is lost, and nothing of what is refused passes.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

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
        node.change_programs(Some(directory.path()));
        // The daemon that runs goes on; its successor finds all that it needs.
        node.sgd("load").expect(0);
        assert_eq!(before, tags(node), "nothing is changed by it");
        let loaded = programs(node);
        assert_eq!(loaded.len(), 2, "{loaded:?}");
        node.terminate();
        node.start_again();
        let kept = programs(node);
        assert!(
            kept.len() == 1 && kept.is_subset(&loaded),
            "{kept:?} of {loaded:?}"
        );
        assert_ne!(before, tags(node), "these are other programs");
        node.terminate();
        node.change_programs(None);
        node.start_again();
    });
    outcome.expect_no_gap();
}

#[test]
fn an_upgrade_to_another_layout_and_back_is_not_noticed() {
    let directory = tempfile::tempdir().unwrap();
    another_layout(directory.path());
    for (attach, from_vm) in [
        ("tcx", "tc"),
        ("clsact", "tc"),
        ("tcx", "xdp"),
        ("tcx", "guard"),
    ] {
        let mut world = World::new(&format!("layout-{attach}-{from_vm}"));
        world.node.write(&inventory(&[]));
        let config = world.node.directory().join("sgd.toml");
        fs::write(&config, format!("from_vm = '{from_vm}'")).unwrap();
        let options = ["--attach", attach, "--config", config.to_str().unwrap()];
        world.node.start_with(&options);
        let outcome = world.during(|node| {
            for programs in [Some(directory.path()), None] {
                node.terminate();
                pretend_another_version(node);
                node.change_programs(programs);
                node.start_with(&options);
                let status = node.query("status");
                assert_eq!(status["ports"]["enforcing"], 2, "{status}");
                let taken = node.log().matches("in the place of the filter").count();
                assert_eq!(taken, 2, "{}", node.log());
                wait_until_alone(node);
            }
        });
        outcome.expect_no_gap();
    }
}

#[test]
fn it_may_be_killed_at_any_instant_of_an_upgrade_to_another_layout() {
    let directory = tempfile::tempdir().unwrap();
    another_layout(directory.path());
    let mut world = World::with_the_daemon("layout-kills");
    let outcome = world.during(|node| {
        let mut number = numbers();
        for kill in 0..12 {
            node.kill();
            if kill % 2 == 0 {
                pretend_another_version(node);
                node.change_programs((kill % 4 == 0).then_some(directory.path()));
            }
            node.begin();
            sleep(Duration::from_millis(number(1500)));
        }
        node.wait_until_ready();
        wait_until_alone(node);
    });
    outcome.expect_no_gap();
}

#[test]
fn tables_of_another_size_take_connections_along() {
    let mut world = World::with_the_daemon("sizes");
    let mut outcome = world.during(|node| {
        for flows in ["1000", "300000"] {
            node.terminate();
            node.start_with(&["--max-flows", flows]);
            wait_until_alone(node);
        }
    });
    outcome.idle.server_first("an idle connection");
    let Outcome {
        traffic, stream, ..
    } = &outcome;
    assert_eq!(stream.came, stream.sent, "of the stream");
    let [_, questions, pings] = Outcome::counts(&traffic.lost);
    // An answer that is under way when the tables change, whose question is only in the old ones.
    assert!(
        questions <= 2 && pings <= 2,
        "{questions} questions, {pings} pings lost"
    );
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

#[test]
fn what_another_layout_needs_is_loaded_beside_the_filter_that_runs() {
    let directory = tempfile::tempdir().unwrap();
    another_layout(directory.path());
    let mut world = World::with_the_daemon("load");
    let outcome = world.during(|node| {
        node.terminate();
        pretend_another_version(node);
        node.change_programs(Some(directory.path()));
        node.sgd("load").expect(0);
        let loaded = programs(node);
        assert_eq!(loaded.len(), 1, "{loaded:?}");
        node.start_again();
        assert_eq!(programs(node), loaded);
        wait_until_alone(node);
        node.terminate();
        // Tables of other sizes cannot be beside those that are there.
        let command = node.run_command(&["--max-flows", "1000"]);
        let mut load = Command::new(command.get_program());
        load.arg("load").args(command.get_args().skip(1));
        node.output(load).expect(0);
        node.start_again();
    });
    outcome.expect_no_gap();
}

/// The programs that are pinned: the digests of their objects, with what the kernel calls each.
fn programs(node: &Node) -> BTreeSet<(PathBuf, Vec<String>)> {
    let version = format!("v{}", sg_common::layout::maps::ABI);
    let entries = fs::read_dir(node.pins().join(version).join("programs")).unwrap();
    let objects = entries.map(|entry| entry.unwrap().path());
    let objects = objects.filter(|path| path.is_dir());
    objects
        .map(|path| (path.clone(), ids(node, &path)))
        .collect()
}

/// The numbers of the programs that are pinned in a directory.
fn ids(node: &Node, directory: &Path) -> Vec<String> {
    let mut pins: Vec<_> = fs::read_dir(directory)
        .unwrap()
        .map(|pin| pin.unwrap().path())
        .collect();
    pins.sort();
    let id = |pin: &PathBuf| {
        let mut bpftool = Command::new("bpftool");
        bpftool.args(["prog", "show", "pinned"]).arg(pin);
        let shown = node.output(bpftool);
        shown.expect(0);
        let name = pin.file_name().unwrap().to_string_lossy().into_owned();
        format!(
            "{name} {}",
            shown.stdout.split(':').next().unwrap_or_default()
        )
    };
    pins.iter().map(id).collect()
}

/// Gives the pins of a daemon that is away the name of another version.
fn pretend_another_version(node: &Node) {
    let ours = node
        .pins()
        .join(format!("v{}", sg_common::layout::maps::ABI));
    let other = node.pins().join("v999");
    // One that was killed may not have made its own yet, nor set the other's aside.
    if ours.exists() && !other.exists() {
        fs::rename(ours, other).unwrap();
    }
}

/// What was before is removed once it filters nothing.
pub fn wait_until_alone(node: &Node) {
    let begun = Instant::now();
    while fs::read_dir(node.pins()).unwrap().count() > 1 {
        assert!(
            begun.elapsed() < Duration::from_secs(10),
            "more than one set of pins"
        );
        sleep(Duration::from_millis(20));
    }
}

/// Puts programs into a directory whose kernel object works in more memory: its map `scratch` has another form.
fn another_layout(directory: &Path) {
    /// `BTF_KIND_STRUCT`, where `info` of a `struct btf_type` has the kind.
    const STRUCT: u8 = 4;
    let size = sg_common::layout::maps::SCRATCH;
    changed(directory, |object| {
        let is_size =
            |at: &usize| object[*at..].starts_with(&size.to_le_bytes()) && object[at - 1] == STRUCT;
        let sizes: Vec<_> = (4..object.len() - 4).filter(is_size).collect();
        let [at] = sizes[..] else {
            panic!("one type of this size, not {sizes:?}");
        };
        object[at..at + 4].copy_from_slice(&(size + 8).to_le_bytes());
    });
}

/// Puts programs into a directory whose kernel object is another one to the loader, and the same to the kernel:
/// a byte of its header differs that nobody reads (`EI_PAD` of `elf(5)`).
fn another_object(directory: &Path) {
    changed(directory, |object| object[12] = 1);
}

/// Puts programs into a directory, whose kernel object is changed.
fn changed(directory: &Path, change: impl FnOnce(&mut [u8])) {
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
    // An object ends with the table of its sections.
    let number = |at: usize, bytes: usize| {
        let bytes = sgd[object + at..][..bytes].iter().rev();
        bytes.fold(0, |number, byte| number << 8 | usize::from(*byte))
    };
    let length = number(0x28, 8) + number(0x3a, 2) * number(0x3c, 2);
    change(&mut sgd[object..object + length]);
    let changed = directory.join("sgd");
    fs::write(&changed, sgd).unwrap();
    fs::set_permissions(
        &changed,
        fs::metadata(program("sgd")).unwrap().permissions(),
    )
    .unwrap();
}
