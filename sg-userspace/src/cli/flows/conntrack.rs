//! Connections as `conntrack -L` prints them (libnetfilter_conntrack, `snprintf_default.c`): what scripts
//! grep and awk.

use std::{fmt::Write, net::IpAddr};

use sg_common::{
    wire::icmp::{v4, v6},
    wire::protocol,
};

use crate::view::{FlowView, Way};

/// One connection, with the end of the line.
pub fn line(flow: &FlowView) -> String {
    let number = flow.protocol_number;
    let mut line = format!("{:<8} {number} {} ", name(number), flow.expires);
    if has_states(number) && flow.state != "UNREPLIED" && !flow.state.is_empty() {
        line += &format!("{} ", flow.state);
    }
    let (original, reply) = tuples(flow);
    original.print(&mut line);
    if !flow.replied {
        line += "[UNREPLIED] ";
    }
    reply.print(&mut line);
    if flow.assured {
        line += "[ASSURED] ";
    }
    let mark = u8::from(flow.revoked);
    line + &format!("mark={mark} zone={} use=1 port={}\n", flow.zone, flow.port)
}

/// One direction of a connection.
struct Tuple {
    src: IpAddr,
    dst: IpAddr,
    numbers: Numbers,
}

/// What follows the addresses.
enum Numbers {
    Ports(u16, u16),
    Query { kind: u8, code: u8, id: u16 },
    Keys(u16, u16),
    None,
}

impl Tuple {
    fn print(&self, line: &mut String) {
        // Writing to a string cannot fail.
        let _ = write!(line, "src={} dst={} ", self.src, self.dst);
        let _ = match self.numbers {
            Numbers::Ports(source, destination) => {
                write!(line, "sport={source} dport={destination} ")
            }
            Numbers::Query { kind, code, id } => write!(line, "type={kind} code={code} id={id} "),
            Numbers::Keys(source, destination) => {
                write!(line, "srckey={source:#x} dstkey={destination:#x} ")
            }
            Numbers::None => Ok(()),
        };
    }
}

/// Both directions, that of the first packet first.
fn tuples(flow: &FlowView) -> (Tuple, Tuple) {
    let local = (flow.local, flow.local_port);
    let remote = (flow.remote, flow.remote_port);
    let (from, to) = match flow.direction {
        Way::Ingress => (remote, local),
        Way::Egress => (local, remote),
    };
    let tuple = |from: (IpAddr, u16), to: (IpAddr, u16), is_reply: bool| {
        let numbers = match (flow.protocol_number, flow.icmp_type) {
            (_, Some(request)) => Numbers::Query {
                kind: if is_reply { answer(request) } else { request },
                code: flow.icmp_code.unwrap_or_default(),
                id: flow.local_port,
            },
            (protocol::GRE, _) => Numbers::Keys(from.1, to.1),
            (number, _) if crate::model::PortProtocol::of(number).is_some() => {
                Numbers::Ports(from.1, to.1)
            }
            _ => Numbers::None,
        };
        let (src, dst) = (from.0, to.0);
        Tuple { src, dst, numbers }
    };
    (tuple(from, to, false), tuple(to, from, true))
}

/// The type that answers a query (`invmap` of `nf_conntrack_proto_icmp.c` and `..icmpv6.c`).
fn answer(request: u8) -> u8 {
    match request {
        v4::ECHO => v4::ECHO_REPLY,
        v4::TIMESTAMP | v4::INFORMATION | v4::ADDRESS_MASK | v6::ECHO | v6::NODE_INFORMATION => {
            request + 1
        }
        other => other,
    }
}

/// The names of libnetfilter_conntrack's `l4proto2str`.
fn name(number: u8) -> &'static str {
    match number {
        protocol::TCP => "tcp",
        protocol::UDP => "udp",
        protocol::UDPLITE => "udplite",
        protocol::ICMP => "icmp",
        protocol::ICMPV6 => "icmpv6",
        protocol::SCTP => "sctp",
        protocol::GRE => "gre",
        protocol::DCCP => "dccp",
        _ => "unknown",
    }
}

/// The protocols whose state stands in the line.
fn has_states(number: u8) -> bool {
    matches!(number, protocol::TCP | protocol::SCTP | protocol::DCCP)
}

#[cfg(test)]
mod tests;
