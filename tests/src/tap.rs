//! A tap: the network card of a virtual machine, seen by whoever plays its hypervisor.

use std::fmt;
use std::io::ErrorKind;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use tun_rs::{DeviceBuilder, Layer, SyncDevice};

use crate::mac::Mac;
use crate::netns::Netns;

/// Room for any frame of a tap without segmentation offload.
pub const FRAME: usize = 65_536;

/// A tap with its descriptor. It has no virtio header, so the kernel hands over frames that are
/// checksummed and no longer than the MTU. It is gone when dropped.
pub struct Tap {
    device: SyncDevice,
    name: String,
}

impl Tap {
    /// Creates a tap in a namespace and brings it up. `mac` is the address of the interface
    /// itself, which the kernel uses when a network stack is to live behind it.
    #[must_use]
    pub fn new(netns: &Netns, name: &str, mac: Option<Mac>) -> Self {
        let builder = DeviceBuilder::new().name(name).layer(Layer::L2);
        let builder = match mac {
            Some(mac) => builder.mac_addr(mac.0),
            None => builder,
        };
        let device = netns.run(|| builder.build_sync()).unwrap_or_else(|e| {
            panic!("cannot create the tap {name}: {e} (is /dev/net/tun there?)")
        });
        device
            .set_nonblocking(true)
            .unwrap_or_else(|e| panic!("cannot make the tap {name} non-blocking: {e}"));
        netns.ip(&format!("link set {name} up"));
        Self {
            device,
            name: name.to_owned(),
        }
    }

    /// The name of the interface.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Hands a frame to the kernel, as the virtual machine's card does when the machine sends.
    pub fn send(&self, frame: &[u8]) {
        self.device
            .send(frame)
            .unwrap_or_else(|e| panic!("cannot send through the tap {}: {e}", self.name));
    }

    /// Lets what is written wait for room, as hypervisors do that are written for it: the kernel then takes
    /// another way with each frame (`tun_can_build_skb`, `drivers/net/tun.c`).
    pub fn set_blocking(&self, blocking: bool) {
        let set = self.device.set_nonblocking(!blocking);
        set.unwrap_or_else(|e| panic!("cannot set the tap {}: {e}", self.name));
    }

    /// As [`Tap::send`]; says whether the kernel has taken the frame, which may be of any length.
    #[must_use]
    pub fn offer(&self, frame: &[u8]) -> bool {
        self.device.send(frame).is_ok()
    }

    /// The next frame for the virtual machine, if one comes within `timeout`.
    #[must_use]
    pub fn recv(&self, timeout: Duration) -> Option<Vec<u8>> {
        let deadline = Instant::now() + timeout;
        let mut frame = vec![0; FRAME];
        loop {
            match self.device.recv(&mut frame) {
                Ok(length) => {
                    frame.truncate(length);
                    return Some(frame);
                }
                Err(e) if e.kind() == ErrorKind::WouldBlock => {}
                Err(e) => panic!("cannot receive from the tap {}: {e}", self.name),
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            self.wait(left);
        }
    }

    /// The first frame within `timeout` that `wanted` accepts; all others are thrown away.
    #[must_use]
    pub fn find(&self, timeout: Duration, wanted: impl Fn(&[u8]) -> bool) -> Option<Vec<u8>> {
        let deadline = Instant::now() + timeout;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let frame = self.recv(left)?;
            if wanted(&frame) {
                return Some(frame);
            }
        }
    }

    fn wait(&self, timeout: Duration) {
        // Rounded up: a rest below a millisecond would spin.
        let timeout = u16::try_from(timeout.as_millis() + 1).unwrap_or(u16::MAX);
        let mut fds = [PollFd::new(self.as_fd(), PollFlags::POLLIN)];
        // An interrupted or early wait only makes the caller look once more.
        let _ = poll(&mut fds, PollTimeout::from(timeout));
    }

    /// For the copying thread: never waits.
    pub(crate) fn device(&self) -> &SyncDevice {
        &self.device
    }
}

impl AsFd for Tap {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.device.as_fd()
    }
}

impl fmt::Debug for Tap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tap {}", self.name)
    }
}
