//! Bytes of a packet that lie in one piece.

use core::arch::asm;

use bytemuck::AnyBitPattern;
use sg_common::wire::frame::FARTHEST;

/// Where the bytes of a packet begin and end, as its context says.
///
/// To be read anew for each access, and volatile, which keeps each pointer in one piece: a compiler that
/// widens the two 32-bit fields later than it reads them shifts a packet pointer, which the verifier refuses.
///
/// # Safety
///
/// Both point to the fields of the running program's context.
#[inline(always)]
pub unsafe fn bounds(data: *const u32, data_end: *const u32) -> (usize, usize) {
    // SAFETY: the caller says so.
    unsafe {
        (
            data.read_volatile() as usize,
            data_end.read_volatile() as usize,
        )
    }
}

/// Where a value at an offset is, if all of it is there. No offset is beyond [`FARTHEST`].
#[inline(always)]
pub fn within<T>((data, end): (usize, usize), offset: u32) -> Option<*const T> {
    let start = data + near(offset);
    (start + size_of::<T>() <= end).then_some(start as *const T)
}

/// An offset that is at most [`FARTHEST`], in a form that older verifiers understand: they forget that it was
/// compared where the compiler has put a copy aside before, and refuse what is read there.
#[inline(always)]
fn near(offset: u32) -> usize {
    let mut offset = offset as usize;
    // SAFETY: one register changes.
    unsafe {
        asm!("{offset} &= {FARTHEST}", offset = inout(reg) offset, FARTHEST = const FARTHEST, options(pure, nomem, nostack));
    }
    offset
}

/// Room for a header, aligned so that it can be written in words.
#[repr(C, align(8))]
struct Room<T>(T);

/// Copies a header out of the packet in words of eight, four or two bytes. Headers are arrays of bytes, which
/// the compiler would otherwise copy one by one, because this target knows no unaligned loads; the
/// machines that run it do (`CONFIG_HAVE_EFFICIENT_UNALIGNED_ACCESS`, without which the verifier refuses).
///
/// # Safety
///
/// `header` points to as many readable bytes as a `T` has.
#[inline(always)]
pub unsafe fn copy<T: AnyBitPattern>(header: *const T) -> T {
    let mut room = Room(T::zeroed());
    let size = size_of::<T>();
    let mut at = 0;
    while at < size {
        // SAFETY: `at` is within both the header and the room.
        unsafe {
            let (from, to) = (header.byte_add(at), (&raw mut room.0).byte_add(at));
            if size % 8 == 0 {
                to.cast::<u64>().write(from.cast::<u64>().read());
                at += 8;
            } else if size % 4 == 0 {
                to.cast::<u32>().write(from.cast::<u32>().read());
                at += 4;
            } else if size % 2 == 0 {
                to.cast::<u16>().write(from.cast::<u16>().read());
                at += 2;
            } else {
                to.cast::<u8>().write(from.cast::<u8>().read());
                at += 1;
            }
        }
    }
    room.0
}

/// How many bytes of a packet fit into so much room, a power of two. Never 0, in a form that the verifier
/// understands: helpers that copy take no length of which it might be. Of an empty packet they copy nothing.
#[inline(always)]
pub fn room_for<const ROOM: usize>(length: u32) -> u32 {
    const { assert!(ROOM.is_power_of_two()) };
    let last = length.min(ROOM as u32).wrapping_sub(1);
    (last & (ROOM as u32 - 1)) + 1
}
