//! What is told one by one: the ring, and each port's budget.

use core::intrinsics::{AtomicOrdering, atomic_cxchg, atomic_xadd};

use aya_ebpf::helpers::bpf_ktime_get_boot_ns;
use sg_common::layout::events::{Action, Asked, Event};

use crate::maps;

/// Tells of something, if somebody asked, there is a budget and room.
#[inline(always)]
pub fn tell(slot: u32, action: Action, fill: impl FnOnce(&mut Event, u64)) {
    let (Some(asked), Some(budget)) = (maps::ASKED.get(slot), maps::BUDGETS.get_ptr_mut(slot))
    else {
        return;
    };
    if !asked.wants(action) {
        return;
    }
    let index = action.index();
    // SAFETY: a pointer into an array map, good for this run.
    let (due, lost) = unsafe {
        (
            &raw mut (*budget).due[index],
            &raw mut (*budget).lost[index],
        )
    };
    // SAFETY: a helper without arguments.
    let now = unsafe { bpf_ktime_get_boot_ns() };
    // SAFETY: `due` is valid, and aligned.
    if unsafe { spend(asked, action, due, now) }
        && let Some(mut entry) = maps::EVENTS.reserve_untyped::<Event>(0)
    {
        // SAFETY: any bytes are an `Event`.
        fill(unsafe { entry.assume_init_mut() }, now);
        entry.submit(0);
        return;
    }
    // SAFETY: `lost` is valid, and aligned.
    unsafe { atomic_xadd::<u64, u64, { AtomicOrdering::SeqCst }>(lost, 1) };
}

/// Takes one record out of a budget. If two other CPUs have just done so, this one finds none.
///
/// # Safety
///
/// `due` must be valid, and aligned.
#[inline(always)]
unsafe fn spend(asked: &Asked, action: Action, due: *mut u64, now: u64) -> bool {
    for _ in 0..2 {
        // SAFETY: the caller's.
        let before = unsafe { due.read_volatile() };
        let Some(after) = asked.spend(action, before, now) else {
            return false;
        };
        // SAFETY: the caller's.
        let (_, swapped) = unsafe {
            atomic_cxchg::<u64, { AtomicOrdering::SeqCst }, { AtomicOrdering::SeqCst }>(
                due, before, after,
            )
        };
        if swapped {
            return true;
        }
    }
    false
}
