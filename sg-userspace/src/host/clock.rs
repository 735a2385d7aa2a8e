//! The kernel's clocks, as programs in the kernel read them. A process in a time namespace sees them shifted
//! (`time_namespaces(7)`); nobody sees them stepped with the clock on the wall.

use std::fs;
use std::sync::LazyLock;

use nix::time::{ClockId, clock_gettime};

/// How far this process sees them shifted.
static SHIFTS: LazyLock<Shifts> = LazyLock::new(|| {
    // Not there where the kernel has no time namespaces.
    Shifts::parse(&fs::read_to_string("/proc/self/timens_offsets").unwrap_or_default())
});

/// What `bpf_ktime_get_coarse_ns` gives at this moment, in nanoseconds.
pub fn monotonic() -> u64 {
    unshifted(ClockId::CLOCK_MONOTONIC_COARSE, SHIFTS.monotonic)
}

/// What `bpf_ktime_get_boot_ns` gives at this moment, in nanoseconds.
pub fn boottime() -> u64 {
    unshifted(ClockId::CLOCK_BOOTTIME, SHIFTS.boottime)
}

fn unshifted(clock: ClockId, shift: i64) -> u64 {
    // The call cannot fail: both clocks are there since Linux 2.6.39.
    let seen = clock_gettime(clock).map_or(0, |now| nanoseconds(now.tv_sec(), now.tv_nsec()));
    seen.wrapping_sub(shift).max(0).cast_unsigned()
}

fn nanoseconds(seconds: i64, rest: i64) -> i64 {
    seconds.saturating_mul(1_000_000_000).saturating_add(rest)
}

/// Nanoseconds that a time namespace adds.
#[derive(Debug, Default, PartialEq, Eq)]
struct Shifts {
    monotonic: i64,
    boottime: i64,
}

impl Shifts {
    /// Of lines as the kernel prints them: a clock, seconds, nanoseconds.
    fn parse(offsets: &str) -> Self {
        let mut shifts = Self::default();
        for line in offsets.lines() {
            let mut words = line.split_whitespace();
            let clock = words.next();
            let mut number = || words.next().and_then(|word| word.parse().ok());
            let (Some(seconds), Some(rest)) = (number(), number()) else {
                continue;
            };
            match clock {
                Some("monotonic") => shifts.monotonic = nanoseconds(seconds, rest),
                Some("boottime") => shifts.boottime = nanoseconds(seconds, rest),
                _ => {}
            }
        }
        shifts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_time_namespace_adds_is_read_of_either_clock_also_backwards() {
        let shifts =
            Shifts::parse("monotonic     -86400         5\nboottime          7         0\n");
        assert_eq!(shifts.monotonic, -86_399_999_999_995);
        assert_eq!(shifts.boottime, 7_000_000_000);
        for nothing in ["", "monotonic", "realtime 1 1"] {
            assert_eq!(Shifts::parse(nothing), Shifts::default(), "{nothing}");
        }
    }
}
