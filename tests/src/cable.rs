//! What copies frames between the tap of a machine and its network stacks.

use std::fmt;
use std::io::{self, PipeWriter};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::packet::DOT1Q;
use crate::tap::{FRAME, Tap};

/// Copies frames between a tap and others until dropped.
pub(crate) struct Cable {
    /// Dropped to stop the thread, which sees the pipe hang up.
    stop: Option<PipeWriter>,
    thread: Option<JoinHandle<()>>,
}

impl Cable {
    /// Each end has the frames of a VLAN, without their tags, or those that have no tag.
    pub fn new(trunk: Arc<Tap>, ends: Vec<(Option<u16>, Tap)>) -> Self {
        let (stopped, stop) = io::pipe().unwrap_or_else(|e| panic!("cannot make a pipe: {e}"));
        let copy = move || {
            let mut buffer = vec![0; FRAME];
            loop {
                let taps = ends.iter().map(|(_, end)| end.as_fd());
                let fds = [stopped.as_fd(), trunk.as_fd()].into_iter().chain(taps);
                let mut fds: Vec<_> = fds.map(|fd| PollFd::new(fd, PollFlags::POLLIN)).collect();
                let _ = poll(&mut fds, PollTimeout::NONE);
                if fds[0].any().unwrap_or(true) {
                    return;
                }
                deliver(&trunk, &ends, &mut buffer);
                for (vlan, end) in &ends {
                    collect(end, *vlan, &trunk, &mut buffer);
                }
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

/// How many frames are copied at once, so that every direction has its turn.
const BURST: usize = 64;
/// Where a tag is, and the end of it.
const TAG: (usize, usize) = (12, 16);

/// Gives what is there now to the ends.
///
/// A frame that the other side refuses is lost, as on any cable: an interface may be down.
fn deliver(trunk: &Tap, ends: &[(Option<u16>, Tap)], buffer: &mut [u8]) {
    for _ in 0..BURST {
        let Ok(length) = trunk.device().recv(buffer) else {
            return;
        };
        let frame = &buffer[..length];
        let of = vlan(frame);
        if let Some((_, end)) = ends.iter().find(|(vlan, _)| *vlan == of) {
            let _ = match of {
                Some(_) => end
                    .device()
                    .send(&[&frame[..TAG.0], &frame[TAG.1..]].concat()),
                None => end.device().send(frame),
            };
        }
    }
}

/// Gives what is there now at an end to the trunk.
fn collect(end: &Tap, vlan: Option<u16>, trunk: &Tap, buffer: &mut [u8]) {
    for _ in 0..BURST {
        let Ok(length) = end.device().recv(buffer) else {
            return;
        };
        let frame = &buffer[..length];
        let _ = match vlan {
            Some(vlan) => {
                let tag = [DOT1Q.to_be_bytes(), vlan.to_be_bytes()].concat();
                let tagged = [&frame[..TAG.0], &tag, &frame[TAG.0..]].concat();
                trunk.device().send(&tagged)
            }
            None => trunk.device().send(frame),
        };
    }
}

/// The VLAN of a frame's tag.
fn vlan(frame: &[u8]) -> Option<u16> {
    let tag = frame.get(TAG.0..TAG.1)?;
    (tag[..2] == DOT1Q.to_be_bytes()).then(|| u16::from_be_bytes([tag[2], tag[3]]) & 0x0fff)
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
