//! The connections that the kernel's own tracker has: nf_conntrack, asked over netlink.
//!
//! What messages and attributes are made of is the business of `netlink-bindings`, which is generated from the
//! kernel's own description of them (`Documentation/netlink/specs/conntrack.yaml`).

mod decode;

use std::io;

use netlink_bindings::{conntrack, traits::NetlinkRequest, traits::Protocol};
use rtnetlink::{
    packet_core::{
        NLM_F_DUMP, NLM_F_REQUEST, NLMSG_DONE, NLMSG_ERROR, NLMSG_OVERRUN, NetlinkBuffer,
        NetlinkHeader,
    },
    sys::{Socket, SocketAddr},
};

use crate::{
    error::{Error, Result},
    flows::kernel::KernelFlow,
};

/// What a dump has told.
#[derive(Debug, Default)]
pub struct Dump {
    /// The connections that could be read.
    pub flows: Vec<KernelFlow>,
    /// How many could not.
    pub unreadable: u64,
}

/// More than the kernel puts into one answer (`netlink_recvmsg`, `netlink_dump`: 32 KiB).
const ANSWER: usize = 64 << 10;

/// Every connection that nf_conntrack has in the network namespace of the calling thread, of all zones and both
/// families. Waits for the kernel; a hundred thousand take it tenths of a second.
///
/// # Errors
///
/// The kernel tells nothing, with what helps.
pub fn dump() -> Result<Dump> {
    ask().map_err(|source| Error::System {
        action: advice(&source),
        source,
    })
}

fn advice(error: &io::Error) -> &'static str {
    match error.raw_os_error() {
        Some(libc::EPERM) => "the kernel tells its connections only to who has CAP_NET_ADMIN",
        Some(libc::EPROTONOSUPPORT | libc::EINVAL | libc::EOPNOTSUPP) => {
            "the kernel cannot tell its connections (try `modprobe nf_conntrack_netlink`)"
        }
        _ => "asking the kernel for its connections",
    }
}

fn ask() -> io::Result<Dump> {
    let request = conntrack::Request::new().op_get_dump(&conntrack::Nfgenmsg::new());
    let Protocol::Raw {
        protonum,
        request_type,
    } = request.protocol()
    else {
        return Err(io::ErrorKind::Unsupported.into());
    };
    let mut socket = Socket::new(protonum.try_into().unwrap_or_default())?;
    socket.bind_auto()?;
    socket.connect(&SocketAddr::new(0, 0))?;
    socket.send(&message(request_type, request.payload()), 0)?;

    let mut dump = Dump::default();
    let mut answer = Vec::with_capacity(ANSWER);
    loop {
        answer.clear();
        socket.recv(&mut answer, 0)?;
        if read(&answer, &mut dump)? {
            return Ok(dump);
        }
    }
}

/// A request for all there is.
fn message(kind: u16, payload: &[u8]) -> Vec<u8> {
    let mut header = NetlinkHeader::default();
    let length = NETLINK_HEADER + payload.len();
    header.length = length as u32;
    header.message_type = kind;
    header.flags = NLM_F_REQUEST | NLM_F_DUMP;
    let mut message = vec![0; length];
    rtnetlink::packet_core::Emitable::emit(&header, &mut message[..NETLINK_HEADER]);
    message[NETLINK_HEADER..].copy_from_slice(payload);
    message
}

/// Bytes of `struct nlmsghdr`.
const NETLINK_HEADER: usize = 16;

/// Reads the messages of an answer; says whether the last one was among them.
pub(crate) fn read(mut answer: &[u8], dump: &mut Dump) -> io::Result<bool> {
    while !answer.is_empty() {
        let message = NetlinkBuffer::new_checked(answer).map_err(io::Error::other)?;
        let payload = message.payload();
        match message.message_type() {
            NLMSG_DONE | NLMSG_ERROR => {
                let code = payload
                    .first_chunk()
                    .map_or(0, |code| i32::from_ne_bytes(*code));
                return match code {
                    0 => Ok(true),
                    code => Err(io::Error::from_raw_os_error(code.saturating_abs())),
                };
            }
            NLMSG_OVERRUN => return Err(io::Error::from_raw_os_error(libc::ENOBUFS)),
            _ => match decode::flow(payload) {
                Some(flow) => dump.flows.push(flow),
                None => dump.unreadable += 1,
            },
        }
        let whole = (message.length() as usize).next_multiple_of(4);
        answer = answer.get(whole..).unwrap_or_default();
    }
    Ok(false)
}

#[cfg(test)]
mod tests;
