//! The time of a thread and the core it runs on.

use std::time::{Duration, Instant};

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::sys::resource::{UsageWho, getrusage};
use nix::time::{ClockId, clock_gettime};
use nix::unistd::Pid;

/// What some work took.
#[derive(Clone, Copy, Debug)]
pub struct Taken {
    /// CPU time of this thread, softirqs within it included.
    pub cpu: Duration,
    /// Time on the wall.
    pub wall: Duration,
    /// How often the thread waited for something: what was done meanwhile was done by others.
    pub waits: i64,
}

/// Does some work in this thread.
///
/// # Panics
/// Without a clock for threads.
pub fn time<T>(work: impl FnOnce() -> T) -> (T, Taken) {
    let (waits, start, cpu) = (waits(), Instant::now(), cpu());
    let result = work();
    let taken = Taken {
        cpu: self::cpu() - cpu,
        wall: start.elapsed(),
        waits: self::waits() - waits,
    };
    (result, taken)
}

fn cpu() -> Duration {
    let clock = ClockId::CLOCK_THREAD_CPUTIME_ID;
    let time = clock_gettime(clock).unwrap_or_else(|e| panic!("no clock for threads: {e}"));
    Duration::from(time)
}

fn waits() -> i64 {
    let usage = getrusage(UsageWho::RUSAGE_THREAD);
    usage
        .unwrap_or_else(|e| panic!("no account of threads: {e}"))
        .voluntary_context_switches()
}

/// The cores that this process may use.
///
/// # Panics
/// If the kernel does not tell.
#[must_use]
pub fn cores() -> Vec<usize> {
    let set = sched_getaffinity(Pid::from_raw(0));
    let set = set.unwrap_or_else(|e| panic!("cannot ask which cores may be used: {e}"));
    (0..CpuSet::count())
        .filter(|core| set.is_set(*core).unwrap_or(false))
        .collect()
}

/// Keeps this thread, and those that it starts, on one core.
///
/// # Panics
/// If the kernel refuses.
pub fn stay_on(core: usize) {
    let mut set = CpuSet::new();
    let stayed = set
        .set(core)
        .and_then(|()| sched_setaffinity(Pid::from_raw(0), &set));
    stayed.unwrap_or_else(|e| panic!("cannot stay on core {core}: {e}"));
}
