//! What each way through the filter costs, the program alone: nanoseconds over an empty program, of two
//! builds in turns, and of the first against itself.

use std::thread;
use std::time::Duration;

use sg_common::hook::Hook;

use super::empty;
use super::paths::{self, Frames, Path};
use super::report::{Row, Section};
use super::side::{UNPROVEN, Who};
use super::statistics::{Cell, Spread};
use crate::netns::Netns;
use crate::node::Node;
use crate::tap::Tap;
use crate::testrun::Program;

/// Runs in one sample of a packet that is always the same: enough to drown the system call.
const RUNS: u32 = 10_000;

/// How old an answered flow of UDP has to be to be established (`nf_conntrack_proto_udp.c`), and a little.
const STREAM: Duration = Duration::from_millis(2_200);

/// Packets in one sample of packets that are always others.
const NEW: u32 = 300;

/// Measures every way whose name has a word in it, of the programs in the folder of the base and of this build.
///
/// # Panics
/// If a build does not do with a packet what its way says: then it is not what was to be measured.
#[must_use]
pub fn run(base: Option<&std::path::Path>, word: &str, rounds: usize) -> Section {
    let build = |mut node: Node, options: &[&str]| {
        let tap = node.tap(&paths::server().interface());
        node.write(&paths::inventory());
        node.start_with(options);
        Build::of(node, tap)
    };
    let node = Node::new("base");
    let base = match base {
        Some(directory) => node.with_programs(directory),
        None => node,
    };
    let ours = Node::new("ours");
    let pin = ours.directory().join("bpf/empty");
    empty::pin(&pin);
    let empty = Program::pinned(&pin);
    // As much room for new connections as the base has, for a fair comparison.
    let room = UNPROVEN.to_string();
    let mut builds = [build(base, &[]), build(ours, &["--max-unproven", &room])];
    let [before, now] = [0, 1].map(|build: usize| builds[build].verified_instructions());
    eprintln!(
        "verified instructions (from_vm, to_vm): {before:?} in the base, {now:?} in this build"
    );
    let mut section = Section {
        title: "The programs alone, ns over an empty one".to_owned(),
        to: Some(Who::Base.to_string()),
        unit: "ns".to_owned(),
        control: None,
        rows: measure(&mut builds, &empty, word, rounds),
    };
    if "new".contains(word) || word.contains("new") {
        builds.iter_mut().for_each(Build::fill);
        let rows = measure(&mut builds, &empty, "new", rounds);
        section.rows.extend(rows.into_iter().map(|row| Row {
            name: format!("{}, full tables", row.name),
            ..row
        }));
    }
    section
}

/// A build's programs at the server's tap, which a daemon of that build has attached.
struct Build {
    node: Node,
    /// Open: programs are found at it.
    _tap: Tap,
    programs: [Program; 2],
    ifindex: u32,
    /// How many packets that are always others it has seen.
    seen: u32,
}

impl Build {
    /// Takes a node whose daemon enforces [`paths::inventory`].
    fn of(node: Node, tap: Tap) -> Self {
        let interface = paths::server().interface();
        let at = |hook| Program::attached(node.netns(), &interface, hook);
        let programs = [at(Hook::FromVm), at(Hook::ToVm)];
        let ifindex = node.netns().ifindex(&interface);
        Self {
            node,
            _tap: tap,
            programs,
            ifindex,
            seen: 0,
        }
    }

    fn program(&self, hook: Hook) -> &Program {
        &self.programs[hook as usize]
    }

    fn netns(&self) -> &Netns {
        self.node.netns()
    }

    /// How many instructions the verifier walked through, from the VM and to it.
    fn verified_instructions(&self) -> [u32; 2] {
        Hook::ALL.map(|hook| self.program(hook).verified_instructions())
    }

    /// Fills the tables of connections that are not proven yet, of which each build has room for
    /// [`UNPROVEN`].
    fn fill(&mut self) {
        for path in paths::all() {
            if let (Frames::New(frame), Hook::FromVm) = (&path.frames, path.hook) {
                for number in self.seen..self.seen + UNPROVEN + UNPROVEN / 16 {
                    self.mean(&path, None, &frame(number), 1);
                }
                self.seen += UNPROVEN + UNPROVEN / 16;
            }
        }
    }

    /// Sends what goes before the packet.
    fn prepare(&self, path: &Path) {
        for (hook, frame) in &path.before {
            let _ = self.program(*hook).run(self.netns(), self.ifindex, frame);
        }
    }

    fn sample(&mut self, path: &Path, program: Option<&Program>) -> f64 {
        match &path.frames {
            Frames::Same(frame) => self.mean(path, program, frame, RUNS),
            Frames::New(frame) => {
                let sum: f64 = (self.seen..self.seen + NEW)
                    .map(|number| self.mean(path, program, &frame(number), 1))
                    .sum();
                if program.is_none() {
                    self.seen += NEW;
                }
                sum / f64::from(NEW)
            }
        }
    }

    /// Of the build's own program, or of another one over the same frame.
    fn mean(&self, path: &Path, program: Option<&Program>, frame: &[u8], runs: u32) -> f64 {
        let own = self.program(path.hook);
        let (verdict, time): (_, Duration) =
            program
                .unwrap_or(own)
                .run_times(self.netns(), self.ifindex, frame, runs);
        if program.is_none() {
            let what = crate::packet::describe(frame);
            assert_eq!(verdict, path.verdict, "{}: {what}", path.name);
        }
        time.as_nanos() as f64
    }
}

/// Measures every way whose name has a word in it, both builds and the empty program in turns.
///
/// # Panics
/// If a build does not do with a packet what its way says: then it is not what was to be measured.
fn measure(builds: &mut [Build; 2], empty: &Program, word: &str, rounds: usize) -> Vec<Row> {
    let paths: Vec<Path> = paths::all()
        .into_iter()
        .filter(|path| path.name.contains(word))
        .collect();
    let mut samples: Vec<[Vec<f64>; 4]> = paths.iter().map(|_| Default::default()).collect();
    for path in &paths {
        builds.iter().for_each(|build| build.prepare(path));
    }
    thread::sleep(STREAM);
    for round in 0..rounds {
        for (path, samples) in paths.iter().zip(&mut samples) {
            let take = |build: &mut Build| {
                build.prepare(path);
                // The empty program first: new flows are new to the filter then.
                let floor = build.sample(path, Some(empty));
                build.sample(path, None) - floor
            };
            let [base, ours] = &mut *builds;
            let (before, with, again) = match round % 2 {
                0 => {
                    let before = take(base);
                    (before, take(ours), take(base))
                }
                _ => {
                    let again = take(base);
                    let with = take(ours);
                    (take(base), with, again)
                }
            };
            samples[0].push(before);
            samples[1].push(with);
            samples[2].push(again / before);
            samples[3].push(with / ((before + again) / 2.0));
        }
    }
    let rows = paths.iter().zip(samples).map(|(path, samples)| {
        let [base, ours, control, ratio] = samples.map(Spread::of);
        let cell = |who: Who, ratio, cost| Cell {
            who: who.to_string(),
            ratio,
            cost,
            discarded: 0,
        };
        Row {
            name: format!("{}, {}", path.name, path.hook.as_str()),
            cells: vec![cell(Who::Base, control, base), cell(Who::Ours, ratio, ours)],
        }
    });
    rows.collect()
}
