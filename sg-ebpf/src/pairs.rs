//! The walk through pairs of ports.
//!
//! The kernel turns the loop, so that the verifier follows one turn of it; policies are asked in so many
//! states that it would not have the patience for each turn of each.

use core::ffi::c_void;

use aya_ebpf::helpers::bpf_loop;
use sg_common::layout::policy::{PAIRS, PortPairs};

struct Search<'a> {
    pairs: &'a PortPairs,
    protocol: u8,
    source: u16,
    destination: u16,
    found: bool,
}

/// [`PortPairs::contains`].
#[inline(always)]
pub fn contain(pairs: &PortPairs, protocol: u8, source: u16, destination: u16) -> bool {
    let count = pairs.count.min(PAIRS as u64) as u32;
    let mut search = Search {
        pairs,
        protocol,
        source,
        destination,
        found: false,
    };
    let context = (&raw mut search).cast::<c_void>();
    // SAFETY: the callback is given what it expects, which outlives the call.
    unsafe { bpf_loop(count, look as *mut c_void, context, 0) };
    search.found
}

/// One turn; the last if it answers 1.
unsafe extern "C" fn look(at: u32, search: *mut Search<'_>) -> u64 {
    // SAFETY: `contain` hands it over.
    let search = unsafe { &mut *search };
    let Some(pair) = search.pairs.pairs.get(at as usize) else {
        return 1;
    };
    search.found = pair.contains(search.protocol, search.source, search.destination);
    search.found.into()
}
