//! A connection as both sides can be asked about it.

use std::net::IpAddr;

use sg_common::layout::flow::FlowKey;
use sg_common::wire::addr::from_ip;

use super::notation::End;

/// What nf_conntrack calls a tuple, from the VM's point of view.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tuple {
    /// Protocol number.
    pub protocol: u8,
    /// Address of the VM.
    pub local: IpAddr,
    /// Address of its peer.
    pub remote: IpAddr,
    /// What tells connections between these apart.
    pub of: Of,
}

/// What tells connections between two addresses apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Of {
    /// Nothing.
    Addresses,
    /// The ports, the VM's first.
    Ports(u16, u16),
    /// An ICMP query.
    Query {
        /// Who asks.
        asks: End,
        /// Type of the request.
        kind: u8,
        /// Code.
        code: u8,
        /// Identifier.
        id: u16,
    },
}

impl Tuple {
    /// The key of this filter's tables.
    #[must_use]
    pub fn key(&self, slot: u32) -> FlowKey {
        let (local_port, remote_port) = match self.of {
            Of::Addresses => (0, 0),
            Of::Ports(local, remote) => (local, remote),
            Of::Query { id, code, .. } => (id, code.into()),
        };
        let (icmp_request, icmp_from_vm) = match self.of {
            Of::Query { asks, kind, .. } => (kind, (asks == End::Vm).into()),
            _ => (0, 0),
        };
        FlowKey {
            slot,
            local: from_ip(&self.local),
            remote: from_ip(&self.remote),
            local_port,
            remote_port,
            protocol: self.protocol,
            icmp_request,
            icmp_from_vm,
            family: if self.local.is_ipv6() { 6 } else { 4 },
            reserved: 0,
        }
    }
}
