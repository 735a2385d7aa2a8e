//! What the datapath asks of the kernel in its own words, because aya's do not say it: what a tcx link is
//! attached to; which programs run at a hook; which map is in a map, many of which are put there at once;
//! types for maps that are made later; and links whose descriptor stays when a pin fails or goes
//! (aya's `FdLink` is lost with a pin that fails, and its filter with it).

use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use aya_obj::generated::{
    BPF_F_BEFORE, XDP_FLAGS_DRV_MODE, XDP_FLAGS_SKB_MODE, bpf_attach_type, bpf_cmd, bpf_link_type,
    bpf_prog_info,
};
use sg_common::hook::Hook;

use super::order::Running;
use super::pins::Way;

/// A link of tcx or XDP, as the kernel describes it (`tcx_link_fill_info` of `kernel/bpf/tcx.c`,
/// `bpf_xdp_link_fill_link_info` of `net/core/dev.c`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// Its number, which the kernel gives to no other.
    pub id: u32,
    /// The interface, in its own namespace; 0 when the link is attached to nothing any more: its
    /// interface is gone, or somebody has detached it.
    pub ifindex: u32,
    /// The program.
    pub program: u32,
    /// Where; `None` for what is none of our hooks.
    pub hook: Option<Hook>,
    /// How.
    pub way: Way,
}

impl Link {
    /// Asks what a link is attached to.
    ///
    /// # Errors
    ///
    /// What the system says; `InvalidData` for what is a link of neither.
    pub fn behind(link: &impl AsFd) -> io::Result<Link> {
        const TCX: u32 = bpf_link_type::BPF_LINK_TYPE_TCX as u32;
        const XDP: u32 = bpf_link_type::BPF_LINK_TYPE_XDP as u32;
        let mut info = LinkInfo::default();
        describe(link, &mut info)?;
        let mut hooks = Hook::ALL.into_iter();
        let (hook, way) = match info.kind {
            TCX => (
                hooks.find(|hook| place(*hook) == info.attach_type),
                Way::Tcx,
            ),
            XDP => (Some(Hook::FromVm), Way::Xdp),
            _ => return Err(io::ErrorKind::InvalidData.into()),
        };
        let LinkInfo {
            id,
            ifindex,
            program,
            ..
        } = info;
        Ok(Link {
            id,
            ifindex,
            program,
            hook,
            way,
        })
    }
}

/// Attaches a program before all others at a hook of an interface. It stays as long as the link has a
/// descriptor or a pin.
pub fn create_link(program: &impl AsFd, ifindex: u32, hook: Hook) -> io::Result<OwnedFd> {
    object(
        bpf_cmd::BPF_LINK_CREATE,
        &mut CreateAttributes {
            program: raw(program),
            ifindex,
            attach_type: place(hook),
            flags: BPF_F_BEFORE,
            ..CreateAttributes::default()
        },
    )
}

/// Attaches a program at XDP of an interface: within its driver, or where every driver gives packets to the
/// network stack. It stays as long as the link has a descriptor or a pin.
pub fn create_xdp_link(program: &impl AsFd, ifindex: u32, native: bool) -> io::Result<OwnedFd> {
    let flags = if native {
        XDP_FLAGS_DRV_MODE
    } else {
        XDP_FLAGS_SKB_MODE
    };
    object(
        bpf_cmd::BPF_LINK_CREATE,
        &mut CreateAttributes {
            program: raw(program),
            ifindex,
            attach_type: bpf_attach_type::BPF_XDP as u32,
            flags,
            ..CreateAttributes::default()
        },
    )
}

