//! What several CPUs change at once. The target has no `core::sync::atomic` for it.

use core::intrinsics::{AtomicOrdering, atomic_cxchg, atomic_xadd};

/// Swaps a word, if it is what it was. Says whether it did.
///
/// # Safety
///
/// The pointer must be valid and aligned.
#[inline(always)]
pub unsafe fn swap(word: *mut u64, before: u64, after: u64) -> bool {
    const SEQ: AtomicOrdering = AtomicOrdering::SeqCst;
    // SAFETY: the caller's.
    let (_, swapped) = unsafe { atomic_cxchg::<u64, SEQ, SEQ>(word, before, after) };
    swapped
}

/// Adds to a number, modulo 2^32. The target has no subtraction: `u32::MAX` takes one off.
///
/// # Safety
///
/// The pointer must be valid and aligned.
#[inline(always)]
pub unsafe fn add(count: *mut u32, number: u32) {
    // SAFETY: the caller's.
    unsafe { atomic_xadd::<u32, u32, { AtomicOrdering::SeqCst }>(count, number) };
}
