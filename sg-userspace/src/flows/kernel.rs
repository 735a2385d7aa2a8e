//! Connections as the kernel's own tracker (nf_conntrack) tells them, and what they are to a port.
//!
//! The side that opened a connection sees its original tuple at its own wire, the side that answers the
//! reverse of its reply tuple, whatever addresses are translated in between. So the end of a connection at
//! which a port's VM is says which tuple the filter of its tap would have seen.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    net::{IpAddr, SocketAddr},
};

use ipnet::IpNet;
use sg_common::{
    conntrack::{sctp, tcp, udp},
    hook::Hook,
    layout::flow::{Flow, Side},
    layout::settings::{Ticks, ticks},
    wire::addr::Family,
    wire::{icmp, protocol},
};

use super::FlowRecord;

/// A connection of nf_conntrack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KernelFlow {
    /// Its zone; equal tuples of two zones are two connections.
    pub zone: u16,
    /// Upper-layer protocol.
    pub protocol: u8,
    /// What the first packet had, by [`Side`]; and what its answers have.
    pub tuples: [Tuple; 2],
    /// The other side has answered.
    pub seen_reply: bool,
    /// It is kept under pressure.
    pub assured: bool,
    /// It is over, and only not removed yet.
    pub dying: bool,
    /// Whole seconds that it has left.
    pub lifetime: u32,
    /// How far its protocol has come.
    pub progress: Progress,
}

/// What packets of one direction have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tuple {
    /// Where from.
    pub source: IpAddr,
    /// Where to.
    pub destination: IpAddr,
    /// Ports, or as in [`sg_common::packet::Transport`]: identifier, and `type << 8 | code` of ICMP; keys of GRE.
    pub numbers: [u16; 2],
}

/// What nf_conntrack tells of a protocol's tracker. Arrays are by [`Side`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Of TCP (`ip_ct_tcp`): all but the windows, which it tells nobody.
    Tcp {
        /// Number of the state.
        state: u8,
        /// Window scales.
        scales: [u8; 2],
        /// `IP_CT_TCP_FLAG_*`.
        flags: [u8; 2],
    },
    /// Of SCTP (`ip_ct_sctp`).
    Sctp {
        /// Number of the state.
        state: u8,
        /// The verification tags that the sides send.
        tags: [u32; 2],
    },
    /// Of a protocol without states, or one whose state is not told.
    None,
}

/// `IP_CT_TCP_FLAG_*` (`include/uapi/linux/netfilter/nf_conntrack_tcp.h`).
mod flag {
    pub const WINDOW_SCALE: u8 = 1;
    pub const SACK_PERMITTED: u8 = 2;
    pub const CLOSE_INITIATED: u8 = 4;
    pub const UNACKNOWLEDGED: u8 = 16;
}

/// The sides, in the order of arrays.
const SIDES: [Side; 2] = [Side::Original, Side::Reply];

/// The largest window scale (RFC 7323 2.3).
const LARGEST_SCALE: u8 = 14;

impl KernelFlow {
    /// The connection as the filter of a tap would have it whose VM is at this end.
    ///
    /// Windows are learned from the next packets, as those of a connection that is picked up in the middle,
    /// and bind as little.
    ///
    /// # Errors
    ///
    /// Why the filter cannot have it, in words.
    pub fn record(&self, end: Side) -> Result<FlowRecord, &'static str> {
        let [original, _] = &self.tuples;
        let tuple = &self.tuples[end as usize];
        let family = Family::of(&tuple.source);
        if family != Family::of(&tuple.destination) {
            return Err("its addresses are of two families");
        }
        let [local_port, mut remote_port] = tuple.numbers;
        let mut icmp_request = 0;
        if icmp::is_icmp(family, self.protocol) {
            let [kind, code] = original.numbers[1].to_be_bytes();
            let asks = icmp::query(family, kind).is_some_and(|query| query.asks);
            if !asks {
                return Err("it is no query of ICMP");
            }
            (icmp_request, remote_port) = (kind, code.into());
        }
        let flow = self.flow(end)?;
        Ok(FlowRecord {
            protocol: self.protocol,
            local: tuple.source,
            local_port,
            remote: tuple.destination,
            remote_port,
            icmp_request,
            word: flow.word().without_nonce().0,
            expires: self.expires(),
            end: flow.end,
            max_end: flow.max_end,
            max_window: flow.max_window,
            max_ack: flow.max_ack,
            last_sequence: flow.last_sequence,
            last_ack: flow.last_ack,
            last_end: flow.last_end,
            last_window: flow.last_window,
            window_scales: flow.window_scales,
            last_options: flow.last_options,
        })
    }

    /// What a tracker of ours remembers that has seen as much.
    fn flow(&self, end: Side) -> Result<Flow, &'static str> {
        let hook = match end {
            Side::Original => Hook::FromVm,
            Side::Reply => Hook::ToVm,
        };
        let mut flow = Flow::new(hook, 0, 0);
        flow.change(|word| {
            word.set_seen_reply(self.seen_reply);
            word.set_assured(self.assured);
        });
        match (self.protocol, self.progress) {
            (
                protocol::TCP,
                Progress::Tcp {
                    state,
                    scales,
                    flags,
                },
            ) => {
                if tcp::State::from_number(state) == tcp::State::None {
                    return Err("TCP has no such state");
                }
                for (side, (scale, flags)) in SIDES.into_iter().zip(scales.into_iter().zip(flags)) {
                    flow.set_window_scale(side, scale.min(LARGEST_SCALE));
                    flow.change(|word| {
                        word.set_scaling(side, flags & flag::WINDOW_SCALE != 0);
                        word.set_sack_permitted(side, flags & flag::SACK_PERMITTED != 0);
                        word.set_close_initiated(side, flags & flag::CLOSE_INITIATED != 0);
                        word.set_unacknowledged(side, flags & flag::UNACKNOWLEDGED != 0);
                        word.set_liberal(side, true);
                    });
                }
                // Nothing is known of the last segment; it was no SYN, which a reset would answer, and its
                // window was not closed, which would shorten the lifetime.
                flow.change(|word| {
                    word.set_state(state);
                    word.set_last_class(tcp::ACK_CLASS);
                });
                flow.last_window = 1;
            }
            (protocol::SCTP, Progress::Sctp { state, tags }) => {
                if sctp::State::from_number(state) == sctp::State::None {
                    return Err("SCTP has no such state");
                }
                flow.change(|word| word.set_state(state));
                flow.end = tags;
            }
            (protocol::TCP | protocol::SCTP, _) => return Err("its state is not told"),
            // When it began is not told.
            (protocol::UDP | protocol::UDPLITE, _) => flow.end[0] = udp::STREAM_AGE,
            _ => {}
        }
        Ok(flow)
    }

    /// It lives, so that there is something left; and no longer than a connection can.
    fn expires(&self) -> Ticks {
        const LONGEST: u64 = i32::MAX as u64;
        let seconds = u64::from(self.lifetime.max(1));
        let longest = sg_common::layout::settings::seconds(LONGEST as Ticks);
        ticks(seconds.min(longest))
    }
}

