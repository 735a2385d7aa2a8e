//! Entry points of the kernel programs.
#![cfg_attr(target_arch = "bpf", no_std, no_main)]

#[cfg(not(target_arch = "bpf"))]
fn main() {}

#[cfg(target_arch = "bpf")]
mod kernel {
    use aya_ebpf::{macros::{classifier, btf_map}, programs::TcContext, btf_maps::HashMap};
    #[btf_map]
    static PORTS: HashMap<u32, u64, 64> = HashMap::new();
    #[classifier]
    pub fn from_vm(ctx: TcContext) -> i32 {
        let _ = PORTS.insert(&1, &(ctx.len() as u64), 0);
        0
    }
    #[panic_handler]
    fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
        loop {}
    }
    #[unsafe(no_mangle)]
    #[unsafe(link_section = "license")]
    static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
}
