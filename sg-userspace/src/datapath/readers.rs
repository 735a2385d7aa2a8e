//! The packet sockets of this namespace, and who has them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use procfs::process::{self, FDTarget};

use super::error::{Error, Result};
use crate::agent::{Process, Reader};

/// The sockets of the network namespace of the thread that reads it.
const SOCKETS: &str = "/proc/thread-self/net/packet";
/// Where it is missing if the kernel has no packet sockets.
const NET: &str = "/proc/thread-self/net";

/// Owners of sockets that were looked for. It takes a walk through all processes, so it is done once
/// for each socket.
#[derive(Debug, Default)]
pub struct Owners(BTreeMap<u64, Option<Process>>);

impl Owners {
    /// Every packet socket for all protocols.
    ///
    /// # Errors
    ///
    /// [`Error::Sockets`] if the kernel does not list them. One without packet sockets has none.
    pub fn readers(&mut self) -> Result<Vec<Reader>> {
        let text = match fs::read_to_string(SOCKETS) {
            Err(error) if error.kind() == ErrorKind::NotFound && Path::new(NET).exists() => {
                String::new()
            }
            read => read.map_err(Error::Sockets)?,
        };
        let mut readers: Vec<_> = text.lines().filter_map(reader).collect();
        let inodes: BTreeSet<_> = readers.iter().map(|reader| reader.inode).collect();
        self.0.retain(|inode, _| inodes.contains(inode));
        let new: BTreeSet<_> = inodes
            .into_iter()
            .filter(|inode| !self.0.contains_key(inode))
            .collect();
        self.0.extend(new.iter().map(|inode| (*inode, None)));
        if !new.is_empty() {
            self.look_for(new);
        }
        for reader in &mut readers {
            reader.process = self.0.get(&reader.inode).cloned().flatten();
        }
        Ok(readers)
    }

    /// Finds what can be found: processes come and go, and those of other PID namespaces are not seen.
    fn look_for(&mut self, mut sockets: BTreeSet<u64>) {
        for process in process::all_processes().into_iter().flatten().flatten() {
            let Ok(descriptors) = process.fd() else {
                continue;
            };
            for descriptor in descriptors.flatten() {
                let FDTarget::Socket(inode) = descriptor.target else {
                    continue;
                };
                if sockets.remove(&inode) {
                    let name = process.stat().map(|stat| stat.comm).unwrap_or_default();
                    let pid = process.pid();
                    self.0.insert(inode, Some(Process { pid, name }));
                }
            }
            if sockets.is_empty() {
                return;
            }
        }
    }
}

/// The reader of a line, as `packet_seq_show` of `net/packet/af_packet.c` writes it: socket,
/// references, type, protocol in hexadecimal, interface, whether it runs, memory, user, inode. Any
/// other protocol than all of them is served after tc, and the interface of a socket whose interface
/// has gone is -1.
fn reader(line: &str) -> Option<Reader> {
    let words: Vec<_> = line.split_ascii_whitespace().collect();
    let [_, _, _, protocol, ifindex, _, _, _, inode] = words[..] else {
        return None;
    };
    if u16::from_str_radix(protocol, 16) != Ok(libc::ETH_P_ALL as u16) {
        return None;
    }
    let ifindex: u32 = ifindex.parse().ok()?;
    Some(Reader {
        ifindex: (ifindex != 0).then_some(ifindex),
        inode: inode.parse().ok()?,
        process: None,
    })
}

#[cfg(test)]
mod tests {
    use std::thread;
    use std::time::Duration;

    use nix::sched::{CloneFlags, unshare};
    use nix::sys::socket::{AddressFamily, SockFlag, SockProtocol, SockType, socket};

    use super::*;

    #[test]
    fn only_sockets_for_all_protocols_are_readers() {
        let lines = "\
sk               RefCnt Type Proto  Iface R Rmem   User   Inode
00000000855bcf66 3      3    0003   2     1 0      0      46126 
0000000008d897be 3      2    0003   0     1 0      0      47407 
0000000008d897be 3      3    0806   2     1 0      0      47408 
0000000008d897be 3      3    0000   0     0 0      0      47409 
0000000008d897be 3      3    0003   -1    0 0      0      47410 
";
        let readers: Vec<_> = lines.lines().filter_map(reader).collect();
        let places: Vec<_> = readers.iter().map(|r| (r.ifindex, r.inode)).collect();
        assert_eq!(places, [(Some(2), 46126), (None, 47407)]);
    }

    #[test]
    fn a_socket_of_this_namespace_is_found_with_its_process_and_forgotten_when_closed() {
        let inside = || {
            unshare(CloneFlags::CLONE_NEWNET).expect("tests of namespaces run as root");
            let mut owners = Owners::default();
            assert_eq!(owners.readers().unwrap(), [], "those of other namespaces");
            let (family, kind) = (AddressFamily::Packet, SockType::Raw);
            let all = SockProtocol::EthAll;
            let socket = socket(family, kind, SockFlag::SOCK_CLOEXEC, all).unwrap();
            let found = owners.readers().unwrap();
            drop(socket);
            // A process that another test is starting may have it until it becomes another program.
            let is_closed = (0..100).any(|_| {
                thread::sleep(Duration::from_millis(20));
                owners.readers().unwrap().is_empty()
            });
            assert!(is_closed);
            assert!(owners.0.is_empty());
            found
        };
        let found = thread::spawn(inside).join().unwrap();
        let pid = std::process::id().cast_signed();
        let [reader] = &found[..] else {
            panic!("{found:?}")
        };
        assert_eq!(reader.ifindex, None);
        assert_eq!(
            reader.process.as_ref().map(|process| process.pid),
            Some(pid)
        );
    }
}
