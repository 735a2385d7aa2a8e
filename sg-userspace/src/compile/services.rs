//! What a row permits, before it is written as a row.

use std::collections::BTreeMap;

use sg_common::layout::policy::{PORT_PROTOCOLS, Permits, PortGrant, PortSet, port_protocol};

use super::ids::{Collision, Ids};
use super::ranges::RangeSet;
use crate::model::{Matches, PortRange, protocol};

/// A set of protocols permitted whole and of ports of others: a union of rules.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Services {
    whole: [u64; 4],
    ports: [RangeSet; PORT_PROTOCOLS],
}

/// The port sets that rows refer to.
pub type PortSets = BTreeMap<u64, Box<PortSet>>;

impl Services {
    /// What any of the rules permits.
    pub fn of(rules: impl IntoIterator<Item = Matches>) -> Self {
        let mut whole = [0; 4];
        let mut ranges: [Vec<PortRange>; PORT_PROTOCOLS] = Default::default();
        for matches in rules {
            match matches {
                Matches::Any => whole = [u64::MAX; 4],
                Matches::Protocol(number) => set_bit(&mut whole, number),
                Matches::Ports(protocol, range) => push(&mut ranges, protocol.number(), range),
                Matches::Icmp { kind, code } => {
                    let (low, high) = code.map_or((0, 255), |code| (code, code));
                    let number = |code| u16::from_be_bytes([kind, code]);
                    let range = PortRange::new(number(low), number(high));
                    range
                        .into_iter()
                        .for_each(|range| push(&mut ranges, protocol::ICMP, range));
                }
            }
        }
        Self {
            whole,
            ports: ranges.map(|ranges| ranges.into_iter().collect()),
        }
        .reduced()
    }

    /// What either permits.
    pub fn union(&self, other: &Self) -> Self {
        let whole = std::array::from_fn(|i| self.whole[i] | other.whole[i]);
        let ports = std::array::from_fn(|i| self.ports[i].union(&other.ports[i]));
        Self { whole, ports }.reduced()
    }

    /// Whether all that the other permits is permitted.
    pub fn covers(&self, other: &Self) -> bool {
        let whole = self
            .whole
            .iter()
            .zip(&other.whole)
            .all(|(mine, its)| its & !mine == 0);
        let whole_ports = self.whole_ports();
        let ports =
            (0..PORT_PROTOCOLS).all(|i| whole_ports[i] || self.ports[i].covers(&other.ports[i]));
        whole && ports
    }

    /// The row. Ports that one range cannot say become a set, added to `sets`.
    pub(crate) fn lower(&self, ids: &mut Ids, sets: &mut PortSets) -> Result<Permits, Collision> {
        let mut permits = Permits {
            protocols: self.whole,
            ..Permits::NOTHING
        };
        for (grant, ports) in permits.ports.iter_mut().zip(&self.ports) {
            *grant = match ports.ranges() {
                [] => PortGrant::NOTHING,
                [one] => PortGrant {
                    low: one.low(),
                    high: one.high(),
                    ..PortGrant::NOTHING
                },
                _ => {
                    let set = ids.port_set(ports)?;
                    sets.entry(set).or_insert_with(|| ports.to_bits(set));
                    PortGrant {
                        set,
                        ..PortGrant::NOTHING
                    }
                }
            };
        }
        Ok(permits)
    }

    /// What a row permits. A set that is not there permits nothing, as in the kernel.
    pub(crate) fn lift(permits: &Permits, sets: &PortSets) -> Self {
        let ports = permits.ports.each_ref().map(|grant| match grant.set {
            0 => PortRange::new(grant.low, grant.high).into_iter().collect(),
            set => sets
                .get(&set)
                .map(|set| RangeSet::from_bits(set))
                .unwrap_or_default(),
        });
        Self {
            whole: permits.protocols,
            ports,
        }
        .reduced()
    }

    /// Without the ports of protocols that are permitted whole: one meaning, one form.
    fn reduced(mut self) -> Self {
        let whole = self.whole_ports();
        for (ports, _) in self.ports.iter_mut().zip(whole).filter(|(_, whole)| *whole) {
            *ports = RangeSet::default();
        }
        self
    }

    /// Which of the protocols with ports are permitted whole. The rows of one policy are of one
    /// family, so that of the two ICMPs only one can be meant.
    fn whole_ports(&self) -> [bool; PORT_PROTOCOLS] {
        let mut whole = [false; PORT_PROTOCOLS];
        for number in (0..=u8::MAX).filter(|number| bit(&self.whole, *number)) {
            port_protocol(number)
                .into_iter()
                .for_each(|index| whole[index] = true);
        }
        whole
    }
}

fn push(ranges: &mut [Vec<PortRange>; PORT_PROTOCOLS], protocol: u8, range: PortRange) {
    port_protocol(protocol)
        .into_iter()
        .for_each(|index| ranges[index].push(range));
}

fn set_bit(bits: &mut [u64; 4], number: u8) {
    bits[usize::from(number >> 6)] |= 1 << (number & 63);
}

fn bit(bits: &[u64; 4], number: u8) -> bool {
    bits[usize::from(number >> 6)] >> (number & 63) & 1 == 1
}
