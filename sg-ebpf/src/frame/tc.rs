//! The packet at a tc hook.

use aya_ebpf::helpers::bpf_skb_load_bytes;
use aya_ebpf::programs::TcContext;
use bytemuck::AnyBitPattern;
use sg_common::wire::frame::{FARTHEST, Frame};

use super::linear::{bounds, copy, room_for, within};

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
    #[inline(always)]
    fn linear<T>(&self, offset: u32) -> Option<*const T> {
        let skb = self.ctx.skb.skb;
        // SAFETY: the context is valid while the program runs.
        let bounds = unsafe { bounds(&raw const (*skb).data, &raw const (*skb).data_end) };
        within(bounds, offset)
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
        // SAFETY: the bytes lie between `data` and `data_end`.
        Some(unsafe { copy(header) })
    }

    #[inline(always)]
    fn capture<const ROOM: usize>(&self, into: &mut [u8; ROOM]) -> u16 {
        let length = room_for::<ROOM>(self.len());
        let (skb, room) = (self.ctx.skb.skb.cast(), into.as_mut_ptr().cast());
        // SAFETY: there is room for so many bytes.
        let error = unsafe { bpf_skb_load_bytes(skb, 0, room, length) };
        if error == 0 { length as u16 } else { 0 }
    }
}
