//! The packet at a tc hook. The only pointer arithmetic.

use aya_ebpf::programs::TcContext;
use bytemuck::AnyBitPattern;
use sg_common::wire::frame::{FARTHEST, Frame};

/// The packet of a tc program.
pub struct TcFrame<'a> {
    ctx: &'a TcContext,
}

impl<'a> TcFrame<'a> {
    /// The packet of the running program.
    #[inline(always)]
    pub fn new(ctx: &'a TcContext) -> Self {
        TcFrame { ctx }
    }

    /// The interface on which the program runs.
    #[inline(always)]
    pub fn ifindex(&self) -> u32 {
        // SAFETY: the context is valid while the program runs.
        unsafe { (*self.ctx.skb.skb).ifindex }
    }

    /// Where the bytes at an offset are, if they are in the linear part of the packet.
    ///
    /// The reads are volatile to keep each pointer in one piece: a compiler that widens the two 32-bit
    /// fields later than it reads them shifts a packet pointer, which the verifier refuses.
    #[inline(always)]
    fn linear<T>(&self, offset: u32) -> Option<*const T> {
        let skb = self.ctx.skb.skb;
        // SAFETY: the context is valid while the program runs.
        let (data, end) = unsafe {
            (
                (&raw const (*skb).data).read_volatile() as usize,
                (&raw const (*skb).data_end).read_volatile() as usize,
            )
        };
        let start = data + offset as usize;
        (start + size_of::<T>() <= end).then_some(start as *const T)
    }
}

impl Frame for TcFrame<'_> {
    #[inline(always)]
    fn len(&self) -> u32 {
        self.ctx.len()
    }

    #[inline(always)]
    fn vlan(&self) -> Option<u16> {
        // SAFETY: the context is valid while the program runs.
        let (present, tci) = unsafe {
            (
                (*self.ctx.skb.skb).vlan_present,
                (*self.ctx.skb.skb).vlan_tci,
            )
        };
        (present != 0).then_some(tci as u16)
    }

    /// Headers are nearly always linear and read in place; if not, they are made so.
    #[inline(always)]
    fn read<T: AnyBitPattern>(&self, offset: u32) -> Option<T> {
        if offset > FARTHEST {
            return None;
        }
        let header: *const T = match self.linear(offset) {
            Some(header) => header,
            None => {
                self.ctx.pull_data(offset + size_of::<T>() as u32).ok()?;
                self.linear(offset)?
            }
        };
        // SAFETY: the bytes lie between `data` and `data_end`, and any bytes are a `T`.
        Some(unsafe { copy(header) })
    }
}

/// Room for a header, aligned so that it can be written in words.
#[repr(C, align(8))]
struct Room<T>(T);

/// Copies a header out of the packet in words of four or two bytes. Headers are arrays of bytes, which
/// the compiler would otherwise copy one by one, because this target knows no unaligned loads; the
/// machines that run it do (`CONFIG_HAVE_EFFICIENT_UNALIGNED_ACCESS`, without which the verifier refuses).
///
/// # Safety
///
/// `header` points to as many readable bytes as a `T` has.
#[inline(always)]
unsafe fn copy<T: AnyBitPattern>(header: *const T) -> T {
    let mut room = Room(T::zeroed());
    let size = size_of::<T>();
    let mut at = 0;
    while at < size {
        // SAFETY: `at` is within both the header and the room.
        unsafe {
            let (from, to) = (header.byte_add(at), (&raw mut room.0).byte_add(at));
            if size % 4 == 0 {
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
