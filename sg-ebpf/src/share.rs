//! What a port has in its tables that evict, by count.

use core::intrinsics::{AtomicOrdering, atomic_xadd};

use sg_common::layout::share::{Kind, Share};

use crate::maps;

/// Counts an entry that was stored.
#[inline(always)]
pub fn stored(slot: u32, kind: Kind) {
    if let Some(share) = pointer(slot) {
        // SAFETY: a pointer into an array map, good for this run.
        unsafe { add(&raw mut (*share).stored[kind as usize], 1) };
    }
}

/// Counts entries that are no longer there.
#[inline(always)]
pub fn gone(slot: u32, kind: Kind, number: u32) {
    if let Some(share) = pointer(slot) {
        // SAFETY: as above.
        unsafe { add(&raw mut (*share).gone[kind as usize], number) };
    }
}

/// The counts at this moment; `None` behind the last slot.
#[inline(always)]
pub fn pointer(slot: u32) -> Option<*mut Share> {
    maps::SHARES.get_ptr_mut(slot)
}

/// Adds to a number that others change at the same time.
///
/// # Safety
///
/// The pointer must be valid, and aligned.
#[inline(always)]
pub unsafe fn add(count: *mut u32, number: u32) {
    // SAFETY: the caller's.
    unsafe { atomic_xadd::<u32, u32, { AtomicOrdering::SeqCst }>(count, number) };
}
