//! Reading a map many entries at a time (`BPF_MAP_LOOKUP_BATCH`, Linux 5.6, of arrays with a value for each CPU
//! 5.13), or taking them out of a hash, which aya does not do yet.

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
        let from = self.cursor.as_ref();
        let (keys, values) = (&mut self.page.keys, &mut self.page.values);
        let call = Call {
            command: self.command,
            map: self.map,
            count: PAGE,
        };
        // SAFETY: there is room for `PAGE` keys and values of the map's sizes, and its cursor is a bucket number.
        let count = unsafe { call.look_up(from, &mut next, keys, values) };
        let (count, is_last) = count?;
        self.ended = is_last;
        self.cursor = Some(next);
        Ok(Some((&self.page.keys[..count], &self.page.values[..count])))
    }
}

/// Reads so many values of an array from an index on: of each the values of all CPUs, one behind the other. The
/// array's values must be of this type, whose size is a multiple of eight, and there must be so many CPUs.
///
/// # Errors
///
/// What the kernel says.
pub fn of_cpus<V: Pod>(
    array: BorrowedFd<'_>,
    first: u32,
    count: usize,
    cpus: usize,
) -> io::Result<Vec<V>> {
    let mut keys = vec![0_u32; count];
    let mut values = vec![V::zeroed(); count * cpus];
    // The kernel begins behind the one that it is given.
    let before = first.checked_sub(1);
    let mut next = 0;
    let call = Call {
        command: bpf_cmd::BPF_MAP_LOOKUP_BATCH,
        map: array,
        count,
    };
    // SAFETY: there is room for `count` indexes, and for as many values of each CPU; the cursor is an index.
    let read = unsafe { call.look_up(before.as_ref(), &mut next, &mut keys, &mut values) };
    match read? {
        (read, _) if read == count => Ok(values),
        _ => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

/// One system call, a look-up of a batch or one that removes it.
struct Call<'a> {
    command: bpf_cmd,
    map: BorrowedFd<'a>,
    /// Entries at most.
    count: usize,
}

impl Call<'_> {
    /// Entries behind a cursor, and the cursor behind them. Returns how many, and whether these are the last.
    ///
    /// # Safety
    ///
    /// In `keys` and `values` there must be room for `count` entries as the kernel copies them, and the map's cursor
    /// must be a number of 32 bits.
    unsafe fn look_up<K: Pod, V: Pod>(
        &self,
        from: Option<&u32>,
        next: &mut u32,
        keys: &mut [K],
        values: &mut [V],
    ) -> io::Result<(usize, bool)> {
        // SAFETY: all zeros is a value of this union of integers, and what the kernel wants unused
        // fields to be.
        let mut attr: bpf_attr = unsafe { MaybeUninit::zeroed().assume_init() };
        attr.batch.in_batch = from.map_or(0, |cursor| &raw const *cursor as u64);
        attr.batch.out_batch = &raw mut *next as u64;
        attr.batch.keys = keys.as_mut_ptr() as u64;
        attr.batch.values = values.as_mut_ptr() as u64;
        attr.batch.count = self.count as u32;
        attr.batch.map_fd = self.map.as_raw_fd() as u32;
        // SAFETY: every address is that of a live value, which is as long as the kernel takes it to be: the caller
        // promises it.
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
            // The last entries are told by this error.
            if error.raw_os_error() != Some(libc::ENOENT) {
                return Err(error);
            }
        }
        // SAFETY: the kernel has written how many entries it copied.
        let copied = unsafe { attr.batch.count } as usize;
        Ok((copied.min(self.count), done < 0))
    }
}
