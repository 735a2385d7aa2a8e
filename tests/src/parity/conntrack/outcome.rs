//! What became of a packet.

use std::fmt;
use std::str::FromStr;

use anyhow::{Context, Error, Result, bail};
use sg_common::conntrack::tcp::State;

use super::notation::{End, Protocol};

/// How rules see a packet: its ctstate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names are nf_conntrack's")]
pub enum Label {
    New,
    Established,
    Related,
    Invalid,
    Untracked,
}

/// What became of a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// What rules saw it as; nothing if none was asked, or if it cannot be told.
    pub label: Option<Label>,
    /// Whether it was let through.
    pub passes: bool,
    /// What is remembered of each connection of the case, in the order of their first packets.
    pub entries: Vec<Option<Entry>>,
}

/// What is remembered of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Who opened it.
    pub opened_by: End,
    /// Number of the state of TCP and SCTP, else 0.
    pub state: u8,
    /// The other side has answered.
    pub replied: bool,
    /// It is not given up for others.
    pub assured: bool,
    /// How many seconds it has left.
    pub seconds: u32,
}

/// How much lifetimes may differ. Each side rounds to a second, and this filter leaves an expiry
/// that would move by less than one.
const TOLERANCE: u32 = 2;

impl Label {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::New,
        Self::Established,
        Self::Related,
        Self::Invalid,
        Self::Untracked,
    ];

    /// The name that rules have for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Established => "established",
            Self::Related => "related",
            Self::Invalid => "invalid",
            Self::Untracked => "untracked",
        }
    }
}

impl Outcome {
    /// Whether both say the same, as far as both say something.
    #[must_use]
    pub fn agrees(&self, other: &Self) -> bool {
        (self.label == other.label || self.label.is_none() || other.label.is_none())
            && self.passes == other.passes
            && self.entries.len() == other.entries.len()
            && self
                .entries
                .iter()
                .zip(&other.entries)
                .all(|pair| match pair {
                    (Some(one), Some(other)) => one.agrees(other),
                    (one, other) => one.is_none() && other.is_none(),
                })
    }

    /// In words.
    #[must_use]
    pub fn show(&self, protocol: Protocol) -> String {
        let label = self.label.map_or("-", Label::as_str);
        let verdict = if self.passes { "" } else { " dropped" };
        let entries = self.entries.iter().map(|entry| match entry {
            Some(entry) => entry.show(protocol),
            None => "-".to_owned(),
        });
        let entries: Vec<_> = entries.collect();
        format!("{label}{verdict}, {}", entries.join(", "))
    }
}

impl Entry {
    /// Whether both say the same, but for a lifetime that differs by less than can be told.
    #[must_use]
    pub fn agrees(&self, other: &Self) -> bool {
        let seconds = other.seconds;
        Self { seconds, ..*self } == *other && self.seconds.abs_diff(seconds) <= TOLERANCE
    }

    /// In words that [`Entry::read`] understands.
    #[must_use]
    pub fn show(&self, protocol: Protocol) -> String {
        let name = state_name(protocol, self.state);
        let mut text = format!("{name} {}", self.seconds);
        for (is, word) in [
            (self.opened_by == End::Peer, " by_peer"),
            (self.replied, " replied"),
            (self.assured, " assured"),
        ] {
            text += if is { word } else { "" };
        }
        text
    }

    /// Reads what [`Entry::show`] has written.
    ///
    /// # Errors
    /// If it has not.
    pub fn read(text: &str, protocol: Protocol) -> Result<Self> {
        let mut words = text.split_whitespace();
        let state = words.next().context("no state")?;
        let state = (0..16).find(|number| state_name(protocol, *number) == state);
        let seconds = words.next().context("no lifetime")?;
        let mut entry = Self {
            opened_by: End::Vm,
            state: state.with_context(|| format!("no such state in `{text}`"))?,
            replied: false,
            assured: false,
            seconds: seconds.parse().with_context(|| format!("in `{text}`"))?,
        };
        for word in words {
            match word {
                "by_peer" => entry.opened_by = End::Peer,
                "replied" => entry.replied = true,
                "assured" => entry.assured = true,
                _ => bail!("`{word}` in `{text}`"),
            }
        }
        Ok(entry)
    }
}

impl FromStr for Label {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let mut all = Self::ALL.into_iter();
        all.find(|label| label.as_str() == text)
            .with_context(|| format!("`{text}` is no label"))
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Whether both lists say the same.
#[must_use]
pub fn entries_agree(one: &[Option<Entry>], other: &[Option<Entry>]) -> bool {
    one.len() == other.len()
        && one.iter().zip(other).all(|pair| match pair {
            (Some(one), Some(other)) => one.agrees(other),
            (one, other) => one.is_none() && other.is_none(),
        })
}

/// The name that `conntrack -L` prints.
fn state_name(protocol: Protocol, state: u8) -> &'static str {
    const SCTP: [&str; 10] = [
        "NONE",
        "CLOSED",
        "COOKIE_WAIT",
        "COOKIE_ECHOED",
        "ESTABLISHED",
        "SHUTDOWN_SENT",
        "SHUTDOWN_RECD",
        "SHUTDOWN_ACK_SENT",
        "HEARTBEAT_SENT",
        "HEARTBEAT_ACKED",
    ];
    match protocol {
        Protocol::Tcp => State::from_number(state).as_str(),
        Protocol::Sctp => SCTP.get(usize::from(state)).copied().unwrap_or("?"),
        _ if state == 0 => "lives",
        _ => "?",
    }
}
