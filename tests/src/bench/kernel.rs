//! What the benchmark asks of the kernel beside the filter: programs without an object, a counter, links that
//! programs are swapped behind, and frames that go the whole way (`include/uapi/linux/bpf.h`).

use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::path::Path;

use sg_common::hook::Hook;

/// Of `enum bpf_cmd`.
const MAP_CREATE: i64 = 0;
const MAP_LOOKUP: i64 = 1;
const MAP_UPDATE: i64 = 2;
const PROG_LOAD: i64 = 5;
const OBJ_PIN: i64 = 6;
const PROG_TEST_RUN: i64 = 10;
const PROG_BY_ID: i64 = 13;
const PROG_QUERY: i64 = 16;
const LINK_CREATE: i64 = 28;
const LINK_UPDATE: i64 = 29;
const LINK_BY_ID: i64 = 30;

/// Of `enum bpf_attach_type`.
const XDP: u32 = 37;
const TCX_INGRESS: u32 = 46;

/// Of `enum bpf_prog_type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `BPF_PROG_TYPE_SOCKET_FILTER`.
    SocketFilter = 1,
    /// `BPF_PROG_TYPE_SCHED_CLS`.
    SchedCls = 3,
    /// `BPF_PROG_TYPE_XDP`.
    Xdp = 6,
}

/// A program of the kernel.
#[derive(Debug)]
pub struct Program(OwnedFd);

/// A number in the kernel: the only element of an array.
#[derive(Debug)]
pub struct Counter(OwnedFd);

/// A program's place on an interface; it is off when the last who holds the link is gone.
#[derive(Debug)]
pub struct Link(OwnedFd);

impl Program {
    /// Loads instructions.
    ///
    /// # Panics
    /// If the kernel refuses.
    #[must_use]
    pub fn load(kind: Kind, instructions: &[u64]) -> Self {
        let license = c"GPL";
        let attributes = LoadAttributes {
            kind: kind as u32,
            instructions: instructions.len() as u32,
            program: instructions.as_ptr() as u64,
            license: license.as_ptr() as u64,
        };
        let program = made(PROG_LOAD, &attributes);
        Self(program.unwrap_or_else(|e| panic!("the kernel refuses a {kind:?} program: {e}")))
    }

    /// Pins it.
    ///
    /// # Panics
    /// If the kernel refuses.
    pub fn pin(&self, path: &Path) {
        let name = CString::new(path.as_os_str().as_encoded_bytes());
        let name = name.unwrap_or_else(|_| panic!("a zero byte in {path:?}"));
        let attributes = [name.as_ptr() as u64, u64::from(self.fd())];
        bpf(OBJ_PIN, &attributes).unwrap_or_else(|e| panic!("cannot pin {}: {e}", path.display()));
    }

    /// Runs an XDP program `count` times over a frame, as if it came in at an interface of this thread's
    /// namespace, and lets what passes go its way: `BPF_F_TEST_XDP_LIVE_FRAMES`. All of that way is within the
    /// call, as long as softirqs are not left to ksoftirqd.
    ///
    /// # Panics
    /// If the kernel refuses.
    pub fn let_in(&self, ifindex: u32, frame: &[u8], count: u32) {
        const LIVE_FRAMES: u32 = 1 << 1;
        // `struct xdp_md`: data, data_end, data_meta, ingress_ifindex, rx_queue_index, egress_ifindex.
        let context = [0, frame.len() as u32, 0, ifindex, 0, 0];
        let attributes = RunAttributes {
            program: self.fd(),
            data_size: frame.len() as u32,
            data: frame.as_ptr() as u64,
            repeat: count,
            context_size: size_of_val(&context) as u32,
            context: context.as_ptr() as u64,
            flags: LIVE_FRAMES,
            ..RunAttributes::default()
        };
        // A signal ends the run early, and the count of what came out tells.
        match bpf(PROG_TEST_RUN, &attributes) {
            Err(e) if e.raw_os_error() != Some(libc::EINTR) => {
                panic!("the kernel lets no frames in at interface {ifindex}: {e}")
            }
            _ => {}
        }
    }

    fn fd(&self) -> u32 {
        self.0.as_raw_fd().cast_unsigned()
    }
}

impl Counter {
    /// At 0.
    ///
    /// # Panics
    /// If the kernel refuses.
    #[must_use]
    pub fn new() -> Self {
        const ARRAY: u32 = 2;
        let attributes = [ARRAY, 4, 8, 1, 0];
        Self(made(MAP_CREATE, &attributes).unwrap_or_else(|e| panic!("cannot create a map: {e}")))
    }

    /// Its descriptor, to be named in a program.
    #[must_use]
    pub fn fd(&self) -> i32 {
        self.0.as_raw_fd()
    }

    /// Reads it.
    ///
    /// # Panics
    /// If the kernel refuses.
    #[must_use]
    pub fn get(&self) -> u64 {
        let mut value = 0_u64;
        self.element(MAP_LOOKUP, &raw mut value as u64);
        value
    }

    /// Sets it.
    ///
    /// # Panics
    /// If the kernel refuses.
    pub fn set(&self, value: u64) {
        self.element(MAP_UPDATE, &raw const value as u64);
    }

    fn element(&self, command: i64, value: u64) {
        let key = 0_u32;
        let map = u64::from(self.fd().cast_unsigned());
        bpf(command, &[map, &raw const key as u64, value, 0])
            .unwrap_or_else(|e| panic!("cannot reach a counter: {e}"));
    }
}

