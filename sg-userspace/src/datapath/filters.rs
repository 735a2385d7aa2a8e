//! The filters of clsact qdiscs, as the kernel lists them.

use std::io;

use rtnetlink::packet_core::{
    NLM_F_DUMP, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload,
};
use rtnetlink::packet_route::RouteNetlinkMessage;
use rtnetlink::packet_route::tc::{TcAttribute, TcFilterBpfOption, TcHandle, TcMessage, TcOption};
use rtnetlink::sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};
use sg_common::hook::Hook;

/// A BPF filter of a clsact qdisc.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Filters are asked in this order, and then in that of their handles.
    pub priority: u16,
    /// Its number among those of its priority.
    pub handle: u32,
    /// The name it was given; ours are named after their hooks.
    pub name: String,
    /// Its program.
    pub program: u32,
}

/// Every BPF filter at a hook of an interface of this namespace. None for an interface that is gone,
/// or has no clsact qdisc.
///
/// # Errors
///
/// What netlink says.
pub fn at(ifindex: u32, hook: Hook) -> io::Result<Vec<Filter>> {
    let mut socket = Socket::new(NETLINK_ROUTE)?;
    socket.bind_auto()?;
    socket.connect(&SocketAddr::new(0, 0))?;
    socket.send(&question(ifindex, hook), 0)?;
    let mut filters = Vec::new();
    loop {
        let (packet, _) = socket.recv_from_full()?;
        for message in messages(&packet) {
            // What cannot be read is of another kind than ours.
            let Ok(message) = NetlinkMessage::<RouteNetlinkMessage>::deserialize(message) else {
                continue;
            };
            match message.payload {
                NetlinkPayload::Done(_) => return Ok(filters),
                NetlinkPayload::Error(error) if error.code.is_none() => return Ok(filters),
                NetlinkPayload::Error(error) => return Err(error.to_io()),
                NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewTrafficFilter(found)) => {
                    filters.extend(filter(&found));
                }
                _ => {}
            }
        }
    }
}

/// The messages in what was received at once: each begins with its length, at a multiple of four
/// (`NLMSG_ALIGN`).
fn messages(mut packet: &[u8]) -> impl Iterator<Item = &[u8]> {
    const SHORTEST: usize = 16;
    std::iter::from_fn(move || {
        let length = u32::from_ne_bytes(*packet.first_chunk()?) as usize;
        let message = packet.get(..length).filter(|_| length >= SHORTEST)?;
        packet = packet.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some(message)
    })
}

fn question(ifindex: u32, hook: Hook) -> Vec<u8> {
    let mut question = TcMessage::with_index(ifindex.cast_signed());
    question.header.parent = TcHandle {
        major: TcHandle::CLSACT.major,
        minor: match hook {
            Hook::FromVm => TcHandle::MIN_INGRESS,
            Hook::ToVm => TcHandle::MIN_EGRESS,
        },
    };
    let message = RouteNetlinkMessage::GetTrafficFilter(question);
    let mut netlink = NetlinkHeader::default();
    netlink.flags = NLM_F_REQUEST | NLM_F_DUMP;
    let mut message = NetlinkMessage::new(netlink, NetlinkPayload::from(message));
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);
    bytes
}

/// The filter of a message; there are also messages for each priority as a whole, which have no program.
fn filter(message: &TcMessage) -> Option<Filter> {
    let mut filter = Filter {
        priority: (message.header.info >> 16) as u16,
        handle: message.header.handle.into(),
        ..Filter::default()
    };
    let options = message
        .attributes
        .iter()
        .filter_map(|attribute| match attribute {
            TcAttribute::Options(options) => Some(options),
            _ => None,
        });
    for option in options.flatten() {
        match option {
            TcOption::Bpf(TcFilterBpfOption::ProgName(name)) => filter.name.clone_from(name),
            TcOption::Bpf(TcFilterBpfOption::ProgId(id)) => filter.program = *id,
            _ => {}
        }
    }
    (filter.program != 0).then_some(filter)
}
