//! The kernel programs: entry points only. The filter is in `sg-common`; this crate gives it packets and
//! tables.
//!
//! For the host this is an empty program, so that the whole workspace builds there.
#![cfg_attr(target_arch = "bpf", no_std, no_main)]
#![cfg_attr(target_arch = "bpf", feature(asm_experimental_arch, core_intrinsics))]
#![cfg_attr(
    target_arch = "bpf",
    expect(
        internal_features,
        reason = "a compare-and-swap has no other name on this target"
    )
)]

#[cfg(not(target_arch = "bpf"))]
fn main() {}

#[cfg(target_arch = "bpf")]
mod accounts;
#[cfg(target_arch = "bpf")]
mod events;
#[cfg(target_arch = "bpf")]
mod flows;
#[cfg(target_arch = "bpf")]
mod frame;
#[cfg(target_arch = "bpf")]
mod hits;
#[cfg(target_arch = "bpf")]
mod log;
#[cfg(target_arch = "bpf")]
mod maps;
#[cfg(target_arch = "bpf")]
mod pairs;
#[cfg(target_arch = "bpf")]
mod share;
#[cfg(target_arch = "bpf")]
mod sweep;
#[cfg(target_arch = "bpf")]
mod tables;

#[cfg(target_arch = "bpf")]
mod programs {
    use aya_ebpf::bindings::xdp_action::{XDP_DROP, XDP_PASS};
    use aya_ebpf::bindings::{TC_ACT_SHOT, TC_ACT_UNSPEC};
    use aya_ebpf::helpers::bpf_skb_load_bytes;
    use aya_ebpf::macros::{classifier, xdp};
    use aya_ebpf::programs::{TcContext, XdpContext};
    use bytemuck::AnyBitPattern;
    use sg_common::filter;
    use sg_common::guard;
    use sg_common::hook::Hook;
    use sg_common::layout::sweep::{Adoption, adopted};
    use sg_common::reason::Verdict;
    use sg_common::scratch::Run;

    use crate::frame::{Outer, TcFrame, XdpFrame};
    use crate::tables::KernelTables;
    use crate::{flows, maps, sweep};

    /// tc ingress of a tap: what the VM sends.
    #[classifier]
    pub fn from_vm(ctx: TcContext) -> i32 {
        short(Hook::FromVm, ctx)
    }

    /// tc egress of a tap: what the VM is to receive.
    #[classifier]
    pub fn to_vm(ctx: TcContext) -> i32 {
        short(Hook::ToVm, ctx)
    }

    /// The rest of the filter, for what the VM sends.
    #[classifier]
    pub fn whole_from_vm(ctx: TcContext) -> i32 {
        whole(Hook::FromVm, ctx)
    }

    /// The rest of the filter, for what the VM is to receive.
    #[classifier]
    pub fn whole_to_vm(ctx: TcContext) -> i32 {
        whole(Hook::ToVm, ctx)
    }

    /// The filter of what the VM sends at XDP of its tap, before tc and before packet sockets.
    #[xdp]
    pub fn from_vm_xdp(ctx: XdpContext) -> u32 {
        xdp_code(short_xdp(&ctx))
    }

    /// The rest of it.
    #[xdp]
    pub fn whole_from_vm_xdp(ctx: XdpContext) -> u32 {
        xdp_code(whole_xdp(&ctx))
    }

    /// What needs no memory to be refused, of what the VM sends, at XDP: the rest goes on to tc.
    #[xdp]
    pub fn guard(ctx: XdpContext) -> u32 {
        xdp_code(guard_xdp(&ctx))
    }

    /// As `closed`, at XDP.
    #[xdp]
    pub fn closed_xdp(_: XdpContext) -> u32 {
        XDP_DROP
    }

    /// Drops everything, on either hook: for the moment in which the filter changes its place.
    #[classifier]
    pub fn closed(_: TcContext) -> i32 {
        TC_ACT_SHOT
    }

    /// One step of the sweep, for a daemon on a kernel that lets no program have a timer. Returns the
    /// milliseconds until the next.
    #[classifier]
    pub fn sweep_step(_: TcContext) -> i32 {
        (sweep::step() / 1_000_000) as i32
    }

    /// Starts the timer that sweeps, or gives it this object's program. 0, or the kernel's error.
    #[classifier]
    pub fn sweep_start(_: TcContext) -> i32 {
        sweep::start()
    }

    /// Stores the connection in its packet, an [`Adoption`], as if the filter had created or promoted it.
    /// Returns one of [`adopted`].
    #[classifier]
    pub fn adopt(ctx: TcContext) -> i32 {
        let Some(Adoption { key, flow, .. }) = given(&ctx) else {
            return adopted::NO_ROOM as i32;
        };
        flows::adopt(key, flow) as i32
    }

    /// Removes the connection whose key is in its packet, an [`Adoption`], from those that are not
    /// assured. Returns 1 if it was there.
    #[classifier]
    pub fn dismiss(ctx: TcContext) -> i32 {
        given(&ctx).is_some_and(|Adoption { key, .. }| flows::dismiss(key)) as i32
    }

