//! What a flow log says of a window of time, out of what was counted and what was told in it.

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

/// What was found out in a window.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Window {
    /// What has passed, by the addresses and ports of each way.
    passed: BTreeMap<(PortId, FlowTuple), Tally>,
    /// What was refused.
    refused: BTreeMap<(PortId, FlowTuple), Tally>,
    /// Ports of which something was not told, or not written.
    skipped: BTreeSet<PortId>,
}

impl Window {
    /// This has passed between two readings, at these ports; at all of them, if it is not said which.
    pub fn count(&mut self, before: &Reading, after: &Reading, among: Option<&BTreeSet<PortId>>) {
        let none = BTreeMap::new();
        let is_meant = |port: &PortId| among.is_none_or(|among| among.contains(port));
        for (port, flows) in after.iter().filter(|(port, _)| is_meant(port)) {
            let former = before.get(port).unwrap_or(&none);
            for (key, now) in flows {
                let then = former.get(key).copied().unwrap_or_default();
                for direction in Direction::ALL {
                    let at = direction as usize;
                    let since = since(then[at], now[at]);
                    if since.packets > 0 {
                        add(&mut self.passed, (*port, tuple(key, direction)), since);
                    }
                }
            }
        }
    }

    /// A packet was refused. What has no addresses of IP is in no flow log.
    pub fn refuse(&mut self, packet: &PacketView) {
        if let (Ok(port), Some(flow)) = (packet.port.parse(), FlowTuple::of(packet)) {
            let one = Tally {
                packets: 1,
                bytes: packet.length.into(),
            };
            add(&mut self.refused, (port, flow), one);
        }
    }

    /// Something of a port is missing.
    pub fn skip(&mut self, port: &str) {
        self.skipped.extend(port.parse::<PortId>().ok());
    }

    /// The records, by port: what passed, what was refused, and whether something is missing; of a port that is here
    /// and has nothing of these, that there was nothing.
    pub fn records(self, here: &BTreeSet<PortId>) -> Vec<(PortId, Recorded)> {
        let here = here.iter().map(|port| (*port, Vec::new()));
        let mut records: BTreeMap<PortId, Vec<Recorded>> = here.collect();
        for (tallies, passed) in [(self.passed, true), (self.refused, false)] {
            for ((port, flow), count) in tallies {
                let record = Recorded::Packets {
                    flow,
                    count,
                    passed,
                };
                records.entry(port).or_default().push(record);
            }
        }
        for port in self.skipped {
            records.entry(port).or_default().push(Recorded::Skipped);
        }
        let of_port = |(port, mut records): (PortId, Vec<Recorded>)| {
            if records.is_empty() {
                records.push(Recorded::Nothing);
            }
            records.into_iter().map(move |record| (port, record))
        };
        records.into_iter().flat_map(of_port).collect()
    }
}

fn add(tallies: &mut BTreeMap<(PortId, FlowTuple), Tally>, of: (PortId, FlowTuple), more: Tally) {
    let tally = tallies.entry(of).or_default();
    tally.packets += more.packets;
    tally.bytes += more.bytes;
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

    /// A connection: the number of the other side, packets to the VM and from it.
    type Counted = (u16, u64, u64);

    /// A reading of ports with connections.
    fn reading(ports: &[(PortId, &[Counted])]) -> Reading {
        let ports = ports.iter().map(|(port, flows)| {
            let flows = flows.iter();
            let flows = flows.map(|(number, to, from)| {
                (key(protocol::TCP, *number), [tally(*to), tally(*from)])
            });
            (*port, flows.collect())
        });
        ports.collect()
    }

    /// What has passed between two readings.
    fn between(before: &Reading, after: &Reading) -> Window {
        let mut window = Window::default();
        window.count(before, after, None);
        window
    }

    /// The records of a window with WEB here.
    fn shown(window: Window) -> Vec<String> {
        shown_with(&[WEB], window)
    }

    fn shown_with(here: &[PortId], window: Window) -> Vec<String> {
        let records = window.records(&here.iter().copied().collect());
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
            shown(between(&before, &after)),
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
        assert_eq!(
            shown(between(&nothing, &ended)),
            [
                "WEB 10.0.0.5 10.0.0.7 80 40000 6 5 500 ACCEPT",
                "WEB 10.0.0.7 10.0.0.5 40000 80 6 6 600 ACCEPT",
            ]
        );
        for later in [&ended, &nothing] {
            assert_eq!(shown(between(&ended, later)), ["WEB NODATA"]);
        }
    }

    #[test]
    fn what_several_readings_in_a_window_find_is_summed_also_of_what_is_gone_at_its_end() {
        let readings = [
            reading(&[(WEB, &[]), (DB, &[])]),
            reading(&[
                (WEB, &[(40000, 3, 0), (40001, 1, 0)]),
                (DB, &[(40000, 9, 9)]),
            ]),
            reading(&[(WEB, &[(40000, 5, 0)])]),
            reading(&[(WEB, &[])]),
        ];
        let mut window = Window::default();
        for pair in readings.windows(2) {
            window.count(&pair[0], &pair[1], Some(&[WEB].into()));
        }
        assert_eq!(
            shown(window),
            [
                "WEB 10.0.0.7 10.0.0.5 40000 80 6 5 500 ACCEPT",
                "WEB 10.0.0.7 10.0.0.5 40001 80 6 1 100 ACCEPT",
            ]
        );
    }

    #[test]
    fn counts_that_have_begun_anew_are_what_was_counted_since() {
        let before = reading(&[(WEB, &[(40000, 1000, 900)])]);
        let after = reading(&[(WEB, &[(40000, 4, 900)])]);
        assert_eq!(
            shown(between(&before, &after)),
            ["WEB 10.0.0.7 10.0.0.5 40000 80 6 4 400 ACCEPT"]
        );
    }

    #[test]
    fn queries_of_icmp_have_no_ports_and_are_one_record_for_each_way() {
        let flows = [1, 2].map(|id| (key(protocol::ICMP, id), [tally(1), tally(1)]));
        let after = Reading::from([(WEB, flows.into_iter().collect())]);
        assert_eq!(
            shown(between(&Reading::new(), &after)),
            [
                "WEB 10.0.0.5 10.0.0.7 0 0 1 2 200 ACCEPT",
                "WEB 10.0.0.7 10.0.0.5 0 0 1 2 200 ACCEPT",
            ]
        );
    }

    #[test]
    fn refused_packets_are_summed_by_their_addresses_and_ports() {
        let mut window = Window::default();
        for source_port in [40000, 40001, 40000] {
            window.refuse(&refused(WEB, source_port));
        }
        // Such as ARP.
        window.refuse(&PacketView {
            source: None,
            ..refused(WEB, 1)
        });
        assert_eq!(
            shown(window),
            [
                "WEB 10.0.0.7 10.0.0.5 40000 443 6 2 148 REJECT",
                "WEB 10.0.0.7 10.0.0.5 40001 443 6 1 74 REJECT",
            ]
        );
    }

    #[test]
    fn a_port_of_which_something_is_missing_says_so_and_one_with_nothing_too() {
        let mut window = Window::default();
        window.refuse(&refused(WEB, 40000));
        window.skip(&WEB.to_string());
        assert_eq!(
            shown_with(&[WEB, DB], window),
            [
                "WEB 10.0.0.7 10.0.0.5 40000 443 6 1 74 REJECT",
                "WEB SKIPDATA",
                "DB NODATA",
            ]
        );
        assert_eq!(shown_with(&[], Window::default()), [""; 0]);
    }
}
