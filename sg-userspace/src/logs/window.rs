//! What a flow log says of a window of time, out of what was counted before and after it and what was told in it.

use std::collections::{BTreeMap, BTreeSet};

use sg_common::hook::Direction;
use sg_common::layout::flow::FlowKey;
use sg_common::wire::addr::to_ip;
use sg_common::wire::icmp::is_icmp;

use crate::{
    events::has_ports,
    model::PortId,
    view::{FlowTuple, PacketView, Recorded, Tally},
};

/// What was counted so far of each connection, by port; of each, to the VM and from it ([`Direction`]).
pub type Reading = BTreeMap<PortId, BTreeMap<FlowKey, [Tally; 2]>>;

/// What was told in a window.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// Refused packets.
    refused: BTreeMap<(PortId, FlowTuple), Tally>,
    /// Ports of which something was not told, or not written.
    skipped: BTreeSet<PortId>,
}

impl Told {
    /// A packet was refused. What has no addresses of IP is in no flow log.
    pub fn refuse(&mut self, packet: &PacketView) {
        if let (Ok(port), Some(flow)) = (packet.port.parse(), FlowTuple::of(packet)) {
            let tally = self.refused.entry((port, flow)).or_default();
            *tally = sum(*tally, [1, packet.length.into()]);
        }
    }

    /// Something of a port is missing.
    pub fn skip(&mut self, port: &str) {
        self.skipped.extend(port.parse::<PortId>().ok());
    }
}

/// The records of a window, by port: what passed in it, what was refused, and whether something is missing. Of a port
/// that is here and has nothing of these, that there was nothing.
pub fn records(
    told: &Told,
    before: &Reading,
    after: &Reading,
    here: &BTreeSet<PortId>,
) -> Vec<(PortId, Recorded)> {
    let none = BTreeMap::new();
    let here = here.iter().map(|port| (*port, Vec::new()));
    let mut records: BTreeMap<PortId, Vec<Recorded>> = here.collect();
    for (port, flows) in after {
        let passed = passed(before.get(port).unwrap_or(&none), flows);
        let passed = passed.into_iter().map(|(flow, count)| Recorded::Packets {
            flow,
            count,
            passed: true,
        });
        let mut passed = passed.peekable();
        if passed.peek().is_some() {
            records.entry(*port).or_default().extend(passed);
        }
    }
    for ((port, flow), count) in &told.refused {
        records.entry(*port).or_default().push(Recorded::Packets {
            flow: *flow,
            count: *count,
            passed: false,
        });
    }
    for port in &told.skipped {
        records.entry(*port).or_default().push(Recorded::Skipped);
    }
    let of_port = |(port, mut records): (PortId, Vec<Recorded>)| {
        if records.is_empty() {
            records.push(Recorded::Nothing);
        }
        records.into_iter().map(move |record| (port, record))
    };
    records.into_iter().flat_map(of_port).collect()
}

/// What passed of a port between two readings, by the addresses and ports of each direction.
fn passed(
    before: &BTreeMap<FlowKey, [Tally; 2]>,
    after: &BTreeMap<FlowKey, [Tally; 2]>,
) -> BTreeMap<FlowTuple, Tally> {
    let mut passed: BTreeMap<FlowTuple, Tally> = BTreeMap::new();
    for (key, now) in after {
        let then = before.get(key).copied().unwrap_or_default();
        for direction in Direction::ALL {
            let (now, then) = (now[direction as usize], then[direction as usize]);
            let since = since(then, now);
            if since.packets > 0 {
                let tally = passed.entry(tuple(key, direction)).or_default();
                *tally = sum(*tally, [since.packets, since.bytes]);
            }
        }
    }
    passed
}

/// What was counted since. A count that is less than it was has begun anew.
fn since(then: Tally, now: Tally) -> Tally {
    match (
        now.packets.checked_sub(then.packets),
        now.bytes.checked_sub(then.bytes),
    ) {
        (Some(packets), Some(bytes)) => Tally { packets, bytes },
        _ => now,
    }
}

fn sum(tally: Tally, [packets, bytes]: [u64; 2]) -> Tally {
    Tally {
        packets: tally.packets + packets,
        bytes: tally.bytes + bytes,
    }
}

/// A connection as its packets of a direction have it.
fn tuple(key: &FlowKey, direction: Direction) -> FlowTuple {
    let (family, protocol) = (key.family(), key.protocol());
    let has_ports = has_ports(protocol) && !is_icmp(family, protocol);
    let port = |port: u16| if has_ports { port } else { 0 };
    let vm = (to_ip(&key.local, family), port(key.local_port));
    let other = (to_ip(&key.remote, family), port(key.remote_port));
    let ((source, source_port), (destination, destination_port)) = match direction {
        Direction::Ingress => (other, vm),
        Direction::Egress => (vm, other),
    };
    FlowTuple {
        source,
        destination,
        source_port,
        destination_port,
        protocol,
    }
}

#[cfg(test)]
mod tests {
    use sg_common::layout::flow::Whose;
    use sg_common::wire::addr::{Family, from_v4};
    use sg_common::wire::protocol;
    use uuid::Uuid;

    use super::*;

    const WEB: PortId = PortId(Uuid::from_u128(1));
    const DB: PortId = PortId(Uuid::from_u128(2));

    fn key(protocol: u8, number: u16) -> FlowKey {
        let whose = Whose::new(3, protocol, Family::V4, false);
        FlowKey::new(
            whose,
            [from_v4([10, 0, 0, 5]), from_v4([10, 0, 0, 7])],
            [80, number],
        )
    }