impl fmt::Display for KernelFlow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [original, _] = &self.tuples;
        let [source, destination] = original.numbers;
        write!(
            f,
            "protocol {} from {} to {}, zone {}",
            self.protocol,
            SocketAddr::new(original.source, source),
            SocketAddr::new(original.destination, destination),
            self.zone
        )
    }
}

/// All connections of nf_conntrack, to be asked which are a port's.
#[derive(Debug, Default)]
pub struct KernelFlows {
    flows: Vec<KernelFlow>,
    /// The addresses at both ends of each, in order.
    ends: Vec<(IpAddr, u32, bool)>,
}

/// A connection, and the end of it at which a port is.
pub type AtEnd<'a> = (&'a KernelFlow, Side);

impl KernelFlows {
    /// These.
    pub fn new(flows: Vec<KernelFlow>) -> Self {
        let ends = flows.iter().zip(0..).flat_map(|(flow, at)| {
            let [original, reply] = &flow.tuples;
            [(original.source, at, false), (reply.source, at, true)]
        });
        let mut ends: Vec<_> = ends.collect();
        ends.sort_unstable();
        Self { flows, ends }
    }

    /// How many there are in each zone.
    pub fn zones(&self) -> BTreeMap<u16, u64> {
        zones(self.flows.iter())
    }

    /// Those at one end of which is one of these addresses. Where both ends are, the more exact one counts;
    /// if neither is, the VM may be at both, as a router is.
    pub fn of(&self, addresses: &[IpNet]) -> Vec<AtEnd<'_>> {
        let mut found: BTreeMap<u32, [Option<u8>; 2]> = BTreeMap::new();
        for net in addresses {
            let first = self.ends.partition_point(|(at, ..)| *at < net.network());
            let of_net = self.ends[first..].iter();
            for (_, flow, replies) in of_net.take_while(|(at, ..)| *at <= net.broadcast()) {
                let exactness = &mut found.entry(*flow).or_default()[usize::from(*replies)];
                *exactness = (*exactness).max(Some(net.prefix_len()));
            }
        }
        let ends = found.into_iter().flat_map(|(flow, exactness)| {
            let best = exactness.into_iter().max().flatten();
            let ends = SIDES.into_iter().zip(exactness);
            let ends = ends.filter(move |(_, exactness)| exactness.is_some() && *exactness == best);
            ends.map(move |(end, _)| (flow, end))
        });
        ends.filter_map(|(flow, end)| Some((self.flows.get(flow as usize)?, end)))
            .collect()
    }
}

/// In which zone a port's connections are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Zone {
    /// There are none.
    Nowhere,
    /// In this one.
    One(u16),
    /// In several, and nothing says which is the port's.
    Several,
}

/// How many connections there are in each zone.
pub fn zones<'a>(flows: impl Iterator<Item = &'a KernelFlow>) -> BTreeMap<u16, u64> {
    let mut zones = BTreeMap::new();
    for flow in flows {
        *zones.entry(flow.zone).or_default() += 1;
    }
    zones
}

/// The zone of a port whose address all of these connections have.
///
/// What one VM of a node sends to another is tracked once in the zone of each, if these are two: the zone of
/// a port has all that is the port's, and that of another only what the two say to each other. So the zone
/// that has every answered connection which the others have is the port's. Two networks with the same
/// addresses have different ones, and then nothing tells which zone is which.
pub fn zone_of(flows: &[AtEnd<'_>]) -> Zone {
    let answered = flows.iter().any(|(flow, _)| flow.seen_reply);
    let mut tuples: BTreeMap<u16, BTreeSet<(u8, Tuple)>> = BTreeMap::new();
    for (flow, end) in flows {
        let seen = tuples.entry(flow.zone).or_default();
        if flow.seen_reply || !answered {
            seen.insert((flow.protocol, flow.tuples[*end as usize]));
        }
    }
    let all: BTreeSet<_> = tuples.values().flatten().copied().collect();
    let counts = zones(flows.iter().map(|(flow, _)| *flow));
    let whole = tuples
        .into_iter()
        .filter(|(_, seen)| seen.len() == all.len());
    match whole
        .map(|(zone, _)| zone)
        .max_by_key(|zone| counts.get(zone))
    {
        Some(zone) => Zone::One(zone),
        None if flows.is_empty() => Zone::Nowhere,
        None => Zone::Several,
    }
}

#[cfg(test)]
mod tests;
