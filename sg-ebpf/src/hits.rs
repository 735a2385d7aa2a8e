//! What rows have permitted, counted.

use core::intrinsics::{AtomicOrdering, atomic_xadd};

use aya_ebpf::bindings::BPF_NOEXIST;
use aya_ebpf::helpers::bpf_ktime_get_boot_ns;
use sg_common::layout::hit::{HitKey, Hits};

use crate::maps;

/// Counts what a row has permitted; false if there is no room for it.
///
/// A subprogram of its own: it is called at several places, and a row that is counted for the first time needs
/// its own stack.
#[inline(never)]
pub fn count(hit: &HitKey) -> bool {
    // SAFETY: a helper without arguments.
    let now = unsafe { bpf_ktime_get_boot_ns() };
    add(hit, now)
        || maps::HITS
            .insert(hit, Hits { count: 1, last: now }, BPF_NOEXIST.into())
            .is_ok()
        // Another CPU was first.
        || add(hit, now)
}

/// Adds to what was counted; false if nothing was yet. User space may take the entry away meanwhile: then this
/// packet is missing from its number, but not the moment.
#[inline(always)]
fn add(hit: &HitKey, now: u64) -> bool {
    let Some(hits) = maps::HITS.get_ptr_mut(hit) else {
        return false;
    };
    // SAFETY: a pointer to an element of a hash, good for this run; both fields are aligned.
    unsafe {
        atomic_xadd::<u64, u64, { AtomicOrdering::SeqCst }>(&raw mut (*hits).count, 1);
        (&raw mut (*hits).last).write_volatile(now);
    }
    true
}
