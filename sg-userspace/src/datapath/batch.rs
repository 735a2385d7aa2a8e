//! Reading a hash map many entries at a time (`BPF_MAP_LOOKUP_BATCH`, Linux 5.6), or taking them out of it, which
//! aya does not do yet.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd};

use aya_obj::generated::{bpf_attr, bpf_cmd};
use bytemuck::Pod;

/// Entries of one system call. The kernel copies whole buckets, so this is far more than one has.
pub const PAGE: usize = 4096;

/// Room for a page of entries, for one walk after the other.
pub struct Page<K, V> {
    keys: Vec<K>,
    values: Vec<V>,
}

impl<K: Pod, V: Pod> Page<K, V> {
    /// An empty one.
    pub fn new() -> Self {
        Self {
            keys: vec![K::zeroed(); PAGE],
            values: vec![V::zeroed(); PAGE],
        }
    }
}

/// Walks a hash map bucket by bucket. Unlike a walk from key to key it ends, whatever is added or removed
/// meanwhile: an entry that is there all the time is seen once, any other once or not at all.
pub struct Walk<'a, K, V> {
    map: BorrowedFd<'a>,
    command: bpf_cmd,
    /// The bucket to go on with, as the kernel gave it.
    cursor: Option<u32>,
    ended: bool,
    page: &'a mut Page<K, V>,
}

impl<'a, K: Pod, V: Pod> Walk<'a, K, V> {
    /// A walk from the beginning. The map's keys and values must be of these types.
    pub fn new(map: BorrowedFd<'a>, page: &'a mut Page<K, V>) -> Self {
        Self {
            map,
            command: bpf_cmd::BPF_MAP_LOOKUP_BATCH,
            cursor: None,
            ended: false,
            page,
        }
    }

    /// The same, which removes what it sees.
    pub fn taking(map: BorrowedFd<'a>, page: &'a mut Page<K, V>) -> Self {
        Self {
            command: bpf_cmd::BPF_MAP_LOOKUP_AND_DELETE_BATCH,
            ..Self::new(map, page)
        }
    }

    /// The next entries, at most [`PAGE`]; `None` at the end.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub fn page(&mut self) -> io::Result<Option<(&[K], &[V])>> {
        if self.ended {
            return Ok(None);
        }
        let mut next = 0_u32;
        // SAFETY: all zeros is a value of this union of integers, and what the kernel wants unused
        // fields to be.
        let mut attr: bpf_attr = unsafe { MaybeUninit::zeroed().assume_init() };
        attr.batch.in_batch = self
            .cursor
            .as_ref()
            .map_or(0, |bucket| &raw const *bucket as u64);
        attr.batch.out_batch = &raw mut next as u64;
        attr.batch.keys = self.page.keys.as_mut_ptr() as u64;
        attr.batch.values = self.page.values.as_mut_ptr() as u64;
        attr.batch.count = PAGE as u32;
        attr.batch.map_fd = self.map.as_raw_fd() as u32;
        // SAFETY: every address is that of a live value of ours, which is as long as the kernel takes it
        // to be: a bucket number, and `PAGE` keys and values of the map's sizes.
        let done = unsafe {
            libc::syscall(
                libc::SYS_bpf,
                self.command as libc::c_long,
                &raw mut attr,
                size_of::<bpf_attr>(),
            )
        };
        if done < 0 {
            let error = io::Error::last_os_error();
            // The last page is told by this error.
            if error.raw_os_error() != Some(libc::ENOENT) {
                return Err(error);
            }
            self.ended = true;
        }
        self.cursor = Some(next);
        // SAFETY: the kernel has written how many entries it copied.
        let count = (unsafe { attr.batch.count } as usize).min(PAGE);
        Ok(Some((&self.page.keys[..count], &self.page.values[..count])))
    }
}
