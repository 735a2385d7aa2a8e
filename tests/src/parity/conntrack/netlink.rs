//! As much of netfilter's netlink as it takes to ask about one connection, and to hear how a packet
//! was labelled.
//!
//! Numbers are those of `include/uapi/linux/netfilter/nfnetlink_conntrack.h` and `…_log.h`.

use std::net::IpAddr;
use std::os::fd::{AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, recv, sendto, socket,
};

use super::notation::End;
use super::tuple::{Of, Tuple};
use crate::netns::Netns;

/// `NFNL_SUBSYS_CTNETLINK` with `IPCTNL_MSG_CT_…`.
const CT_NEW: u16 = 0x0100;
const CT_GET: u16 = 0x0101;
const CT_DELETE: u16 = 0x0102;
/// `NFNL_SUBSYS_ULOG` with `NFULNL_MSG_CONFIG`.
const LOG_CONFIG: u16 = 0x0401;

const REQUEST: u16 = 1;
const ACKNOWLEDGE: u16 = 4;
const NESTED: u16 = 0x8000;
const NLMSG_ERROR: u16 = 2;

/// A netlink socket of a namespace.
#[derive(Debug)]
pub struct Netlink {
    socket: OwnedFd,
}

/// What nf_conntrack has of a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Connection {
    /// `IPS_…` bits.
    pub status: u32,
    /// Seconds left.
    pub timeout: u32,
    /// State of TCP or SCTP, else 0.
    pub state: u8,
    /// The source address of its first packet.
    pub source: Option<IpAddr>,
}

impl Netlink {
    /// A socket in a namespace.
    #[must_use]
    pub fn open(netns: &Netns) -> Self {
        let open = || {
            let (family, flags) = (AddressFamily::Netlink, SockFlag::SOCK_CLOEXEC);
            socket(family, SockType::Raw, flags, SockProtocol::NetlinkNetFilter)
        };
        let socket = netns
            .run(open)
            .unwrap_or_else(|e| panic!("cannot open a netlink socket: {e}"));
        Self { socket }
    }

    /// Hears of each packet that a rule logs to this group, as soon as it is logged.
    pub fn listen(&self, group: u16) {
        // NFULA_CFG_CMD with NFULNL_CFG_CMD_BIND; NFULA_CFG_MODE, copying no bytes of the packet;
        // NFULA_CFG_QTHRESH of one packet.
        let settings = [
            attribute(1, &[1]),
            attribute(2, &[0, 0, 0, 0, 1, 0]),
            attribute(5, &1_u32.to_be_bytes()),
        ];
        for setting in settings {
            let message = message(LOG_CONFIG, REQUEST | ACKNOWLEDGE, 0, group, &setting);
            self.order(&message)
                .unwrap_or_else(|e| panic!("cannot listen to netfilter's log: {e}"));
        }
    }

    /// The prefix of the next packet that was logged, if one was.
    pub fn logged(&self) -> Option<String> {
        let mut buffer = [0; 8192];
        let read = recv(self.socket.as_raw_fd(), &mut buffer, MsgFlags::MSG_DONTWAIT);
        let length = match read {
            Ok(length) => length,
            Err(Errno::EAGAIN) => return None,
            Err(e) => panic!("cannot read netfilter's log: {e}"),
        };
        let prefix = find(&buffer[..length][20..], 10)?;
        let text = prefix.strip_suffix(&[0]).unwrap_or(prefix);
        Some(String::from_utf8_lossy(text).into_owned())
    }

    /// What is known of a connection, found by its tuple in either direction.
    pub fn get(&self, tuple: &Tuple) -> Option<Connection> {
        let request = message(CT_GET, REQUEST, family(tuple), 0, &nested_tuple(tuple));
        let mut buffer = [0; 4096];
        let answer = match self.ask(&request, &mut buffer) {
            Ok(answer) => answer,
            Err(Errno::ENOENT) => return None,
            Err(e) => panic!("netfilter knows nothing of {tuple:?}: {e}"),
        };
        let number = |kind| {
            find(answer, kind).and_then(|bytes| Some(u32::from_be_bytes(bytes.try_into().ok()?)))
        };
        // CTA_PROTOINFO: of TCP, DCCP or SCTP, the first attribute of which is the state.
        let state = || Some(*find(find(answer, 4)?.get(4..)?, 1)?.first()?);
        let source = || {
            let addresses = find(find(answer, 1)?, 1)?;
            let v4 = || {
                <[u8; 4]>::try_from(find(addresses, 1)?)
                    .ok()
                    .map(IpAddr::from)
            };
            let v6 = || {
                <[u8; 16]>::try_from(find(addresses, 3)?)
                    .ok()
                    .map(IpAddr::from)
            };
            v4().or_else(v6)
        };
        Some(Connection {
            status: number(3).unwrap_or_default(),
            timeout: number(7).unwrap_or_default(),
            state: state().unwrap_or_default(),
            source: source(),
        })
    }

