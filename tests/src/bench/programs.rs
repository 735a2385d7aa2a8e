//! What each way through the filter costs, the program alone: nanoseconds over an empty program, of two
//! builds in turns, and of the first against itself.

use std::ops::Range;
use std::path::Path;
use std::thread;
use std::time::Duration;

use sg_common::hook::Hook;

use super::empty;
use super::paths::{self, Frames, Path as Way};
use super::report::{Row, Section};
use super::side::{UNPROVEN, Who, room};
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

/// How often both builds are set up at most. What a new connection costs depends on where in memory a build's tables have
/// come to be, and on the seeds of their hashes: that is no property of the build.
const SETUPS: usize = 4;

/// Measures every way whose name has a word in it, of the programs in the folder of the base and of this build.
///
/// # Panics
/// If a build does not do with a packet what its way says: then it is not what was to be measured.
#[must_use]
pub fn run(base: Option<&Path>, word: &str, rounds: usize) -> Section {
    let has_new = "new".contains(word) || word.contains("new");
    let (mut all, mut full) = (Vec::new(), Vec::new());
    let setups = SETUPS.min(rounds / 2).max(1);
    for setup in 0..setups {
        // A setup begins with the other build than the one before it did.
        let rounds = setup..setup + (rounds - setup).div_ceil(setups);
        let (mut builds, empty) = set_up(base, setup);
        add(&mut all, measure(&mut builds, &empty, word, rounds.clone()));
        if has_new {
            builds.iter_mut().for_each(Build::fill);
            add(&mut full, measure(&mut builds, &empty, "new", rounds));
        }
    }
    let full = full.into_iter().map(|samples| Samples {
        name: format!("{}, full tables", samples.name),
        ..samples
    });
    Section {
        title: "The programs alone, ns over an empty one".to_owned(),
        to: Some(Who::Base.to_string()),
        unit: "ns".to_owned(),
        control: None,
        rows: all.into_iter().chain(full).map(Samples::row).collect(),
    }
}

/// The base and this build, each on a node of its own, and an empty program. Which is set up first changes.
fn set_up(base: Option<&Path>, setup: usize) -> ([Build; 2], Program) {
    let build = |mut node: Node| {
        let tap = node.tap(&paths::server().interface());
        node.write(&paths::inventory());
        // As much room for new connections in each, for a fair comparison.
        let room = room(&node);
        node.start_with(&room.iter().map(String::as_str).collect::<Vec<_>>());
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
    let builds = match setup % 2 {
        0 => [base, ours].map(build),
        _ => {
            let [ours, base] = [ours, base].map(build);
            [base, ours]
        }
    };
    if setup == 0 {
        let [before, now] = [0, 1].map(|build: usize| builds[build].verified_instructions());
        eprintln!(
            "verified instructions (from_vm, to_vm): {before:?} in the base, {now:?} in this build"
        );
    }
    (builds, empty)
}

/// What was measured of one way: the base, this build, the base to itself, this build to the base.
struct Samples {
    name: String,
    of: [Vec<f64>; 4],
}

impl Samples {
    fn row(self) -> Row {
        let [base, ours, control, ratio] = self.of.map(Spread::of);
        let cell = |who: Who, ratio, cost| Cell {
            who: who.to_string(),
            ratio,
            cost,
            discarded: 0,
        };
        Row {
            name: self.name,
            cells: vec![cell(Who::Base, control, base), cell(Who::Ours, ratio, ours)],
        }
    }
}

/// Adds what another setup has given, of the same ways.
fn add(all: &mut Vec<Samples>, more: Vec<Samples>) {
    if all.is_empty() {
        *all = more;
        return;
    }
    for (samples, more) in all.iter_mut().zip(more) {
        for (samples, more) in samples.of.iter_mut().zip(more.of) {
            samples.extend(more);
        }
    }
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
    fn prepare(&self, path: &Way) {
        for (hook, frame) in &path.before {
            let _ = self.program(*hook).run(self.netns(), self.ifindex, frame);
        }
    }

    fn sample(&mut self, path: &Way, program: Option<&Program>) -> f64 {
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
    fn mean(&self, path: &Way, program: Option<&Program>, frame: &[u8], runs: u32) -> f64 {
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

/// Measures every way whose name has a word in it, both builds and the empty program in turns. Of the four samples of
/// a round each build has two, one behind its own and one behind the other's, and those that are first in one round
/// are in the middle of the next: neither finds its tables fuller or its caches warmer for its place.
///
/// # Panics
/// If a build does not do with a packet what its way says: then it is not what was to be measured.
fn measure(
    builds: &mut [Build; 2],
    empty: &Program,
    word: &str,
    rounds: Range<usize>,
) -> Vec<Samples> {
    let paths: Vec<Way> = paths::all()
        .into_iter()
        .filter(|path| path.name.contains(word))
        .collect();
    let mut samples: Vec<[Vec<f64>; 4]> = paths.iter().map(|_| Default::default()).collect();
    for path in &paths {
        builds.iter().for_each(|build| build.prepare(path));
    }
    thread::sleep(STREAM);
    for round in rounds {
        for (path, samples) in paths.iter().zip(&mut samples) {
            let take = |build: &mut Build| {
                build.prepare(path);
                // The empty program first: new flows are new to the filter then.
                let floor = build.sample(path, Some(empty));
                build.sample(path, None) - floor
            };
            let [base, ours] = &mut *builds;
            let ([before, again], with) = match round % 2 {
                0 => {
                    let before = take(base);
                    let with = take(ours) + take(ours);
                    ([before, take(base)], with)
                }
                _ => {
                    let first = take(ours);
                    let [again, before] = [take(base), take(base)];
                    ([before, again], first + take(ours))
                }
            };
            samples[0].push(before);
            samples[1].push(with / 2.0);
            samples[2].push(again / before);
            samples[3].push(with / (before + again));
        }
    }
    let named = paths.iter().zip(samples);
    named
        .map(|(path, of)| Samples {
            name: format!("{}, {}", path.name, path.hook.as_str()),
            of,
        })
        .collect()
}
