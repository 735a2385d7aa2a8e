//! A network namespace of our own.

use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::panic;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::{self, JoinHandle};

use nix::net::if_::if_nametoindex;
use nix::sched::{CloneFlags, setns};
use nix::unistd::Uid;

use crate::leftovers;

/// Where iproute2 keeps the names of network namespaces.
pub const NAMES: &str = "/run/netns";

/// A named network namespace, removed when the last of its clones is dropped.
///
/// It has a name so that a person can look inside while a test or the demo runs:
/// `ip -n NAME link`, `nsenter --net=/run/netns/NAME`.
#[derive(Clone, Debug)]
pub struct Netns(Arc<Named>);

#[derive(Debug)]
struct Named {
    name: String,
    file: File,
}

impl Netns {
    /// Creates an empty namespace with its loopback up. The name is unique: `sg-<pid>-<n>-<label>`.
    #[must_use]
    pub fn new(label: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(1);

        assert!(
            Uid::effective().is_root(),
            "network namespaces need root: run this as root, best through `cargo xtask test`"
        );
        leftovers::remove_once();
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("{}{count}-{label}", leftovers::prefix());
        ip(&format!("netns add {name}"));
        let path = format!("{NAMES}/{name}");
        let file = File::open(&path).unwrap_or_else(|e| panic!("cannot open {path}: {e}"));
        let netns = Self(Arc::new(Named { name, file }));
        netns.ip("link set lo up");
        netns
    }

    /// The name under which `ip netns` lists it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Runs `work` inside the namespace, on a thread of its own: a namespace belongs to a thread.
    ///
    /// A socket, a tap or a process made by `work` stays in the namespace afterwards. Unlike
    /// `ip netns exec` this leaves the mounts as they are, so bpffs is still to be seen. A panic
    /// of `work` goes on in the caller.
    pub fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let inside = || {
            enter(&self.0.file, &self.0.name);
            work()
        };
        let result = thread::scope(|scope| scope.spawn(inside).join());
        result.unwrap_or_else(|cause| panic::resume_unwind(cause))
    }

    /// Moves this thread into the namespace for the rest of its life: for work that is too short for a
    /// thread of its own.
    pub fn stay(&self) {
        enter(&self.0.file, &self.0.name);
    }

    /// Starts a thread that does `work` inside the namespace.
    pub(crate) fn spawn(&self, work: impl FnOnce() + Send + 'static) -> JoinHandle<()> {
        let file = self.0.file.try_clone();
        let file = file.unwrap_or_else(|e| panic!("cannot share namespace {}: {e}", self.0.name));
        let name = self.0.name.clone();
        thread::spawn(move || {
            enter(&file, &name);
            work();
        })
    }

    /// Runs `ip` with these words inside the namespace.
    pub fn ip(&self, words: &str) {
        ip(&format!("-n {} {words}", self.0.name));
    }

    /// Runs `bridge` with these words inside the namespace.
    pub fn bridge(&self, words: &str) {
        run("bridge", &format!("-n {} {words}", self.0.name));
    }

    /// Writes a value under `/proc/sys/net` of the namespace, say `ipv6/conf/all/disable_ipv6`.
    pub fn set(&self, key: &str, value: &str) {
        let path = format!("/proc/sys/net/{key}");
        self.run(|| fs::write(&path, value))
            .unwrap_or_else(|e| panic!("cannot write {value} to {path} in {}: {e}", self.0.name));
    }

    /// The index of an interface of the namespace.
    #[must_use]
    pub fn ifindex(&self, interface: &str) -> u32 {
        self.run(|| if_nametoindex(interface))
            .unwrap_or_else(|e| panic!("no interface {interface} in {}: {e}", self.0.name))
    }
}

impl Drop for Named {
    fn drop(&mut self) {
        // Not `ip()`: it panics, and this may run while panicking.
        let _ = Command::new("ip")
            .args(["netns", "del", &self.name])
            .status();
    }
}

/// Moves this thread into the namespace, for the rest of its life.
fn enter(file: &File, name: &str) {
    setns(file, CloneFlags::CLONE_NEWNET)
        .unwrap_or_else(|e| panic!("cannot enter namespace {name}: {e}"));
}

/// Runs `ip`; panics with what it said if it fails.
fn ip(words: &str) {
    run("ip", words);
}

/// Runs a program of iproute2; panics with what it said if it fails.
fn run(program: &str, words: &str) {
    let output = Command::new(program)
        .args(words.split_whitespace())
        .process_group(0)
        .output()
        .unwrap_or_else(|e| panic!("cannot run `{program}` (package iproute2): {e}"));
    assert!(
        output.status.success(),
        "`{program} {words}` failed: {}",
        String::from_utf8_lossy(&output.stderr).trim()
    );
}