    /// Gives a connection, if it is known, so many seconds from now on.
    pub fn set_timeout(&self, tuple: &Tuple, seconds: u32) {
        let mut attributes = nested_tuple(tuple);
        attributes.extend(attribute(7, &seconds.to_be_bytes()));
        let flags = REQUEST | ACKNOWLEDGE;
        match self.order(&message(CT_NEW, flags, family(tuple), 0, &attributes)) {
            Ok(()) | Err(Errno::ENOENT) => {}
            Err(e) => panic!("netfilter does not age {tuple:?}: {e}"),
        }
    }

    /// Forgets a connection, if it is known.
    pub fn delete(&self, tuple: &Tuple) {
        let flags = REQUEST | ACKNOWLEDGE;
        let request = message(CT_DELETE, flags, family(tuple), 0, &nested_tuple(tuple));
        match self.order(&request) {
            Ok(()) | Err(Errno::ENOENT) => {}
            Err(e) => panic!("netfilter does not forget {tuple:?}: {e}"),
        }
    }

    /// Sends a request that is only acknowledged.
    fn order(&self, request: &[u8]) -> Result<(), Errno> {
        self.ask(request, &mut [0; 4096]).map(drop)
    }

    /// Sends a request; the attributes of the answer.
    fn ask<'a>(&self, request: &[u8], buffer: &'a mut [u8]) -> Result<&'a [u8], Errno> {
        let socket = self.socket.as_raw_fd();
        sendto(socket, request, &NetlinkAddr::new(0, 0), MsgFlags::empty())?;
        let length = recv(socket, buffer, MsgFlags::empty())?;
        let answer = &buffer[..length];
        if u16::from_ne_bytes([answer[4], answer[5]]) != NLMSG_ERROR {
            return Ok(&answer[20..]);
        }
        match i32::from_ne_bytes([answer[16], answer[17], answer[18], answer[19]]) {
            0 => Ok(&[]),
            error => Err(Errno::from_raw(-error)),
        }
    }
}

/// A whole message: `struct nlmsghdr`, `struct nfgenmsg`, attributes.
fn message(kind: u16, flags: u16, family: u8, resource: u16, attributes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(20 + attributes.len()).unwrap_or(u32::MAX);
    let mut message = length.to_ne_bytes().to_vec();
    message.extend(kind.to_ne_bytes());
    message.extend(flags.to_ne_bytes());
    message.extend([0; 8]);
    message.extend([family, 0]);
    message.extend(resource.to_be_bytes());
    message.extend_from_slice(attributes);
    message
}

fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let length = u16::try_from(4 + value.len()).unwrap_or(u16::MAX);
    let mut attribute = length.to_ne_bytes().to_vec();
    attribute.extend(kind.to_ne_bytes());
    attribute.extend_from_slice(value);
    attribute.resize(attribute.len().next_multiple_of(4), 0);
    attribute
}

/// The value of an attribute among others.
fn find(mut attributes: &[u8], wanted: u16) -> Option<&[u8]> {
    while let [a, b, c, d, ..] = *attributes {
        let length = usize::from(u16::from_ne_bytes([a, b]));
        let value = attributes.get(4..length)?;
        if u16::from_ne_bytes([c, d]) & !NESTED == wanted {
            return Some(value);
        }
        attributes = attributes
            .get(length.next_multiple_of(4)..)
            .unwrap_or_default();
    }
    None
}

fn family(tuple: &Tuple) -> u8 {
    let family = match tuple.local {
        IpAddr::V4(_) => libc::AF_INET,
        IpAddr::V6(_) => libc::AF_INET6,
    };
    u8::try_from(family).unwrap_or_default()
}

/// `CTA_TUPLE_ORIG` of a tuple.
fn nested_tuple(tuple: &Tuple) -> Vec<u8> {
    let (source, destination) = match tuple.of {
        Of::Query {
            asks: End::Peer, ..
        } => (tuple.remote, tuple.local),
        _ => (tuple.local, tuple.remote),
    };
    let addresses = match (source, destination) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            [attribute(1, &from.octets()), attribute(2, &to.octets())].concat()
        }
        (IpAddr::V6(from), IpAddr::V6(to)) => {
            [attribute(3, &from.octets()), attribute(4, &to.octets())].concat()
        }
        _ => panic!("{tuple:?} is of two families"),
    };
    let mut protocol = attribute(1, &[tuple.protocol]);
    match tuple.of {
        Of::Addresses => {}
        Of::Ports(local, remote) => {
            protocol.extend(attribute(2, &local.to_be_bytes()));
            protocol.extend(attribute(3, &remote.to_be_bytes()));
        }
        Of::Query { kind, code, id, .. } => {
            let first = if tuple.local.is_ipv4() { 4 } else { 7 };
            protocol.extend(attribute(first, &id.to_be_bytes()));
            protocol.extend(attribute(first + 1, &[kind]));
            protocol.extend(attribute(first + 2, &[code]));
        }
    }
    let nested = [
        attribute(1 | NESTED, &addresses),
        attribute(2 | NESTED, &protocol),
    ];
    attribute(1 | NESTED, &nested.concat())
}
