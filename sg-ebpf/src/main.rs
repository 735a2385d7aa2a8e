//! The kernel programs: entry points only. The filter is in `sg-common`; this crate gives it packets and
//! tables.
//!
//! For the host this is an empty program, so that the whole workspace builds there.
#![cfg_attr(target_arch = "bpf", no_std, no_main)]
#![cfg_attr(target_arch = "bpf", feature(core_intrinsics))]
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
mod frame;
#[cfg(target_arch = "bpf")]
mod log;
#[cfg(target_arch = "bpf")]
mod maps;
#[cfg(target_arch = "bpf")]
mod tables;

#[cfg(target_arch = "bpf")]
mod programs {
    use aya_ebpf::bindings::{TC_ACT_SHOT, TC_ACT_UNSPEC};
    use aya_ebpf::macros::classifier;
    use aya_ebpf::programs::TcContext;
    use sg_common::filter::filter;
    use sg_common::hook::Hook;

    use crate::frame::TcFrame;
    use crate::maps;
    use crate::tables::KernelTables;

    /// tc ingress of a tap: what the VM sends.
    #[classifier]
    pub fn from_vm(ctx: TcContext) -> i32 {
        judge(Hook::FromVm, ctx)
    }

    /// tc egress of a tap: what the VM is to receive.
    #[classifier]
    pub fn to_vm(ctx: TcContext) -> i32 {
        judge(Hook::ToVm, ctx)
    }

    /// The only place where a verdict becomes a code of the kernel. `UNSPEC` lets the next program on
    /// the interface speak; the last one's lets the packet pass.
    #[inline(always)]
    fn judge(hook: Hook, ctx: TcContext) -> i32 {
        let frame = TcFrame::new(&ctx);
        let Some(scratch) = maps::SCRATCH.get_ptr_mut(0) else {
            return TC_ACT_SHOT;
        };
        // SAFETY: the element is this CPU's, and a program at tc runs with bottom halves off: no other
        // one interrupts it.
        let scratch = unsafe { &mut *scratch };
        match filter(hook, frame.ifindex(), &frame, &KernelTables, scratch) {
            Ok(_) => TC_ACT_UNSPEC,
            Err(_) => TC_ACT_SHOT,
        }
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
