//! What each way through the filter costs, the program alone: nanoseconds over an empty program, of two
//! builds in turns, and of the first against itself.

use std::thread;
use std::time::Duration;

use sg_common::hook::Hook;

use super::Spread;
use super::paths::{self, Frames, Path};
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

/// Room for connections of one family that are not proven yet: what a node had for all ports before each
/// had its own.
pub const UNPROVEN: u32 = 65_536;

/// A build's programs at the server's tap, which a daemon of that build has attached.
pub struct Build {
    node: Node,
    /// Open: programs are found at it.
    _tap: Tap,
    programs: [Program; 2],
    ifindex: u32,
    /// How many packets that are always others it has seen.
    seen: u32,
}

/// What one way costs.
#[derive(Debug)]
pub struct Cost {
    /// Which it is.
    pub name: String,
    /// Where.
    pub hook: Hook,
    /// The build to compare with, nanoseconds over the empty program.
    pub base: Spread,
    /// The build.
    pub ours: Spread,
    /// What the same program over the same frame differs from itself, in nanoseconds.
    pub control: Spread,
    /// The build to the other one, round by round.
    pub ratio: Spread,
}

impl Build {
    /// Takes a node whose daemon enforces [`paths::inventory`].
    #[must_use]
    pub fn of(node: Node, tap: Tap) -> Self {
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
    #[must_use]
    pub fn verified_instructions(&self) -> [u32; 2] {
        Hook::ALL.map(|hook| self.program(hook).verified_instructions())
    }

    /// Fills the tables of connections that are not proven yet, of which each build has room for
    /// [`UNPROVEN`].
    pub fn fill(&mut self) {
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
#[must_use]
pub fn measure(builds: &mut [Build; 2], empty: &Program, word: &str, rounds: usize) -> Vec<Cost> {
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
            samples[2].push(again - before);
            samples[3].push(with / ((before + again) / 2.0));
        }
    }
    paths
        .into_iter()
        .zip(samples)
        .map(|(path, samples)| {
            let [base, ours, control, ratio] = samples.map(Spread::of);
            Cost {
                name: path.name,
                hook: path.hook,
                base,
                ours,
                control,
                ratio,
            }
        })
        .collect()
}
