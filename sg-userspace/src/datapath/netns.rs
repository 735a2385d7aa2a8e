//! The network namespace that this process works in.

use std::io;
use std::os::fd::AsRawFd;

use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};

/// Its number, which the kernel gives to no other one until it is started again (Linux 5.14). The inode
/// of a namespace would not do: it is given again as soon as the namespace is gone.
///
/// # Errors
///
/// What the system says.
pub fn cookie() -> io::Result<u64> {
    let kind = (AddressFamily::Unix, SockType::Datagram);
    let any = socket(kind.0, kind.1, SockFlag::SOCK_CLOEXEC, None)?;
    let mut cookie = 0_u64;
    let mut length = size_of::<u64>() as libc::socklen_t;
    // SAFETY: the option's value is a u64, and both pointers are to locals of their sizes.
    let done = unsafe {
        libc::getsockopt(
            any.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_NETNS_COOKIE,
            (&raw mut cookie).cast(),
            &raw mut length,
        )
    };
    match done {
        0 => Ok(cookie),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use nix::sched::{CloneFlags, unshare};

    use super::cookie;

    #[test]
    fn each_namespace_has_a_cookie_of_its_own() {
        let here = cookie().unwrap();
        assert_eq!(cookie().unwrap(), here);
        let elsewhere = thread::spawn(|| {
            unshare(CloneFlags::CLONE_NEWNET).expect("tests of namespaces run as root");
            cookie().unwrap()
        });
        assert_ne!(elsewhere.join().unwrap(), here);
    }
}
