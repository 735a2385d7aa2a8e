//! Which maps are in a map of maps.
//!
//! Before Linux 6.8 the kernel waits after each look into one as after a change (`bpf_map_copy_value`,
//! `kernel/bpf/syscall.c`), so that thousands of looks would take minutes. Where it does, many wait together.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::BorrowedFd;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::at_once::at_once;
use super::sys;

/// Looks that take longer in all do not go on one after the other. Where the kernel does not wait, those into a
/// map of the default size take 2 ms.
const LONG: Duration = Duration::from_millis(50);

/// Looks that wait together.
const TOGETHER: usize = 64;

/// The maps in these slots of an array of maps: their ids, by slot.
///
/// # Errors
///
/// What the system says.
pub fn inner_maps(
    outer: BorrowedFd<'_>,
    slots: impl IntoIterator<Item = u32>,
) -> io::Result<BTreeMap<u32, u32>> {
    let mut slots = slots.into_iter();
    let mut inner = BTreeMap::new();
    let begin = Instant::now();
    while begin.elapsed() < LONG {
        let Some(slot) = slots.next() else {
            return Ok(inner);
        };
        inner.extend(sys::inner_map(outer, slot)?.map(|id| (slot, id)));
    }
    let rest: Vec<u32> = slots.collect();
    let parts: Vec<_> = rest.chunks(rest.len().div_ceil(TOGETHER).max(1)).collect();
    let found = Mutex::new(inner);
    at_once(&parts, |part| {
        part.iter().try_for_each(|slot| {
            let map = sys::inner_map(outer, *slot)?.map(|id| (*slot, id));
            found
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .extend(map);
            io::Result::Ok(())
        })
    })?;
    Ok(found.into_inner().unwrap_or_else(PoisonError::into_inner))
}