    /// The connection in a packet. It has room of its own, not that of the filter: the loader runs these
    /// programs with `BPF_PROG_TEST_RUN`, which before Linux 6.11 leaves bottom halves on
    /// (`net/bpf/test_run.c`), so that packets are judged in between.
    #[inline(always)]
    fn given(ctx: &TcContext) -> Option<&'static Adoption> {
        let adoption = maps::ADOPTION.get_ptr_mut(0)?;
        // SAFETY: the loader runs one of these programs at a time, and no other uses the element.
        let adoption = unsafe { &mut *adoption };
        read(ctx, adoption).then_some(adoption)
    }

    /// Reads a packet into its place: there is no room on the stack.
    #[inline(always)]
    fn read<T: AnyBitPattern>(ctx: &TcContext, into: &mut T) -> bool {
        let (skb, size) = (ctx.skb.skb.cast(), size_of::<T>() as u32);
        // SAFETY: `into` has so many bytes, and any bytes are a `T`.
        let error = unsafe { bpf_skb_load_bytes(skb, 0, (&raw mut *into).cast(), size) };
        error == 0
    }

    #[inline(always)]
    fn short(hook: Hook, ctx: TcContext) -> i32 {
        let frame = TcFrame::new(&ctx);
        let Some(run) = room() else {
            return TC_ACT_SHOT;
        };
        match filter::short::<_, _, true>(hook, frame.ifindex(), &frame, &KernelTables, run) {
            Some(verdict) => code(&verdict),
            None => {
                // SAFETY: the context is the running program's. It comes back only if there is no second one.
                let _ = unsafe { maps::WHOLE.tail_call(&ctx, hook as u32) };
                TC_ACT_SHOT
            }
        }
    }

    #[inline(always)]
    fn whole(hook: Hook, ctx: TcContext) -> i32 {
        let frame = TcFrame::new(&ctx);
        match room() {
            Some(run) => code(&filter::whole(hook, &frame, &KernelTables, run)),
            None => TC_ACT_SHOT,
        }
    }

    /// `UNSPEC` lets the next program on the interface speak; the last one's lets the packet pass.
    #[inline(always)]
    fn code(verdict: &Verdict) -> i32 {
        match verdict {
            Ok(_) => TC_ACT_UNSPEC,
            Err(_) => TC_ACT_SHOT,
        }
    }

    /// Whether a packet may pass, which it then can.
    #[inline(always)]
    fn short_xdp(ctx: &XdpContext) -> Option<()> {
        let (run, outer) = (room()?, outer()?);
        let frame = XdpFrame::new(ctx.ctx, outer)?;
        let (hook, ifindex) = (Hook::FromVm, frame.ifindex());
        match filter::short::<_, _, true>(hook, ifindex, &frame, &KernelTables, run) {
            Some(verdict) => verdict.ok().and_then(|_| frame.restore()),
            None => {
                // SAFETY: as for tc.
                let _ = unsafe { maps::WHOLE_XDP.tail_call(ctx, 0) };
                None
            }
        }
    }

    #[inline(always)]
    fn whole_xdp(ctx: &XdpContext) -> Option<()> {
        let (run, outer) = (room()?, outer()?);
        let frame = XdpFrame::again(ctx.ctx, outer);
        let verdict = filter::whole(Hook::FromVm, &frame, &KernelTables, run);
        verdict.ok().and_then(|_| frame.restore())
    }

    #[inline(always)]
    fn guard_xdp(ctx: &XdpContext) -> Option<()> {
        let (run, outer) = (room()?, outer()?);
        let frame = XdpFrame::new(ctx.ctx, outer)?;
        let judged = guard::guard(frame.ifindex(), &frame, &KernelTables, run);
        judged.ok().and_then(|()| frame.restore())
    }

    #[inline(always)]
    fn xdp_code(passes: Option<()>) -> u32 {
        match passes {
            Some(()) => XDP_PASS,
            None => XDP_DROP,
        }
    }

    /// Room for one run of the filter.
    #[inline(always)]
    fn room() -> Option<&'static mut Run> {
        let run = maps::SCRATCH.get_ptr_mut(0)?;
        // SAFETY: the element is this CPU's, and a program at tc or at XDP runs with bottom halves off
        // (`tun_build_skb`, `tun_sendmsg` and `do_xdp_generic` for a tap): no other one interrupts it.
        Some(unsafe { &mut *run })
    }

    /// Room for the outermost tag of a packet at XDP.
    #[inline(always)]
    fn outer() -> Option<&'static mut Outer> {
        let outer = maps::OUTER.get_ptr_mut(0)?;
        // SAFETY: as in `room`.
        Some(unsafe { &mut *outer })
    }

    #[panic_handler]
    fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
        // Unreachable: the verifier proves that no program panics.
        loop {}
    }

    #[unsafe(no_mangle)]
    #[unsafe(link_section = "license")]
    static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
}
