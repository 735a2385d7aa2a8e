//! The clock of the kernel programs.

use nix::time::{ClockId, clock_gettime};
use sg_common::layout::settings::{TICK_SHIFT, Ticks};

/// What `bpf_ktime_get_coarse_ns` gives the programs at this moment.
pub fn now() -> Ticks {
    // The call cannot fail: the clock is there since Linux 2.6.32.
    let Ok(now) = clock_gettime(ClockId::CLOCK_MONOTONIC_COARSE) else {
        return 0;
    };
    let nanoseconds = now.tv_sec() as u64 * 1_000_000_000 + now.tv_nsec() as u64;
    (nanoseconds >> TICK_SHIFT) as Ticks
}
