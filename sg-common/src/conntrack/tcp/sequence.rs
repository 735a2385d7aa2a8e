//! Sequence numbers, which wrap (RFC 9293 3.4).

/// Whether `a` is before `b` in sequence space.
#[inline(always)]
pub(super) const fn before(a: u32, b: u32) -> bool {
    (a.wrapping_sub(b) as i32) < 0
}
