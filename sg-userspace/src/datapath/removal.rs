//! Removing an entry of a hash map and learning what it was, in one step
//! (`BPF_MAP_LOOKUP_AND_DELETE_ELEM`, of hash maps since Linux 5.14), which aya does not do yet.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd};

use aya_obj::generated::{bpf_attr, bpf_cmd};
use bytemuck::Pod;

/// Removes an entry; returns its value, if it was there. The map's keys and values must be of these types.
///
/// # Errors
///
/// What the kernel says.
pub fn remove<K: Pod, V: Pod>(map: BorrowedFd<'_>, key: &K) -> io::Result<Option<V>> {
    let mut value = V::zeroed();
    // SAFETY: all zeros is a value of this union of integers, and what the kernel wants unused fields
    // to be.
    let mut attr: bpf_attr = unsafe { MaybeUninit::zeroed().assume_init() };
    attr.__bindgen_anon_2.map_fd = map.as_raw_fd().cast_unsigned();
    attr.__bindgen_anon_2.key = &raw const *key as u64;
    attr.__bindgen_anon_2.__bindgen_anon_1.value = &raw mut value as u64;
    // SAFETY: both addresses are those of live values of the sizes that the map has.
    let done = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            bpf_cmd::BPF_MAP_LOOKUP_AND_DELETE_ELEM as libc::c_long,
            &raw mut attr,
            size_of::<bpf_attr>(),
        )
    };
    if done >= 0 {
        return Ok(Some(value));
    }
    match io::Error::last_os_error() {
        absent if absent.raw_os_error() == Some(libc::ENOENT) => Ok(None),
        error => Err(error),
    }
}
