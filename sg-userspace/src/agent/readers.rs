//! Who reads the frames of an interface before the filter, and what that is worth.
//!
//! The kernel hands a received frame to packet sockets for all protocols first, then to tc, then to
//! the bridge or to Open vSwitch's datapath in the kernel (`__netif_receive_skb_core` of
//! `net/core/dev.c`). So tcpdump sees frames that then fall, which harms nobody; but a switch that
//! takes its frames from such a socket, as Open vSwitch with `datapath_type=netdev` does, forwards
//! what the filter drops.

use std::fmt;

use super::{Trouble, Troubles, trouble::EVERY_INTERFACE};
use crate::netlink::Link;

/// A packet socket for all protocols.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reader {
    /// The interface it is bound to; `None` for all.
    pub ifindex: Option<u32>,
    /// Its inode, by which `/proc/PID/fd` names it.
    pub inode: u64,
    /// Who has it, if that could be found out.
    pub process: Option<Process>,
}

/// A process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Its number.
    pub pid: i32,
    /// The name of its program, as `ps` shows it: 15 bytes of it.
    pub name: String,
}

/// Programs that forward what they read, also where a bridge does too.
const SWITCHES: [&str; 1] = ["ovs-vswitchd"];

impl Reader {
    /// Whether it reads an interface.
    pub fn reads(&self, ifindex: u32) -> bool {
        self.ifindex.is_none_or(|bound| bound == ifindex)
    }

    /// Whether it is to be taken for what carries the frames of this interface on.
    ///
    /// A socket does not show what is done with what it reads, so this asks who else could carry the
    /// frames. The port of a bridge, or of a datapath in the kernel, hands them to its master after
    /// tc: a reader beside it that forwarded too would deliver every permitted frame twice, which
    /// nobody builds, so it is a capture. An interface without a master hands its frames to nobody
    /// but the host itself: then whoever reads them may well be the switch, and is taken for one. A
    /// capture on such a tap is so suspected wrongly as long as it lasts, which is the safe side.
    pub fn carries(&self, link: &Link) -> bool {
        let is_switch = |process: &Process| SWITCHES.contains(&process.name.as_str());
        let switches = self.ifindex.is_some() && self.process.as_ref().is_some_and(is_switch);
        self.reads(link.ifindex) && (link.master.is_none() || switches)
    }
}

impl fmt::Display for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.process {
            // A process calls itself what it likes.
            Some(Process { pid, name }) => write!(f, "{} (pid {pid})", name.escape_debug()),
            None => write!(f, "an unknown process (socket {})", self.inode),
        }
    }
}

/// What readers mean to filtered interfaces.
pub fn troubles<'a>(readers: &[Reader], links: impl Iterator<Item = &'a Link>) -> Troubles {
    let mut troubles = Troubles::default();
    for link in links {
        for reader in readers.iter().filter(|reader| reader.reads(link.ifindex)) {
            let name = reader.to_string();
            match reader.carries(link) {
                true => troubles.insert(link.ifindex, Trouble::Bypassed { reader: name }),
                false => {
                    let at = reader.ifindex.unwrap_or(EVERY_INTERFACE);
                    troubles.insert(at, Trouble::Captured { reader: name });
                }
            }
        }
    }
    troubles
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reader(ifindex: Option<u32>, name: &str) -> Reader {
        let process = Process {
            pid: 1,
            name: name.into(),
        };
        Reader {
            ifindex,
            inode: 5,
            process: Some(process),
        }
    }

    fn tap(master: Option<u32>) -> Link {
        Link {
            ifindex: 7,
            name: "tap0".into(),
            master,
        }
    }

    #[test]
    fn a_reader_of_a_tap_in_no_bridge_is_taken_for_its_switch_whoever_it_is() {
        let nobody = Reader {
            process: None,
            ..reader(Some(7), "")
        };
        for reader in [nobody, reader(Some(7), "ovs-vswitchd"), reader(None, "vpp")] {
            assert!(reader.carries(&tap(None)), "{reader}");
        }
        assert!(!reader(Some(8), "ovs-vswitchd").carries(&tap(None)));
    }

    #[test]
    fn beside_a_bridge_only_a_known_switch_forwards() {
        assert!(!reader(Some(7), "tcpdump").carries(&tap(Some(3))));
        assert!(!reader(None, "tcpdump").carries(&tap(Some(3))));
        assert!(reader(Some(7), "ovs-vswitchd").carries(&tap(Some(3))));
        assert!(!reader(Some(8), "ovs-vswitchd").carries(&tap(Some(3))));
    }
}
