//! The peer: a tc program that does nothing.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::path::Path;

/// `BPF_PROG_LOAD` and `BPF_OBJ_PIN` of `enum bpf_cmd` (`include/uapi/linux/bpf.h`).
const PROG_LOAD: i64 = 5;
const OBJ_PIN: i64 = 6;

/// `BPF_PROG_TYPE_SCHED_CLS`.
const SCHED_CLS: u32 = 3;

/// `TC_ACT_UNSPEC`, as the filter ends for a packet that it accepts: the next program speaks.
const NEXT: i32 = -1;

/// `r0 = code; exit`.
const fn program(code: i32) -> [u64; 2] {
    const MOVE_TO_R0: u64 = 0xb7;
    const EXIT: u64 = 0x95;
    [(code.cast_unsigned() as u64) << 32 | MOVE_TO_R0, EXIT]
}

/// The part of `union bpf_attr` that loading needs; the kernel takes the rest for zero.
#[repr(C)]
struct LoadAttributes {
    kind: u32,
    instructions: u32,
    program: u64,
    license: u64,
}

/// The part of `union bpf_attr` that pinning needs.
#[repr(C)]
struct PinAttributes {
    path: u64,
    program: u32,
    flags: u32,
}

/// Loads the empty program and pins it.
///
/// # Panics
/// If the kernel refuses.
pub fn pin(path: &Path) {
    pin_saying(path, NEXT);
}

/// As [`pin`], for a program that ends with this code for every packet.
///
/// # Panics
/// If the kernel refuses.
pub fn pin_saying(path: &Path, code: i32) {
    let instructions = program(code);
    let license = c"GPL";
    let load = LoadAttributes {
        kind: SCHED_CLS,
        instructions: instructions.len() as u32,
        program: instructions.as_ptr() as u64,
        license: license.as_ptr() as u64,
    };
    let program = bpf(PROG_LOAD, &load).expect("the kernel loads an empty program");
    // SAFETY: the kernel has just given this descriptor to nobody else.
    let program = unsafe { OwnedFd::from_raw_fd(program) };
    let name = CString::new(path.as_os_str().as_encoded_bytes()).expect("no zero byte in a path");
    let pin = PinAttributes {
        path: name.as_ptr() as u64,
        program: program.as_raw_fd().cast_unsigned(),
        flags: 0,
    };
    bpf(OBJ_PIN, &pin).unwrap_or_else(|e| panic!("cannot pin {}: {e}", path.display()));
}

fn bpf<T>(command: i64, attributes: &T) -> io::Result<i32> {
    // SAFETY: the attributes are those of the command, and all they point to outlives the call.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, attributes, size_of::<T>()) };
    match i32::try_from(result) {
        Ok(result) if result >= 0 => Ok(result),
        _ => Err(io::Error::last_os_error()),
    }
}