/// Waits until every program has ended that was running, and every one that had found its packet's
/// programs (`synchronize_rcu`).
pub fn wait_for_running() -> io::Result<()> {
    const MEMBARRIER_CMD_GLOBAL: libc::c_int = 1;
    // SAFETY: it takes numbers only.
    match unsafe { libc::syscall(libc::SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Puts another program in the place of a link's, at once and in the same place among others.
pub fn update_link(link: &impl AsFd, program: &impl AsFd) -> io::Result<()> {
    let mut attributes = UpdateAttributes {
        link: raw(link),
        program: raw(program),
        ..UpdateAttributes::default()
    };
    bpf(bpf_cmd::BPF_LINK_UPDATE, &mut attributes).map(drop)
}

/// Takes the program of a link off its interface; the link stays, attached to nothing.
pub fn detach_link(link: &impl AsFd) -> io::Result<()> {
    bpf(bpf_cmd::BPF_LINK_DETACH, &mut raw(link)).map(drop)
}

/// Opens what is pinned.
pub fn get(pin: &Path) -> io::Result<OwnedFd> {
    let path = CString::new(pin.as_os_str().as_bytes())?;
    object(
        bpf_cmd::BPF_OBJ_GET,
        &mut PinAttributes {
            path: path.as_ptr() as u64,
            ..PinAttributes::default()
        },
    )
}

/// Pins something.
pub fn pin(what: &impl AsFd, pin: &Path) -> io::Result<()> {
    let path = CString::new(pin.as_os_str().as_bytes())?;
    let mut attributes = PinAttributes {
        path: path.as_ptr() as u64,
        object: raw(what),
        flags: 0,
    };
    bpf(bpf_cmd::BPF_OBJ_PIN, &mut attributes).map(drop)
}

/// What tcx runs at a hook of an interface, in its order. Nothing where the kernel has no tcx.
pub fn tcx_order(ifindex: u32, hook: Hook) -> io::Result<Vec<Running>> {
    // `bpf_mprog_max`, `include/linux/bpf_mprog.h`.
    let (mut programs, mut links) = ([0_u32; 64], [0_u32; 64]);
    let mut attributes = QueryAttributes {
        ifindex,
        attach_type: place(hook),
        programs: programs.as_mut_ptr() as u64,
        count: programs.len() as u32,
        links: links.as_mut_ptr() as u64,
        ..QueryAttributes::default()
    };
    match bpf(bpf_cmd::BPF_PROG_QUERY, &mut attributes) {
        Ok(_) => {
            let running = programs.into_iter().zip(links);
            let way = Way::Tcx;
            let running = running.map(|(program, link)| Running { way, program, link });
            Ok(running.take(attributes.count as usize).collect())
        }
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// The name of a program; `None` if it has ended, or if this process may not ask (CAP_SYS_ADMIN).
pub fn program_name(id: u32) -> Option<String> {
    let mut attributes = IdAttributes {
        id,
        ..IdAttributes::default()
    };
    let program = object(bpf_cmd::BPF_PROG_GET_FD_BY_ID, &mut attributes).ok()?;
    // SAFETY: it is numbers and arrays of numbers.
    let mut info: bpf_prog_info = unsafe { std::mem::zeroed() };
    describe(&program, &mut info).ok()?;
    let name = info.name.iter().map(|byte| byte.cast_unsigned());
    let name: Vec<u8> = name.take_while(|byte| *byte != 0).collect();
    Some(String::from_utf8_lossy(&name).into_owned())
}

/// A hook in tcx's words.
const fn place(hook: Hook) -> u32 {
    match hook {
        Hook::FromVm => bpf_attach_type::BPF_TCX_INGRESS as u32,
        Hook::ToVm => bpf_attach_type::BPF_TCX_EGRESS as u32,
    }
}

/// Gives the kernel types (BTF), for maps to be made with.
pub fn load_types(types: &[u8]) -> io::Result<OwnedFd> {
    object(
        bpf_cmd::BPF_BTF_LOAD,
        &mut TypesAttributes {
            types: types.as_ptr() as u64,
            size: types.len() as u32,
            ..TypesAttributes::default()
        },
    )
}

/// The id of the map in a slot of an array of maps.
///
/// # Errors
///
/// What the system says.
pub fn inner_map(outer: BorrowedFd<'_>, slot: u32) -> io::Result<Option<u32>> {
    let mut id = 0_u32;
    let value = &raw mut id as u64;
    let mut attributes = ElementAttributes::new(outer, &raw const slot as u64, value);
    match bpf(bpf_cmd::BPF_MAP_LOOKUP_ELEM, &mut attributes) {
        Ok(_) => Ok(Some(id)),
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Puts a map into each of these slots of an array of maps. Once for all of them the kernel waits until no
/// program uses what was there before; before Linux 5.19 once for each.
///
/// # Errors
///
/// What the system says; then some may be in place.
pub fn put_in_slots(outer: BorrowedFd<'_>, slots: &[u32], maps: &[RawFd]) -> io::Result<()> {
    /// The kernel's own error for what a map does not do (`include/linux/errno.h`).
    const ENOTSUPP: i32 = 524;

    let mut attributes = BatchAttributes {
        keys: slots.as_ptr() as u64,
        values: maps.as_ptr() as u64,
        count: slots.len().min(maps.len()) as u32,
        map: outer.as_raw_fd().cast_unsigned(),
        ..BatchAttributes::default()
    };
    match bpf(bpf_cmd::BPF_MAP_UPDATE_BATCH, &mut attributes) {
        Err(error) if error.raw_os_error() == Some(ENOTSUPP) => {}
        done => return done.map(drop),
    }
    slots.iter().zip(maps).try_for_each(|(slot, map)| {
        let (slot, map) = (&raw const *slot as u64, &raw const *map as u64);
        let mut attributes = ElementAttributes::new(outer, slot, map);
        bpf(bpf_cmd::BPF_MAP_UPDATE_ELEM, &mut attributes).map(drop)
    })
}

/// Takes the map out of a slot of an array of maps, and waits until no program uses it.
///
/// # Errors
///
/// What the system says; `ENOENT` if there is none.
pub fn clear_slot(outer: BorrowedFd<'_>, slot: u32) -> io::Result<()> {
    let mut attributes = ElementAttributes::new(outer, &raw const slot as u64, 0);
    bpf(bpf_cmd::BPF_MAP_DELETE_ELEM, &mut attributes).map(drop)
}

/// The start of `struct bpf_link_info`, with the part of tcx, whose beginning is that of XDP; the kernel fills
/// no more than fits.
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

/// The part of `union bpf_attr` of `BPF_MAP_LOOKUP_ELEM`, `BPF_MAP_UPDATE_ELEM` and `BPF_MAP_DELETE_ELEM`.
#[repr(C)]
struct ElementAttributes {
    map: u32,
    padding: u32,
    key: u64,
    /// Where the value is, or goes.
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

/// The part of `union bpf_attr` of `BPF_MAP_UPDATE_BATCH`.
#[repr(C)]
#[derive(Default)]
struct BatchAttributes {
    from: u64,
    to: u64,
    keys: u64,
    values: u64,
    count: u32,
    map: u32,
    element_flags: u64,
    flags: u64,
}

/// The part of `union bpf_attr` of `BPF_OBJ_GET` and `BPF_OBJ_PIN`.
#[repr(C)]
#[derive(Default)]
struct PinAttributes {
    path: u64,
    object: u32,
    flags: u32,
}

/// The part of `union bpf_attr` of `BPF_BTF_LOAD`.
#[repr(C)]
#[derive(Default)]
struct TypesAttributes {
    types: u64,
    log: u64,
    size: u32,
    log_size: u32,
    log_level: u32,
    padding: u32,
}

/// The part of `union bpf_attr` of `BPF_PROG_GET_FD_BY_ID`.
#[repr(C)]
#[derive(Default)]
struct IdAttributes {
    id: u32,
    next: u32,
    flags: u32,
}

/// The part of `union bpf_attr` of `BPF_LINK_CREATE`, for tcx and XDP.
#[repr(C)]
#[derive(Default)]
struct CreateAttributes {
    program: u32,
    ifindex: u32,
    attach_type: u32,
    flags: u32,
    relative: u32,
    padding: u32,
    revision: u64,
}

/// The part of `union bpf_attr` of `BPF_LINK_UPDATE`.
#[repr(C)]
#[derive(Default)]
struct UpdateAttributes {
    link: u32,
    program: u32,
    flags: u32,
    old_program: u32,
}

/// The part of `union bpf_attr` of `BPF_PROG_QUERY`, as far as it is used. The kernel writes the revision
/// behind the rest.
#[repr(C)]
#[derive(Default)]
struct QueryAttributes {
    ifindex: u32,
    attach_type: u32,
    flags: u32,
    attach_flags: u32,
    programs: u64,
    count: u32,
    padding: u32,
    program_flags: u64,
    links: u64,
    link_flags: u64,
    revision: u64,
}

fn describe<T>(what: &impl AsFd, info: &mut T) -> io::Result<()> {
    let mut attributes = InfoAttributes {
        object: raw(what),
        length: size_of::<T>() as u32,
        info: &raw mut *info as u64,
    };
    bpf(bpf_cmd::BPF_OBJ_GET_INFO_BY_FD, &mut attributes).map(drop)
}

fn raw(what: &impl AsFd) -> u32 {
    what.as_fd().as_raw_fd().cast_unsigned()
}

/// For the commands that return a descriptor.
fn object<T>(command: bpf_cmd, attributes: &mut T) -> io::Result<OwnedFd> {
    let object = bpf(command, attributes)?;
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
