//! Entries of each map unless the operator says otherwise.

use crate::reason;

/// Ports with an interface on the node.
pub const PORTS: u32 = 1024;
/// Interfaces whose port is found by their number: all with a lower one.
pub const SLOTS: u32 = 65_536;
/// Allowed addresses of all ports.
pub const ADDRESSES: u32 = 65_536;
/// Policies: one per set of groups, direction and family.
pub const POLICIES: u32 = 8_192;
/// Members of the groups that rules name.
pub const MEMBERS: u32 = 262_144;
/// CIDRs.
pub const PREFIXES: u32 = 262_144;
/// Grant rows.
pub const GRANTS: u32 = 262_144;
/// Port sets, 8 KiB each.
pub const PORT_SETS: u32 = 4_096;
/// Sets of pairs of ports, 0.7 KiB each.
pub const PORT_PAIRS: u32 = 4_096;
/// Assured IPv4 connections (nf_conntrack's default above 4 GB of memory).
pub const FLOWS4: u32 = 262_144;
/// Assured IPv6 connections.
pub const FLOWS6: u32 = 131_072;
/// IPv4 connections of one port that are not proven yet: 10,000 new ones a second, each under way for
/// 200 ms. A port's tables take 0.5 MiB with these sizes, so those of 500 ports take 250.
pub const EMBRYOS4: u32 = 2_048;
/// IPv6 connections of one port that are not proven yet.
pub const EMBRYOS6: u32 = EMBRYOS4 / 2;
/// Datagrams in fragments of one port.
pub const FRAGMENTS: u32 = 256;
/// What rows have permitted to ports, and user space has not taken away yet.
pub const HITS: u32 = 65_536;
/// Connections of one port whose packets and bytes are counted, where that is asked for.
pub const ACCOUNTS: u32 = 65_536;
/// Bytes of the ring of events: about five thousand.
pub const EVENTS: u32 = 1 << 20;
/// Elements by slot, for a number of ports.
pub const fn slots(ports: u32) -> u32 {
    ports + 1
}
/// Counters for a number of ports; slot 0 counts what belongs to no port.
pub const fn counters(ports: u32) -> u32 {
    slots(ports) * 2 * reason::COUNTERS
}
