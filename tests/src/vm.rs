//! Virtual machines: with a network stack of its own, or played by the test.

use std::fmt;
use std::io::{self, PipeWriter};
use std::net::IpAddr;
use std::ops::Deref;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::inventory::Port;
use crate::netns::Netns;
use crate::node::Node;
use crate::tap::{FRAME, Tap};

/// A virtual machine with a network stack of its own.
///
/// The stack is a namespace whose `eth0` is a tap; a thread copies frames between it and the
/// tap on the compute node, as a hypervisor's emulated network card does. To the node it is a VM:
/// what its stack does shows only as frames.
#[derive(Debug)]
pub struct Vm {
    name: String,
    addresses: Vec<IpAddr>,
    tap: Arc<Tap>,
    // Before the namespace: the cable holds a tap in it.
    _cable: Cable,
    netns: Netns,
}

impl Vm {
    /// Plugs a machine with the port's MAC and addresses (/24 and /64) into the node's bridge.
    #[must_use]
    pub fn new(node: &Node, port: &Port) -> Self {
        let netns = Netns::new(&port.name().to_lowercase());
        // Duplicate address detection would keep every address unusable for a second.
        netns.set("ipv6/conf/all/accept_dad", "0");
        netns.set("ipv6/conf/default/accept_dad", "0");
        let eth0 = Tap::new(&netns, "eth0", Some(port.mac_address()));
        for address in port.addresses() {
            let length = if address.is_ipv4() { 24 } else { 64 };
            netns.ip(&format!("address add {address}/{length} dev eth0"));
        }
        let tap = Arc::new(node.tap(&port.interface()));
        let cable = Cable::new(Arc::clone(&tap), eth0);
        let (name, addresses) = (port.name().to_owned(), port.addresses().to_vec());
        Self {
            name,
            addresses,
            tap,
            _cable: cable,
            netns,
        }
    }

    /// The name of its port.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its network stack.
    #[must_use]
    pub fn netns(&self) -> &Netns {
        &self.netns
    }

    /// Its first IPv4 address.
    #[must_use]
    pub fn v4(&self) -> IpAddr {
        self.address(IpAddr::is_ipv4)
    }

    /// Its first IPv6 address.
    #[must_use]
    pub fn v6(&self) -> IpAddr {
        self.address(IpAddr::is_ipv6)
    }

    /// Sends a frame of any content past the machine's stack, as root in the machine can.
    pub fn send(&self, frame: &[u8]) {
        self.tap.send(frame);
    }

    fn address(&self, family: impl Fn(&IpAddr) -> bool) -> IpAddr {
        *self
            .addresses
            .iter()
            .find(|address| family(address))
            .unwrap_or_else(|| panic!("{} has no address of that family", self.name))
    }
}

/// A virtual machine played by the test: it sends and receives frames, nothing answers by itself.
#[derive(Debug)]
pub struct RawVm {
    tap: Tap,
}

impl RawVm {
    /// Plugs it into the node's bridge, behind the interface of this port.
    #[must_use]
    pub fn new(node: &Node, port: &Port) -> Self {
        Self {
            tap: node.tap(&port.interface()),
        }
    }

    /// Plugs it in behind an interface of this name.
    #[must_use]
    pub fn on(node: &Node, interface: &str) -> Self {
        Self {
            tap: node.tap(interface),
        }
    }
}

impl Deref for RawVm {
    type Target = Tap;

    fn deref(&self) -> &Tap {
        &self.tap
    }
}

/// Copies frames between two taps until dropped.
struct Cable {
    /// Dropped to stop the thread, which sees the pipe hang up.
    stop: Option<PipeWriter>,
    thread: Option<JoinHandle<()>>,
}

impl Cable {
    fn new(a: Arc<Tap>, b: Tap) -> Self {
        let (stopped, stop) = io::pipe().unwrap_or_else(|e| panic!("cannot make a pipe: {e}"));
        let copy = move || {
            let mut buffer = vec![0; FRAME];
            loop {
                let mut fds = [stopped.as_fd(), a.as_fd(), b.as_fd()]
                    .map(|fd| PollFd::new(fd, PollFlags::POLLIN));
                let _ = poll(&mut fds, PollTimeout::NONE);
                let ready = fds.map(|fd| fd.any().unwrap_or(true));
                if ready[0] {
                    return;
                }
                copy_frames(&a, &b, &mut buffer);
                copy_frames(&b, &a, &mut buffer);
            }
        };
        let thread = thread::Builder::new().name("cable".to_owned()).spawn(copy);
        let thread = thread.unwrap_or_else(|e| panic!("cannot start the copying thread: {e}"));
        Self {
            stop: Some(stop),
            thread: Some(thread),
        }
    }
}

/// Copies what is there now, but no more than a burst, so that both directions have their turn.
///
/// A frame that the other side refuses is lost, as on any cable: an interface may be down.
fn copy_frames(from: &Tap, to: &Tap, buffer: &mut [u8]) {
    const BURST: usize = 64;

    for _ in 0..BURST {
        let Ok(length) = from.device().recv(buffer) else {
            return;
        };
        let _ = to.device().send(&buffer[..length]);
    }
}

impl Drop for Cable {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl fmt::Debug for Cable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cable")
    }
}
