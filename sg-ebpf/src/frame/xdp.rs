//! The packet at XDP.

use aya_ebpf::bindings::xdp_md;
use aya_ebpf::helpers::{bpf_xdp_adjust_head, bpf_xdp_load_bytes};
use bytemuck::AnyBitPattern;
use sg_common::wire::ethernet::{Tag, is_tag};
use sg_common::wire::frame::{FARTHEST, Frame};

use super::linear::{bounds, copy, room_for, within};

/// The packet of an XDP program, as tc would see it.
///
/// Between the two hooks the kernel takes the outermost tag out of the frame and keeps it beside
/// (`skb_vlan_untag`, `net/core/skbuff.c`, called by `__netif_receive_skb_core`). So does this, for as long
/// as the filter looks at the frame: see [`XdpFrame::restore`].
///
/// All bytes are in one piece, because the program does not say that it can do with less (`xdp.frags`):
/// drivers then give it no others, and generic XDP makes others so.
pub struct XdpFrame<'a> {
    ctx: *mut xdp_md,
    outer: &'a Outer,
}

/// What was taken out of a frame. It is in a map, of whose memory the verifier knows nothing: so it walks the
/// filter once, and not once for frames with a tag and once for those without.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Outer {
    /// The tag's control information, and [`PRESENT`] if there is one.
    tci: u32,
    /// The ethertype of the tag, as it stands in the frame.
    kind: [u8; 2],
    /// Zero.
    reserved: [u8; 2],
}

const PRESENT: u32 = 1 << 16;

/// Both MACs, behind which a tag stands.
type Macs = [u8; 12];

/// Both MACs and a tag.
type Tagged = [u8; 16];

/// Bytes of a tag.
const TAG: i32 = size_of::<Tag>() as i32;

impl<'a> XdpFrame<'a> {
    /// The packet of the running program, and room for what is taken out of it; nothing if the kernel does
    /// not let it be taken out.
    #[inline(always)]
    pub fn new(ctx: *mut xdp_md, outer: &'a mut Outer) -> Option<Self> {
        *outer = Outer {
            tci: 0,
            kind: [0; 2],
            reserved: [0; 2],
        };
        // Behind the tag stands an ethertype at least.
        if let Some(bytes) = whole::<[u8; 18]>(ctx) {
            // SAFETY: the bytes lie between `data` and `data_end`.
            let bytes: [u8; 18] = unsafe { copy(bytes.cast()) };
            let kind = [bytes[12], bytes[13]];
            if is_tag(u16::from_be_bytes(kind)) {
                let tci = u16::from_be_bytes([bytes[14], bytes[15]]);
                outer.tci = u32::from(tci) | PRESENT;
                outer.kind = kind;
                let macs = bytes.first_chunk::<12>()?;
                write(ctx, TAG, macs)?;
            }
        }
        Some(XdpFrame { ctx, outer })
    }

    /// The same packet once more, for the second program.
    #[inline(always)]
    pub fn again(ctx: *mut xdp_md, outer: &'a Outer) -> Self {
        XdpFrame { ctx, outer }
    }

    /// Puts the tag back into the frame, if one was taken out. Nothing if the kernel does not let it.
    #[inline(always)]
    pub fn restore(self) -> Option<()> {
        let Some(tci) = self.vlan() else {
            return Some(());
        };
        // SAFETY: the bytes lie between `data` and `data_end`.
        let macs: Macs = unsafe { copy(whole::<Macs>(self.ctx)?.cast()) };
        let mut bytes: Tagged = [0; 16];
        bytes[..12].copy_from_slice(&macs);
        bytes[12..14].copy_from_slice(&self.outer.kind);
        bytes[14..].copy_from_slice(&tci.to_be_bytes());
        write(self.ctx, -TAG, &bytes)
    }

    /// The interface on which the program runs.
    #[inline(always)]
    pub fn ifindex(&self) -> u32 {
        // SAFETY: the context is valid while the program runs.
        unsafe { (*self.ctx).ingress_ifindex }
    }
}

impl Frame for XdpFrame<'_> {
    const LEAVES_STACK: bool = false;

    #[inline(always)]
    fn len(&self) -> u32 {
        let (data, end) = ends(self.ctx);
        (end - data) as u32
    }

    #[inline(always)]
    fn vlan(&self) -> Option<u16> {
        // SAFETY: it is a reference. Volatile, lest the compiler remember what was written.
        let tci = unsafe { (&raw const self.outer.tci).read_volatile() };
        (tci & PRESENT != 0).then_some(tci as u16)
    }

    #[inline(always)]
    fn read<T: AnyBitPattern>(&self, offset: u32) -> Option<T> {
        if offset > FARTHEST {
            return None;
        }
        let header = within(ends(self.ctx), offset)?;
        // SAFETY: the bytes lie between `data` and `data_end`.
        Some(unsafe { copy(header) })
    }

    #[inline(always)]
    fn capture<const ROOM: usize>(&self, into: &mut [u8; ROOM]) -> u16 {
        let length = room_for::<ROOM>(self.len());
        let room = into.as_mut_ptr().cast();
        // SAFETY: there is room for so many bytes.
        let error = unsafe { bpf_xdp_load_bytes(self.ctx, 0, room, length) };
        if error == 0 { length as u16 } else { 0 }
    }
}

/// Moves the beginning of a packet, and writes these bytes there.
#[inline(always)]
fn write<const N: usize>(ctx: *mut xdp_md, by: i32, bytes: &[u8; N]) -> Option<()> {
    // SAFETY: the context is valid while the program runs.
    if unsafe { bpf_xdp_adjust_head(ctx, by) } != 0 {
        return None;
    }
    let at: *const [u8; N] = whole(ctx)?;
    // SAFETY: the bytes lie between `data` and `data_end`, where an XDP program may write.
    unsafe { at.cast_mut().cast::<[u8; N]>().write_unaligned(*bytes) };
    Some(())
}

/// Where the first bytes of a packet are.
#[inline(always)]
fn whole<T>(ctx: *mut xdp_md) -> Option<*const T> {
    within(ends(ctx), 0)
}

/// Where a packet begins and ends.
#[inline(always)]
fn ends(ctx: *mut xdp_md) -> (usize, usize) {
    // SAFETY: the context is valid while the program runs.
    unsafe { bounds(&raw const (*ctx).data, &raw const (*ctx).data_end) }
}
