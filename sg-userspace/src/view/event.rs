//! What the kernel tells as it happens: who asks for what, and the lines of the answer.

use std::collections::BTreeMap;

use super::count::Count;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sg_common::{
    layout::events::Action,
    reason::{Accept, DropReason, Ending},
};

/// Asks to be told. The answer goes on for as long as it is read: lines, each an [`EventLine`] in JSON.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EventsRequest {
    /// What is asked for of which ports, by id. A port that is not there yet is asked for as soon as it is.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub ports: BTreeMap<String, Vec<EventAction>>,
    /// What is asked for of every port.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub all: Vec<EventAction>,
    /// First comes the last refused packet that was told of each of these ports, whoever had asked.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub last: bool,
    /// Packets and bytes of each connection of these ports are counted as long as somebody wants that, and told
    /// with its end.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub counts: bool,
    /// How many events a second of one port and action in the long run, from 1 to 1,000,000; 100 if not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<u32>,
    /// How many at once, from 1 to 1,000,000; 25 if not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub burst: Option<u32>,
}

/// What can be asked for: Neutron's words, in requests also in lower case.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    clap::ValueEnum,
    Serialize,
    Deserialize,
    JsonSchema,
)]
pub enum EventAction {
    /// Each connection that a rule permits, by its first packet
    #[serde(rename = "ACCEPT", alias = "accept")]
    Accept,
    /// Each refused packet
    #[serde(rename = "DROP", alias = "drop")]
    Drop,
    /// The end of each connection
    #[serde(rename = "END", alias = "end")]
    End,
    /// What no rule permits, and passes because the port is in audit
    #[serde(rename = "AUDIT", alias = "audit")]
    Audit,
}

impl EventAction {
    /// All that can be asked for.
    pub const ALL: [Self; 4] = [Self::Accept, Self::Drop, Self::End, Self::Audit];

    /// Its name in answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accept => "ACCEPT",
            Self::Drop => "DROP",
            Self::End => "END",
            Self::Audit => "AUDIT",
        }
    }

    /// What the reasons of its events can be: names, and sentences for people.
    pub fn reasons(self) -> Vec<(&'static str, &'static str)> {
        let accepts = || Accept::ALL.iter().map(|accept| (Ok(*accept), *accept));
        let drops = DropReason::ALL.iter();
        let ends = Ending::ALL.iter();
        match self {
            Self::Accept | Self::Audit => accepts()
                .filter(|(verdict, _)| Action::of(verdict) == Some(self.into()))
                .map(|(_, accept)| (accept.as_str(), accept.describe()))
                .collect(),
            Self::Drop => drops
                .map(|reason| (reason.as_str(), reason.describe()))
                .collect(),
            Self::End => ends
                .map(|ending| (ending.as_str(), ending.describe()))
                .collect(),
        }
    }
}

impl From<EventAction> for Action {
    fn from(action: EventAction) -> Self {
        match action {
            EventAction::Accept => Action::Accept,
            EventAction::Drop => Action::Drop,
            EventAction::End => Action::End,
            EventAction::Audit => Action::Audit,
        }
    }
}

impl From<Action> for EventAction {
    fn from(action: Action) -> Self {
        match action {
            Action::Accept => EventAction::Accept,
            Action::Drop => EventAction::Drop,
            Action::End => EventAction::End,
            Action::Audit => EventAction::Audit,
        }
    }
}

/// A line of the answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum EventLine {
    /// Something was not told.
    Lost(LostView),
    /// Something happened to a packet, or a connection ended.
    Packet(Box<PacketView>),
}

/// A packet that was refused, or that opened a connection; or the end of a connection, told as the packet that
/// has opened it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PacketView {
    /// When, by the clock of the node (RFC 3339, UTC).
    pub time: String,
    /// The port's id.
    pub port: String,
    /// The number of its interface; 0 for the end of a connection.
    pub ifindex: u32,
    /// `ingress` is towards the VM, `egress` from it.
    pub direction: String,
    /// `ACCEPT`, `DROP`, `END` or `AUDIT`.
    pub action: Option<EventAction>,
    /// Why, as the counters name it; of an end how it ended: `closed`, `reset`, `timed_out`, `revoked`, `gave_way`.
    pub reason: String,
    /// The rule that has permitted it; several, of which one has, if the kernel cannot tell them apart; none if that
    /// cannot be told.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<String>,
    /// VLAN id, if the frame has a tag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vlan: Option<u16>,
    /// Source address, of IP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Destination address, of IP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destination: Option<String>,
    /// Number of the protocol, of IP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol: Option<u8>,
    /// Source port, of protocols that have ports.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_port: Option<u16>,
    /// Destination port, of protocols that have ports.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destination_port: Option<u16>,
    /// Type, of ICMP and ICMPv6.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub icmp_type: Option<u8>,
    /// Code, of ICMP and ICMPv6.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub icmp_code: Option<u8>,
    /// Flags, of TCP: names with commas between them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tcp_flags: Option<String>,
    /// When a connection was opened that has ended, if that was told (RFC 3339, UTC).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opened: Option<String>,
    /// How long it has lived until its entry was removed, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lived_ms: Option<u64>,
    /// Packets and bytes of a connection that has ended, if they were counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counted: Option<CountedView>,
    /// Bytes of the frame, of a packet.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub length: u32,
    /// Its first bytes, at most 128, in hexadecimal digits.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub frame: String,
}

impl PacketView {
    /// The reason as a sentence; the name if it is not known here.
    pub fn sentence(&self) -> &str {
        let reasons = EventAction::ALL.into_iter().flat_map(EventAction::reasons);
        let mut known = reasons.filter(|(name, _)| *name == self.reason);
        known.next().map_or(&self.reason, |(_, sentence)| sentence)
    }
}

/// Packets and bytes of a connection, with Ethernet headers, since it was opened or they are counted. A GSO
/// super-packet counts once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CountedView {
    /// What the VM was sent.
    pub ingress: Count,
    /// What it has sent.
    pub egress: Count,
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// So much was not told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LostView {
    /// When that was noticed (RFC 3339, UTC).
    pub time: String,
    /// How many events, since the last line of this kind.
    pub lost: u64,
    /// The port's id.
    pub port: String,
    /// What they were.
    pub action: EventAction,
    /// Why.
    pub why: LostWhy,
}

/// Why something was not told.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum LostWhy {
    /// There were more than the rate lets through, or the kernel's ring was full.
    Rate,
    /// The reader of the answer was too slow.
    Reader,
    /// The log could not be written.
    Log,
}

impl LostWhy {
    /// Its name in answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rate => "rate",
            Self::Reader => "reader",
            Self::Log => "log",
        }
    }
}
