//! A packet socket: what tcpdump and switches in user space read frames by.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, socket};

use crate::netns::Netns;
use crate::tap::FRAME;

/// A packet socket for all protocols, of this process. It reads until it is dropped.
#[derive(Debug)]
pub struct Capture {
    socket: OwnedFd,
}

impl Capture {
    /// Of all interfaces of a namespace.
    ///
    /// # Panics
    /// If the kernel refuses.
    #[must_use]
    pub fn all(netns: &Netns) -> Self {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let open = || {
            socket(
                AddressFamily::Packet,
                SockType::Raw,
                flags,
                SockProtocol::EthAll,
            )
        };
        let socket = netns.run(open);
        let socket = socket.unwrap_or_else(|e| panic!("cannot open a packet socket: {e}"));
        Self { socket }
    }

    /// Of one interface.
    ///
    /// # Panics
    /// If the kernel refuses.
    #[must_use]
    pub fn of(netns: &Netns, interface: &str) -> Self {
        let capture = Self::all(netns);
        bind(&capture.socket, netns.ifindex(interface))
            .unwrap_or_else(|e| panic!("cannot read {interface}: {e}"));
        capture
    }

    /// Whether it sees a frame within `timeout`.
    #[must_use]
    pub fn sees(&self, timeout: Duration, frame: &[u8]) -> bool {
        let deadline = Instant::now() + timeout;
        let mut seen = vec![0; FRAME];
        loop {
            while let Ok(length) = recv(self.socket.as_raw_fd(), &mut seen, MsgFlags::empty()) {
                if seen[..length] == *frame {
                    return true;
                }
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            let left = u16::try_from(left.as_millis() + 1).unwrap_or(u16::MAX);
            let mut fds = [PollFd::new(self.socket.as_fd(), PollFlags::POLLIN)];
            let _ = poll(&mut fds, PollTimeout::from(left));
        }
    }
}

fn bind(socket: &OwnedFd, ifindex: u32) -> io::Result<()> {
    let address = libc::sockaddr_ll {
        sll_family: libc::AF_PACKET as u16,
        sll_protocol: (libc::ETH_P_ALL as u16).to_be(),
        sll_ifindex: ifindex.cast_signed(),
        sll_hatype: 0,
        sll_pkttype: 0,
        sll_halen: 0,
        sll_addr: [0; 8],
    };
    let length = size_of_val(&address) as libc::socklen_t;
    // SAFETY: the address is of this length, and lives through the call.
    match unsafe { libc::bind(socket.as_raw_fd(), (&raw const address).cast(), length) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
