//! Packets and bytes by connection.

use core::intrinsics::{AtomicOrdering, atomic_xadd};

use aya_ebpf::bindings::BPF_NOEXIST;
use sg_common::hook::Direction;
use sg_common::layout::account::Account;
use sg_common::layout::flow::FlowKey;

use crate::maps;

/// Counts a packet of a connection if its port has a table for that; false if there is no room in it. The
/// direction is one of [`Direction`].
///
/// A subprogram of its own: it is called at several places, of which most packets come by none.
#[inline(never)]
pub fn count(key: &FlowKey, direction: u32, bytes: u32, opens: bool) -> bool {
    let Some(table) = maps::ACCOUNTS.get(key.slot()) else {
        return true;
    };
    if let Some(account) = table.get_ptr_mut(key) {
        // SAFETY: a pointer to an element of a hash, good for this run.
        unsafe { add(account, direction, bytes, opens) };
        return true;
    }
    let direction = match direction {
        0 => Direction::Ingress,
        _ => Direction::Egress,
    };
    let begun = Account::begun(direction, bytes);
    if table.insert(key, begun, BPF_NOEXIST.into()).is_ok() {
        return true;
    }
    // Another CPU was first, or there is no room.
    match table.get_ptr_mut(key) {
        Some(account) => {
            // SAFETY: as above.
            unsafe { add(account, direction as u32, bytes, false) };
            true
        }
        None => false,
    }
}

/// # Safety
///
/// `account` must be valid, and aligned.
#[inline(always)]
unsafe fn add(account: *mut Account, direction: u32, bytes: u32, opens: bool) {
    let direction = direction as usize & 1;
    // SAFETY: the caller's; the index is within both arrays.
    unsafe {
        if opens {
            (*account).former_packets = (*account).packets;
            (*account).former_bytes = (*account).bytes;
        }
        let (packets, total) = (
            &raw mut (*account).packets[direction],
            &raw mut (*account).bytes[direction],
        );
        atomic_xadd::<u64, u64, { AtomicOrdering::SeqCst }>(packets, 1);
        atomic_xadd::<u64, u64, { AtomicOrdering::SeqCst }>(total, bytes.into());
    }
}
