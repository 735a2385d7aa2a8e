//! One connection, from the attributes of a message.

use std::net::IpAddr;

use netlink_bindings::conntrack::{
    ConntrackAttrs, IterableProtoinfoAttrs, IterableTupleAttrs, IterableTupleIpAttrs,
    IterableTupleProtoAttrs, NfCtStatus, Nfgenmsg, ProtoinfoAttrs, ProtoinfoSctpAttrs,
    ProtoinfoTcpAttrs, TupleAttrs, TupleIpAttrs, TupleProtoAttrs,
};

use crate::flows::kernel::{KernelFlow, Progress, Tuple};

/// The connection that a message of nf_conntrack's tells; `None` if what must be there is not.
pub fn flow(message: &[u8]) -> Option<KernelFlow> {
    let attributes = ConntrackAttrs::new(message.get(size_of::<Nfgenmsg>()..)?);
    let (mut original, mut reply, mut zone) = (None, None, None);
    let (mut status, mut lifetime, mut progress) = (0, 0, Progress::None);
    for attribute in attributes {
        match attribute.ok()? {
            ConntrackAttrs::TupleOrig(nested) => original = Some(Direction::of(nested)?),
            ConntrackAttrs::TupleReply(nested) => reply = Some(Direction::of(nested)?),
            ConntrackAttrs::Zone(number) => zone = Some(number),
            ConntrackAttrs::Status(bits) => status = bits,
            ConntrackAttrs::Timeout(seconds) => lifetime = seconds,
            ConntrackAttrs::Protoinfo(nested) => progress = progress_of(nested)?,
            _ => {}
        }
    }
    let (original, reply) = (original?, reply?);
    let is = |flag: NfCtStatus| status & flag as u32 != 0;
    Some(KernelFlow {
        // The zone of one direction alone stands in that direction's tuple.
        zone: zone.or(original.zone).or(reply.zone).unwrap_or(0),
        protocol: original.protocol,
        tuples: [original.tuple, reply.tuple],
        seen_reply: is(NfCtStatus::SeenReply),
        assured: is(NfCtStatus::Assured),
        dying: is(NfCtStatus::Dying),
        lifetime,
        progress,
    })
}

/// What is told of one direction.
struct Direction {
    tuple: Tuple,
    protocol: u8,
    zone: Option<u16>,
}

impl Direction {
    fn of(attributes: IterableTupleAttrs<'_>) -> Option<Self> {
        let (mut ends, mut transport, mut zone) = (None, None, None);
        for attribute in attributes {
            match attribute.ok()? {
                TupleAttrs::TupleIp(nested) => ends = Some(ends_of(nested)?),
                TupleAttrs::TupleProto(nested) => transport = Some(transport_of(nested)?),
                TupleAttrs::TupleZone(number) => zone = Some(number),
            }
        }
        let ((source, destination), (protocol, numbers)) = (ends?, transport?);
        let tuple = Tuple {
            source,
            destination,
            numbers,
        };
        Some(Self {
            tuple,
            protocol,
            zone,
        })
    }
}

/// Source and destination.
fn ends_of(attributes: IterableTupleIpAttrs<'_>) -> Option<(IpAddr, IpAddr)> {
    let (mut source, mut destination) = (None, None);
    for attribute in attributes {
        match attribute.ok()? {
            TupleIpAttrs::IpV4Src(address) => source = Some(address.into()),
            TupleIpAttrs::IpV4Dst(address) => destination = Some(address.into()),
            TupleIpAttrs::IpV6Src(address) => source = Some(address.into()),
            TupleIpAttrs::IpV6Dst(address) => destination = Some(address.into()),
        }
    }
    Some((source?, destination?))
}

/// The protocol, and its numbers as [`Tuple::numbers`] has them.
fn transport_of(attributes: IterableTupleProtoAttrs<'_>) -> Option<(u8, [u16; 2])> {
    let (mut protocol, mut numbers) = (None, [0; 2]);
    let (mut kind, mut code) = (0, 0);
    for attribute in attributes {
        match attribute.ok()? {
            TupleProtoAttrs::ProtoNum(number) => protocol = Some(number),
            TupleProtoAttrs::ProtoSrcPort(port) => numbers[0] = port,
            TupleProtoAttrs::ProtoDstPort(port) => numbers[1] = port,
            TupleProtoAttrs::ProtoIcmpId(id) | TupleProtoAttrs::ProtoIcmpv6Id(id) => {
                numbers[0] = id;
            }
            TupleProtoAttrs::ProtoIcmpType(number) | TupleProtoAttrs::ProtoIcmpv6Type(number) => {
                kind = number;
            }
            TupleProtoAttrs::ProtoIcmpCode(number) | TupleProtoAttrs::ProtoIcmpv6Code(number) => {
                code = number;
            }
        }
    }
    if (kind, code) != (0, 0) {
        numbers[1] = u16::from_be_bytes([kind, code]);
    }
    Some((protocol?, numbers))
}

fn progress_of(attributes: IterableProtoinfoAttrs<'_>) -> Option<Progress> {
    for attribute in attributes {
        match attribute.ok()? {
            ProtoinfoAttrs::ProtoinfoTcp(nested) => {
                let (mut state, mut scales, mut flags) = (0, [0; 2], [0; 2]);
                for attribute in nested {
                    match attribute.ok()? {
                        ProtoinfoTcpAttrs::TcpState(number) => state = number,
                        ProtoinfoTcpAttrs::TcpWscaleOriginal(scale) => scales[0] = scale,
                        ProtoinfoTcpAttrs::TcpWscaleReply(scale) => scales[1] = scale,
                        ProtoinfoTcpAttrs::TcpFlagsOriginal(of) => flags[0] = of.flags,
                        ProtoinfoTcpAttrs::TcpFlagsReply(of) => flags[1] = of.flags,
                    }
                }
                return Some(Progress::Tcp {
                    state,
                    scales,
                    flags,
                });
            }
            ProtoinfoAttrs::ProtoinfoSctp(nested) => {
                let (mut state, mut tags) = (0, [0; 2]);
                for attribute in nested {
                    match attribute.ok()? {
                        ProtoinfoSctpAttrs::SctpState(number) => state = number,
                        ProtoinfoSctpAttrs::VtagOriginal(tag) => tags[0] = tag,
                        ProtoinfoSctpAttrs::VtagReply(tag) => tags[1] = tag,
                    }
                }
                return Some(Progress::Sctp { state, tags });
            }
            ProtoinfoAttrs::ProtoinfoDccp(_) => {}
        }
    }
    Some(Progress::None)
}
