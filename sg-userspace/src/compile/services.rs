//! What a row permits, before it is written as a row.

use sg_common::layout::policy::{
    self, PAIRS, PORT_PROTOCOLS, Permits, PortGrant, PortPairs, port_protocol,
};
use sg_common::wire::protocol as wire;

use super::ids::{Collision, Ids};
use super::image::Rows;
use super::pairs::PairSet;
use super::ranges::RangeSet;
use crate::model::{Matches, PortPair, PortRange, protocol};

/// A set of protocols permitted whole and of ports of others: a union of rules.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Services {
    whole: [u64; 4],
    ports: [RangeSet; PORT_PROTOCOLS],
    pairs: [PairSet; PORT_PROTOCOLS],
}

/// The protocols that have pairs of ports, by [`port_protocol`]; ICMP has none.
const PAIRED: [u8; PORT_PROTOCOLS - 1] =
    [wire::TCP, wire::UDP, wire::SCTP, wire::DCCP, wire::UDPLITE];

impl Services {
    /// What any of the rules permits.
    pub fn of(rules: impl IntoIterator<Item = Matches>) -> Self {
        let mut whole = [0; 4];
        let mut ranges: [Vec<PortRange>; PORT_PROTOCOLS] = Default::default();
        let mut pairs: [Vec<PortPair>; PORT_PROTOCOLS] = Default::default();
        for matches in rules {
            match matches {
                Matches::Any => whole = [u64::MAX; 4],
                Matches::Protocol(number) => set_bit(&mut whole, number),
                Matches::Ports(protocol, range) => push(&mut ranges, protocol.number(), range),
                Matches::Pairs(protocol, pair) => push(&mut pairs, protocol.number(), pair),
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
            pairs: pairs.map(|pairs| pairs.into_iter().collect()),
        }
        .reduced()
    }

    /// What either permits. If that is more pairs of ports than a row has room for: all that this one permits,
    /// and of the other's pairs as many as fit.
    pub fn union(&self, other: &Self) -> Self {
        let with = |pairs: &[PairSet; PORT_PROTOCOLS]| {
            Self {
                whole: std::array::from_fn(|i| self.whole[i] | other.whole[i]),
                ports: std::array::from_fn(|i| self.ports[i].union(&other.ports[i])),
                pairs: std::array::from_fn(|i| self.pairs[i].union(&pairs[i])),
            }
            .reduced()
        };
        let union = with(&other.pairs);
        match union.pair_count() > PAIRS {
            false => union,
            true => with(
                &other
                    .first_pairs(PAIRS.saturating_sub(self.pair_count()))
                    .pairs,
            ),
        }
    }

    /// As much of it as a row has room for.
    pub fn fitting(&self) -> Self {
        self.first_pairs(PAIRS)
    }

    fn first_pairs(&self, mut room: usize) -> Self {
        let pairs = self.pairs.each_ref().map(|pairs| {
            let first = pairs.pairs().iter().take(room).copied();
            let first: PairSet = first.collect();
            room -= first.pairs().len();
            first
        });
        Self {
            pairs,
            ..self.clone()
        }
    }

    fn pair_count(&self) -> usize {
        self.pairs.iter().map(|pairs| pairs.pairs().len()).sum()
    }

    /// Whether all that the other permits is permitted.
    pub fn covers(&self, other: &Self) -> bool {
        let whole = self
            .whole
            .iter()
            .zip(&other.whole)
            .all(|(mine, its)| its & !mine == 0);
        let whole_ports = self.whole_ports();
        let ports = (0..PORT_PROTOCOLS).all(|i| {
            whole_ports[i]
                || self.ports[i].covers(&other.ports[i])
                    && self.pairs[i].covers(&self.ports[i], &other.pairs[i])
        });
        whole && ports
    }

    /// The row. Ports that one range cannot say become a set, added to `rows`, as do pairs of ports; those that
    /// have no room are not permitted.
    pub(crate) fn lower(&self, ids: &mut Ids, rows: &mut Rows) -> Result<Permits, Collision> {
        let mut permits = Permits {
            protocols: self.whole,
            pairs: self.lower_pairs(ids, rows)?,
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
                    let sets = &mut rows.port_sets;
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

    /// The id of the pairs of ports, 0 if there are none.
    fn lower_pairs(&self, ids: &mut Ids, rows: &mut Rows) -> Result<u64, Collision> {
        let of = |(number, pairs): (u8, &'_ PairSet)| {
            let pairs = pairs.pairs().iter();
            pairs.map(move |pair| row(number, pair)).collect::<Vec<_>>()
        };
        let pairs = PAIRED.into_iter().zip(&self.pairs).flat_map(of);
        let pairs: Vec<_> = pairs.take(PAIRS).collect();
        if pairs.is_empty() {
            return Ok(0);
        }
        let id = ids.port_pairs(&pairs)?;
        rows.port_pairs.entry(id).or_insert_with(|| {
            let mut row = PortPairs {
                id,
                count: pairs.len() as u64,
                pairs: [policy::PortPair::NOTHING; PAIRS],
            };
            row.pairs[..pairs.len()].copy_from_slice(&pairs);
            Box::new(row)
        });
        Ok(id)
    }

    /// What a row permits. A set that is not there permits nothing, as in the kernel.
    pub(crate) fn lift(permits: &Permits, rows: &Rows) -> Self {
        let ports = permits.ports.each_ref().map(|grant| match grant.set {
            0 => PortRange::new(grant.low, grant.high).into_iter().collect(),
            set => rows
                .port_sets
                .get(&set)
                .map(|set| RangeSet::from_bits(set))
                .unwrap_or_default(),
        });
        let mut pairs: [Vec<PortPair>; PORT_PROTOCOLS] = Default::default();
        let rows = rows.port_pairs.get(&permits.pairs);
        for (number, pair) in rows.into_iter().flat_map(|row| pairs_of(row)) {
            push(&mut pairs, number, pair);
        }
        Self {
            whole: permits.protocols,
            ports,
            pairs: pairs.map(|pairs| pairs.into_iter().collect()),
        }
        .reduced()
    }

    /// Without the ports of protocols that are permitted whole, and without the pairs of ports that are
    /// permitted to all.
    fn reduced(mut self) -> Self {
        for (i, whole) in self.whole_ports().into_iter().enumerate() {
            if whole {
                self.ports[i] = RangeSet::default();
                self.pairs[i] = PairSet::default();
            }
            self.pairs[i] = std::mem::take(&mut self.pairs[i]).beside(&self.ports[i]);
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

fn row(number: u8, pair: &PortPair) -> policy::PortPair {
    policy::PortPair {
        protocol: number.into(),
        source_low: pair.source.low(),
        source_high: pair.source.high(),
        low: pair.destination.low(),
        high: pair.destination.high(),
    }
}

/// The pairs of a row, each with the number of its protocol.
fn pairs_of(row: &PortPairs) -> impl Iterator<Item = (u8, PortPair)> {
    let count = usize::try_from(row.count).unwrap_or(PAIRS);
    row.pairs.iter().take(count).filter_map(|pair| {
        let number = u8::try_from(pair.protocol).ok()?;
        let source = PortRange::new(pair.source_low, pair.source_high)?;
        let destination = PortRange::new(pair.low, pair.high)?;
        Some((
            number,
            PortPair {
                source,
                destination,
            },
        ))
    })
}

fn push<T>(by_protocol: &mut [Vec<T>; PORT_PROTOCOLS], protocol: u8, ports: T) {
    if let Some(index) = port_protocol(protocol) {
        by_protocol[index].push(ports);
    }
}

fn set_bit(bits: &mut [u64; 4], number: u8) {
    bits[usize::from(number >> 6)] |= 1 << (number & 63);
}

fn bit(bits: &[u64; 4], number: u8) -> bool {
    bits[usize::from(number >> 6)] >> (number & 63) & 1 == 1
}
