//! A connection as both sides can be asked about it.

use std::net::IpAddr;

use sg_common::layout::flow::{FlowKey, Whose};
use sg_common::wire::addr::{Family, from_ip};

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
        let (ports, vm_asks) = match self.of {
            Of::Addresses => ([0, 0], false),
            Of::Ports(local, remote) => ([local, remote], false),
            Of::Query {
                asks,
                kind,
                code,
                id,
            } => ([id, u16::from_be_bytes([kind, code])], asks == End::Vm),
        };
        let whose = Whose::new(slot, self.protocol, Family::of(&self.local), vm_asks);
        FlowKey::new(
            whose,
            [self.local, self.remote].map(|ip| from_ip(&ip)),
            ports,
        )
    }
}
