//! Asking netlink for all that there is of a kind.

use std::io;

use rtnetlink::packet_core::{
    NLM_F_DUMP, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload,
};
use rtnetlink::packet_route::RouteNetlinkMessage;
use rtnetlink::sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};

/// Asks for all that a question is about, and reads the answers; `wanted` says what is to be kept of each.
///
/// # Errors
///
/// What netlink says.
pub fn ask<T>(
    question: RouteNetlinkMessage,
    wanted: impl Fn(RouteNetlinkMessage) -> Option<T>,
) -> io::Result<Vec<T>> {
    let mut socket = Socket::new(NETLINK_ROUTE)?;
    socket.bind_auto()?;
    socket.connect(&SocketAddr::new(0, 0))?;
    socket.send(&bytes(question), 0)?;
    let mut answers = Vec::new();
    loop {
        let (packet, _) = socket.recv_from_full()?;
        for message in messages(&packet) {
            // What cannot be read is of another kind than ours.
            let Ok(message) = NetlinkMessage::<RouteNetlinkMessage>::deserialize(message) else {
                continue;
            };
            match message.payload {
                NetlinkPayload::Done(_) => return Ok(answers),
                NetlinkPayload::Error(error) if error.code.is_none() => return Ok(answers),
                NetlinkPayload::Error(error) => return Err(error.to_io()),
                NetlinkPayload::InnerMessage(answer) => answers.extend(wanted(answer)),
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

fn bytes(question: RouteNetlinkMessage) -> Vec<u8> {
    let mut netlink = NetlinkHeader::default();
    netlink.flags = NLM_F_REQUEST | NLM_F_DUMP;
    let mut message = NetlinkMessage::new(netlink, NetlinkPayload::from(question));
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);
    bytes
}
