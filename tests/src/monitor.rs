//! `sgctl monitor` beside a test.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::daemon::Daemon;
use crate::node::{Node, program};

/// A monitor that runs. It is killed when dropped.
#[derive(Debug)]
pub struct Monitor {
    process: Daemon,
    output: PathBuf,
}

impl Monitor {
    /// Starts `sgctl monitor` with these words, for the daemon of a node; returns when the kernel tells what it
    /// asked for. What it prints goes into a file.
    #[must_use]
    pub fn start(node: &Node, words: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = |what: &str| node.directory().join(format!("monitor-{number}.{what}"));
        let (output, capture) = (path("out"), path("pcapng"));
        let file =
            File::create(&output).unwrap_or_else(|e| panic!("cannot create {output:?}: {e}"));
        let monitor = Self {
            process: Self::run(node, words, Some(&capture), file),
            output,
        };
        // A capture begins when the daemon has answered.
        monitor.wait_for("it did not begin", || {
            fs::metadata(&capture).is_ok_and(|file| file.len() > 0)
        });
        monitor
    }

    /// Runs `sgctl monitor` with these words, and a capture beside if one is named; its output goes where the
    /// caller wants.
    #[must_use]
    pub fn run(
        node: &Node,
        words: &str,
        capture: Option<&PathBuf>,
        output: impl Into<Stdio>,
    ) -> Daemon {
        let mut command = Command::new(program("sgctl"));
        command.arg("--socket").arg(node.socket());
        command.arg("monitor").args(words.split_whitespace());
        if let Some(capture) = capture {
            command.arg("--write").arg(capture);
        }
        Daemon::start(node.netns(), {
            command.stdout(output);
            command
        })
    }

    /// Its process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// What it has printed.
    #[must_use]
    pub fn text(&self) -> String {
        fs::read_to_string(&self.output)
            .unwrap_or_else(|e| panic!("cannot read {:?}: {e}", self.output))
    }

    /// What it has printed, as lines of JSON.
    #[must_use]
    pub fn lines(&self) -> Vec<Value> {
        let text = self.text();
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        whole
            .lines()
            .map(|line| {
                serde_json::from_str(line).unwrap_or_else(|e| panic!("{line:?} is no JSON: {e}"))
            })
            .collect()
    }

    /// All that it prints until nothing has come for a while, as lines of JSON.
    #[must_use]
    pub fn all(&self, quiet: Duration) -> Vec<Value> {
        let mut printed = self.text().len();
        loop {
            sleep(quiet);
            let now = self.text().len();
            if now == printed {
                return self.lines();
            }
            printed = now;
        }
    }

    /// The pcapng that it has written.
    #[must_use]
    pub fn capture(&self) -> PathBuf {
        self.output.with_extension("pcapng")
    }

    /// Waits until something is so, at most ten seconds.
    ///
    /// # Panics
    /// If it does not become so; with what it has printed.
    pub fn wait_for(&self, what: &str, done: impl Fn() -> bool) {
        let deadline = Instant::now() + Duration::from_secs(10);
        while !done() {
            assert!(Instant::now() < deadline, "{what}:\n{}", self.text());
            sleep(Duration::from_millis(20));
        }
    }

    /// How it ends, which has to be soon.
    ///
    /// # Panics
    /// If it goes on.
    pub fn end(&mut self) -> ExitStatus {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            if let Some(status) = self.process.ended() {
                return status;
            }
            assert!(Instant::now() < deadline, "it goes on:\n{}", self.text());
            sleep(Duration::from_millis(20));
        }
    }
}
