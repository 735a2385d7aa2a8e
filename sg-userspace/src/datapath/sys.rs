//! The questions to the kernel that aya has no answer to: what a pinned tcx link is attached to, and which
//! maps are in a map.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use aya_obj::generated::{bpf_attach_type, bpf_cmd, bpf_link_type};
use sg_common::hook::Hook;

/// A tcx link, as the kernel describes it (`tcx_link_fill_info`, `kernel/bpf/tcx.c`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TcxLink {
    /// Its number, which the kernel gives to no other.
    pub id: u32,
    /// The interface, in its own namespace; 0 when the link is attached to nothing any more: its
    /// interface is gone, or somebody has detached it.
    pub ifindex: u32,
    /// The program.
    pub program: u32,
    /// Where; `None` for what is none of our hooks.
    pub hook: Option<Hook>,
}

impl TcxLink {
    /// Asks what the link that is pinned here is attached to.
    ///
    /// # Errors
    ///
    /// What the system says; `InvalidData` for what is not a tcx link.
    pub fn of(pin: &Path) -> io::Result<TcxLink> {
        let link = get(pin)?;
        let mut info = LinkInfo::default();
        let mut attributes = InfoAttributes {
            object: link.as_raw_fd().cast_unsigned(),
            length: size_of::<LinkInfo>() as u32,
            info: &raw mut info as u64,
        };
        bpf(bpf_cmd::BPF_OBJ_GET_INFO_BY_FD, &mut attributes)?;
        if info.kind != bpf_link_type::BPF_LINK_TYPE_TCX as u32 {
            return Err(io::ErrorKind::InvalidData.into());
        }
        const INGRESS: u32 = bpf_attach_type::BPF_TCX_INGRESS as u32;
        const EGRESS: u32 = bpf_attach_type::BPF_TCX_EGRESS as u32;
        Ok(TcxLink {
            id: info.id,
            ifindex: info.ifindex,
            program: info.program,
            hook: match info.attach_type {
                INGRESS => Some(Hook::FromVm),
                EGRESS => Some(Hook::ToVm),
                _ => None,
            },
        })
    }
}

/// The ids of the maps that are in a map of maps, whose keys have this size.
///
/// # Errors
///
/// What the system says.
pub fn inner_maps(outer: BorrowedFd<'_>, key_size: usize) -> io::Result<Vec<u32>> {
    let (mut key, mut next) = (None::<Vec<u8>>, vec![0_u8; key_size]);
    let mut inner = Vec::new();
    loop {
        let from = key.as_ref().map_or(0, |key| key.as_ptr() as u64);
        let mut attributes = ElementAttributes::new(outer, from, next.as_mut_ptr() as u64);
        match bpf(bpf_cmd::BPF_MAP_GET_NEXT_KEY, &mut attributes) {
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => return Ok(inner),
            found => found?,
        };
        let mut id = 0_u32;
        let value = &raw mut id as u64;
        let mut attributes = ElementAttributes::new(outer, next.as_ptr() as u64, value);
        // An empty place of an array has none, and one that is emptied meanwhile neither.
        if bpf(bpf_cmd::BPF_MAP_LOOKUP_ELEM, &mut attributes).is_ok() {
            inner.push(id);
        }
        key = Some(next.clone());
    }
}

/// The start of `struct bpf_link_info`, with the part of tcx; the kernel fills no more than fits.
#[repr(C)]
#[derive(Default)]
struct LinkInfo {
    kind: u32,
    id: u32,
    program: u32,
    padding: u32,
    ifindex: u32,
    attach_type: u32,
}

/// The part of `union bpf_attr` of `BPF_OBJ_GET_INFO_BY_FD`.
#[repr(C)]
struct InfoAttributes {
    object: u32,
    length: u32,
    info: u64,
}

/// The part of `union bpf_attr` of `BPF_MAP_LOOKUP_ELEM` and `BPF_MAP_GET_NEXT_KEY`.
#[repr(C)]
struct ElementAttributes {
    map: u32,
    padding: u32,
    key: u64,
    /// Where the value goes, or the next key.
    value: u64,
    flags: u64,
}

impl ElementAttributes {
    fn new(map: BorrowedFd<'_>, key: u64, value: u64) -> Self {
        Self {
            map: map.as_raw_fd().cast_unsigned(),
            padding: 0,
            key,
            value,
            flags: 0,
        }
    }
}

/// The part of `union bpf_attr` of `BPF_OBJ_GET`.
#[repr(C)]
struct GetAttributes {
    path: u64,
    object: u32,
    flags: u32,
}

fn get(pin: &Path) -> io::Result<OwnedFd> {
    let path = CString::new(pin.as_os_str().as_bytes())?;
    let mut attributes = GetAttributes {
        path: path.as_ptr() as u64,
        object: 0,
        flags: 0,
    };
    let object = bpf(bpf_cmd::BPF_OBJ_GET, &mut attributes)?;
    // SAFETY: the kernel has just given this descriptor to nobody else.
    Ok(unsafe { OwnedFd::from_raw_fd(object) })
}

fn bpf<T>(command: bpf_cmd, attributes: &mut T) -> io::Result<i32> {
    let attributes: *mut T = attributes;
    // SAFETY: the attributes are those of the command, and all they point to outlives the call.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, attributes, size_of::<T>()) };
    match i32::try_from(result) {
        Ok(result) if result >= 0 => Ok(result),
        _ => Err(io::Error::last_os_error()),
    }
}
