//! Bytes of frames, addresses, protocol numbers. Headers are byte arrays in network order: no alignment,
//! no bit fields.

pub mod addr;
pub mod arp;
pub mod ethernet;
pub mod frame;
pub mod icmp;
pub mod ip;
pub mod ipv4;
pub mod ipv6;
pub mod llc;
pub mod protocol;
pub mod transport;

/// Declares headers: byte arrays only, so that they have alignment 1 and no padding.
macro_rules! header {
    ($($(#[$meta:meta])* pub struct $name:ident: $size:literal { $($(#[$field_meta:meta])* pub $field:ident: $type:ty,)* })*) => {$(
        $(#[$meta])*
        #[repr(C)]
        #[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
        pub struct $name { $($(#[$field_meta])* pub $field: $type,)* }

        const _: () = assert!(size_of::<$name>() == $size && align_of::<$name>() == 1);
    )*};
}
pub(crate) use header;
