//! The memory of this process.

/// Gives memory that is free back to the system: a large inventory leaves as much behind as it takes, in
/// pieces that the allocator would keep.
pub fn give_back() {
    #[cfg(target_env = "gnu")]
    // SAFETY: it touches nothing but what is free, under the allocator's own lock.
    unsafe {
        libc::malloc_trim(0);
    }
}