    fn tally(packets: u64) -> Tally {
        Tally {
            packets,
            bytes: 100 * packets,
        }
    }

    /// A reading of ports with connections: the number of the other side, packets to the VM and from it.
    fn reading(ports: &[(PortId, &[(u16, u64, u64)])]) -> Reading {
        let ports = ports.iter().map(|(port, flows)| {
            let flows = flows.iter();
            let flows = flows.map(|(number, to, from)| {
                (key(protocol::TCP, *number), [tally(*to), tally(*from)])
            });
            (*port, flows.collect())
        });
        ports.collect()
    }

    /// The records of a window with WEB here.
    fn shown(told: &Told, before: &Reading, after: &Reading) -> Vec<String> {
        shown_of(&[WEB], told, before, after)
    }

    fn shown_of(here: &[PortId], told: &Told, before: &Reading, after: &Reading) -> Vec<String> {
        let records = records(told, before, after, &here.iter().copied().collect());
        let shown = records.iter().map(|(port, what)| {
            let port = if *port == WEB { "WEB" } else { "DB" };
            match what {
                Recorded::Packets {
                    flow,
                    count,
                    passed,
                } => {
                    let Tally { packets, bytes } = count;
                    let action = if *passed { "ACCEPT" } else { "REJECT" };
                    format!("{port} {flow} {packets} {bytes} {action}")
                }
                Recorded::Nothing => format!("{port} NODATA"),
                Recorded::Skipped => format!("{port} SKIPDATA"),
            }
        });
        shown.collect()
    }

    fn refused(port: PortId, source_port: u16) -> PacketView {
        PacketView {
            port: port.to_string(),
            source: Some("10.0.0.7".into()),
            destination: Some("10.0.0.5".into()),
            protocol: Some(6),
            source_port: Some(source_port),
            destination_port: Some(443),
            length: 74,
            ..PacketView::default()
        }
    }

    #[test]
    fn what_passed_in_a_window_is_a_record_for_each_way_and_what_did_not_change_is_none() {
        let before = reading(&[(WEB, &[(40000, 10, 8), (40001, 5, 5)])]);
        let after = reading(&[(WEB, &[(40000, 13, 10), (40001, 5, 5), (40002, 1, 0)])]);
        assert_eq!(
            shown(&Told::default(), &before, &after),
            [
                "WEB 10.0.0.5 10.0.0.7 80 40000 6 2 200 ACCEPT",
                "WEB 10.0.0.7 10.0.0.5 40000 80 6 3 300 ACCEPT",
                "WEB 10.0.0.7 10.0.0.5 40002 80 6 1 100 ACCEPT",
            ]
        );
    }

    #[test]
    fn a_connection_that_begins_and_ends_inside_a_window_is_recorded_whole_and_once() {
        let nothing = reading(&[(WEB, &[])]);
        let ended = reading(&[(WEB, &[(40000, 6, 5)])]);
        let told = Told::default();
        assert_eq!(
            shown(&told, &nothing, &ended),
            [
                "WEB 10.0.0.5 10.0.0.7 80 40000 6 5 500 ACCEPT",
                "WEB 10.0.0.7 10.0.0.5 40000 80 6 6 600 ACCEPT",
            ]
        );
        for later in [&ended, &nothing] {
            assert_eq!(shown(&told, &ended, later), ["WEB NODATA"]);
        }
    }

    #[test]
    fn counts_that_have_begun_anew_are_what_was_counted_since() {
        let before = reading(&[(WEB, &[(40000, 1000, 900)])]);
        let after = reading(&[(WEB, &[(40000, 4, 900)])]);
        assert_eq!(
            shown(&Told::default(), &before, &after),
            ["WEB 10.0.0.7 10.0.0.5 40000 80 6 4 400 ACCEPT"]
        );
    }

    #[test]
    fn queries_of_icmp_have_no_ports_and_are_one_record_for_each_way() {
        let flows = [1, 2].map(|id| (key(protocol::ICMP, id), [tally(1), tally(1)]));
        let after = Reading::from([(WEB, flows.into_iter().collect())]);
        assert_eq!(
            shown(&Told::default(), &Reading::new(), &after),
            [
                "WEB 10.0.0.5 10.0.0.7 0 0 1 2 200 ACCEPT",
                "WEB 10.0.0.7 10.0.0.5 0 0 1 2 200 ACCEPT",
            ]
        );
    }

    #[test]
    fn refused_packets_are_summed_by_their_addresses_and_ports() {
        let mut told = Told::default();
        for source_port in [40000, 40001, 40000] {
            told.refuse(&refused(WEB, source_port));
        }
        // Such as ARP.
        told.refuse(&PacketView {
            source: None,
            ..refused(WEB, 1)
        });
        let none = Reading::new();
        assert_eq!(
            shown(&told, &none, &none),
            [
                "WEB 10.0.0.7 10.0.0.5 40000 443 6 2 148 REJECT",
                "WEB 10.0.0.7 10.0.0.5 40001 443 6 1 74 REJECT",
            ]
        );
    }

    #[test]
    fn a_port_of_which_something_is_missing_says_so_and_one_with_nothing_too() {
        let mut told = Told::default();
        told.refuse(&refused(WEB, 40000));
        told.skip(&WEB.to_string());
        let none = Reading::new();
        assert_eq!(
            shown_of(&[WEB, DB], &told, &none, &none),
            [
                "WEB 10.0.0.7 10.0.0.5 40000 443 6 1 74 REJECT",
                "WEB SKIPDATA",
                "DB NODATA",
            ]
        );
        assert_eq!(shown_of(&[], &Told::default(), &none, &none), [""; 0]);
    }
}
