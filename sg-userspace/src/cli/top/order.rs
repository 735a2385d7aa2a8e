//! Which ports are shown, and in which order.

use std::cmp::Ordering;

use clap::ValueEnum;

use super::rates::{PerSecond, PortRates};

/// A column that ports are ordered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Column {
    /// Their names.
    Port,
    /// What their filters do.
    State,
    /// Packets a second, passed or fallen.
    Packets,
    /// Bytes a second.
    Bytes,
    /// Packets a second that fell.
    Drops,
    /// Connections opened a second.
    New,
    /// Their assured connections.
    Connections,
    /// Their shares of the quota of assured connections.
    Quota,
}

impl Column {
    /// From left to right.
    pub const ALL: [Self; 8] = [
        Self::Port,
        Self::State,
        Self::Packets,
        Self::Bytes,
        Self::Drops,
        Self::New,
        Self::Connections,
        Self::Quota,
    ];

    /// What stands above it.
    pub const fn heading(self) -> &'static str {
        match self {
            Self::Port => "PORT",
            Self::State => "STATE",
            Self::Packets => "PACKETS/S",
            Self::Bytes => "BYTES/S",
            Self::Drops => "DROPS/S",
            Self::New => "NEW/S",
            Self::Connections => "CONNS",
            Self::Quota => "QUOTA",
        }
    }

    /// The column so many places to the right, from the last to the first again.
    pub fn next(self, by: usize) -> Self {
        Self::ALL[(self as usize + by) % Self::ALL.len()]
    }

    /// What numbers are ordered by; nothing for words, and for what is not known.
    fn number(self, port: &PortRates) -> Option<f64> {
        let rate = |of: fn(&PerSecond) -> f64| port.per_second.as_ref().map(of);
        match self {
            Self::Port | Self::State => None,
            Self::Packets => rate(|rates| rates.packets),
            Self::Bytes => rate(|rates| rates.bytes),
            Self::Drops => rate(|rates| rates.drops),
            Self::New => rate(|rates| rates.new_connections),
            Self::Connections => port.connections.map(|held| f64::from(held.assured)),
            Self::Quota => port.share(),
        }
    }
}

/// An order of ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Order {
    /// By this: the greatest number, the first word, the best state before the others.
    pub column: Column,
    /// The reverse of that.
    pub is_reversed: bool,
}

impl Order {
    /// Puts ports into it. What is not known comes last in any case.
    pub fn sort(self, ports: &mut [&PortRates]) {
        ports.sort_by_cached_key(|port| (port.called(), port.port.clone()));
        ports.sort_by(|one, other| {
            let turned = |order: Ordering| match self.is_reversed {
                true => order.reverse(),
                false => order,
            };
            match self.column {
                Column::Port => turned(one.called().cmp(&other.called())),
                Column::State => turned(one.state.cmp(&other.state)),
                column => match (column.number(one), column.number(other)) {
                    (Some(one), Some(other)) => turned(other.total_cmp(&one)),
                    (Some(_), None) => Ordering::Less,
                    (None, Some(_)) => Ordering::Greater,
                    (None, None) => Ordering::Equal,
                },
            }
        });
    }
}

/// Whether a port has all of these words in its name, id, interface, state or groups, or in a reason for which it
/// refuses packets now. Large and small letters are the same.
pub fn matches(port: &PortRates, words: &str) -> bool {
    let of_port = [&port.name, &port.port, &port.place()].map(|text| text.to_lowercase());
    let groups = port.security_groups.iter();
    let groups = groups.flat_map(|group| [group.id.to_lowercase(), group.name.to_lowercase()]);
    let refusing = |rate: Option<f64>| rate.is_some_and(|rate| rate > 0.0);
    let reasons = port.drops.iter().filter(|drop| refusing(drop.per_second));
    let reasons = reasons.map(|drop| drop.reason.clone());
    let texts: Vec<_> = of_port.into_iter().chain(groups).chain(reasons).collect();
    let is_there = |word: String| {
        port.state.as_str().contains(&word) || texts.iter().any(|text| text.contains(&word))
    };
    words
        .split_whitespace()
        .map(str::to_lowercase)
        .all(is_there)
}