impl Default for Counter {
    fn default() -> Self {
        Self::new()
    }
}

impl Link {
    /// Attaches a tc program by tcx, behind those that are there, to an interface of this thread's namespace.
    ///
    /// # Panics
    /// If the kernel refuses.
    #[must_use]
    pub fn tcx(program: &Program, ifindex: u32, hook: Hook) -> Self {
        Self::new(program, ifindex, tcx(hook))
    }

    /// Attaches an XDP program.
    ///
    /// # Panics
    /// If the kernel refuses.
    #[must_use]
    pub fn xdp(program: &Program, ifindex: u32) -> Self {
        Self::new(program, ifindex, XDP)
    }

    fn new(program: &Program, ifindex: u32, place: u32) -> Self {
        let link = made(LINK_CREATE, &[program.fd(), ifindex, place, 0]);
        Self(link.unwrap_or_else(|e| panic!("cannot attach to interface {ifindex}: {e}")))
    }

    /// The link of tcx at a hook of an interface of this thread's namespace, and its program, if there is one.
    ///
    /// # Panics
    /// If there are several.
    #[must_use]
    pub fn of(ifindex: u32, hook: Hook) -> Option<(Self, Program)> {
        let (mut programs, mut links) = ([0_u32; 8], [0_u32; 8]);
        let mut attributes = QueryAttributes {
            ifindex,
            place: tcx(hook),
            programs: programs.as_mut_ptr() as u64,
            count: programs.len() as u32,
            links: links.as_mut_ptr() as u64,
            ..QueryAttributes::default()
        };
        match ask(PROG_QUERY, &mut attributes) {
            Err(e) if e.raw_os_error() == Some(libc::ENOENT) => return None,
            asked => asked.unwrap_or_else(|e| panic!("cannot ask for programs of {ifindex}: {e}")),
        };
        let count = attributes.count;
        assert!(count <= 1, "{count} programs at {hook:?} of {ifindex}");
        let open = |command, id: u32| {
            made(command, &[id]).unwrap_or_else(|e| panic!("cannot open what has id {id}: {e}"))
        };
        (count == 1).then(|| {
            let program = Program(open(PROG_BY_ID, programs[0]));
            (Self(open(LINK_BY_ID, links[0])), program)
        })
    }

    /// Puts another program in its place, atomically.
    ///
    /// # Panics
    /// If the kernel refuses.
    pub fn put(&self, program: &Program) {
        let link = self.0.as_raw_fd().cast_unsigned();
        bpf(LINK_UPDATE, &[link, program.fd(), 0, 0])
            .unwrap_or_else(|e| panic!("a link does not take a program: {e}"));
    }
}

/// Lets a socket filter decide what of a tap's queue its reader gets (`TUNSETFILTEREBPF`): 0 bytes are nothing.
///
/// # Panics
/// If the kernel refuses.
pub fn filter_queue(tap: BorrowedFd<'_>, program: &Program) {
    const TUNSETFILTEREBPF: u64 = 0x8004_54e1;
    let fd = program.0.as_raw_fd();
    // SAFETY: the kernel reads one int, which outlives the call.
    let result = unsafe { libc::ioctl(tap.as_raw_fd(), TUNSETFILTEREBPF, &raw const fd) };
    let error = io::Error::last_os_error();
    assert_eq!(result, 0, "a tap takes no filter: {error}");
}

fn tcx(hook: Hook) -> u32 {
    match hook {
        Hook::FromVm => TCX_INGRESS,
        Hook::ToVm => TCX_INGRESS + 1,
    }
}

/// The part of `union bpf_attr` that loading needs; the kernel takes the rest for zero.
#[repr(C)]
struct LoadAttributes {
    kind: u32,
    instructions: u32,
    program: u64,
    license: u64,
}

/// The part of it that running needs.
#[repr(C)]
#[derive(Default)]
struct RunAttributes {
    program: u32,
    result: u32,
    data_size: u32,
    data_size_out: u32,
    data: u64,
    data_out: u64,
    repeat: u32,
    duration: u32,
    context_size: u32,
    context_size_out: u32,
    context: u64,
    context_out: u64,
    flags: u32,
    cpu: u32,
    batch: u32,
    padding: u32,
}

/// The part of it that asking for programs needs.
#[repr(C)]
#[derive(Default)]
struct QueryAttributes {
    ifindex: u32,
    place: u32,
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

/// A command that makes a descriptor.
fn made<T>(command: i64, attributes: &T) -> io::Result<OwnedFd> {
    // SAFETY: the kernel has just given this descriptor to nobody else.
    bpf(command, attributes).map(|fd| unsafe { OwnedFd::from_raw_fd(fd) })
}

fn bpf<T>(command: i64, attributes: &T) -> io::Result<i32> {
    // SAFETY: the attributes are those of the command, which only reads them, and all they point to outlives
    // the call.
    result(unsafe { libc::syscall(libc::SYS_bpf, command, attributes, size_of::<T>()) })
}

/// A command that writes its answer into its attributes.
fn ask<T>(command: i64, attributes: &mut T) -> io::Result<i32> {
    // SAFETY: as for `bpf`; what is written into is borrowed for it.
    result(unsafe { libc::syscall(libc::SYS_bpf, command, attributes, size_of::<T>()) })
}

fn result(result: i64) -> io::Result<i32> {
    match i32::try_from(result) {
        Ok(result) if result >= 0 => Ok(result),
        _ => Err(io::Error::last_os_error()),
    }
}
