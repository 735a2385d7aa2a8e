//! The connections of a port, as they travel from one node to another.
//!
//! A document says of each connection all that the filter knows of it, so that it goes on at the other
//! node as if nothing had happened: state, windows, retransmissions. It belongs to a layout of the
//! tables ([`CONNECTIONS`]), because the state means something only to the filter that wrote it.

use std::{collections::BTreeSet, net::IpAddr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sg_common::{
    conntrack::{self, sctp, tcp},
    layout::flow::{Flow, FlowKey, Whose, Word},
    layout::maps::CONNECTIONS,
    layout::settings::{Ticks, passed, seconds},
    wire::addr::{Family, from_ip, to_ip},
    wire::{icmp, protocol},
};

use crate::model::PortId;

/// What stands in every document.
const FORMAT: &str = "security-group-flows";

/// The version of the document's own form.
pub const VERSION: u32 = 1;

/// The connections of a port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FlowDocument {
    /// `security-group-flows`.
    format: String,
    /// [`VERSION`].
    version: u32,
    /// [`CONNECTIONS`] of the tables they were read from.
    layout: u32,
    /// The port, which is the same on every node.
    pub port: PortId,
    /// When they were read: milliseconds of the system's clock since 1970 (UTC).
    pub exported_at: u64,
    /// The connections.
    pub flows: Vec<FlowRecord>,
}

/// A connection. What the filter remembers of it keeps the filter's own form; moments are counted from
/// the export on, in [`Ticks`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(
    missing_docs,
    reason = "as in sg_common::layout::flow, FlowKey and Flow"
)]
pub struct FlowRecord {
    pub protocol: u8,
    pub local: IpAddr,
    pub local_port: u16,
    pub remote: IpAddr,
    pub remote_port: u16,
    /// Type of the request of an ICMP query, else 0.
    pub icmp_request: u8,
    /// The state word, without its nonce.
    pub word: u64,
    /// Time to live at the export.
    pub expires: Ticks,
    pub end: [u32; 2],
    pub max_end: [u32; 2],
    pub max_window: [u32; 2],
    pub max_ack: [u32; 2],
    pub last_sequence: u32,
    pub last_ack: u32,
    pub last_end: u32,
    pub last_window: u16,
    pub window_scales: u8,
    pub last_options: u8,
}

impl FlowDocument {
    /// A document without connections, of a port; `exported_at` as in the field.
    pub fn new(port: PortId, exported_at: u64) -> Self {
        Self {
            format: FORMAT.into(),
            version: VERSION,
            layout: CONNECTIONS,
            port,
            exported_at,
            flows: Vec::new(),
        }
    }

    /// Reads a document, and checks all of it.
    ///
    /// # Errors
    ///
    /// A sentence on what is wrong with it, and where.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        /// What every version has.
        #[derive(Deserialize)]
        struct Head {
            format: String,
            version: u32,
            layout: u32,
        }
        let head: Head = serde_json::from_slice(bytes)
            .map_err(|error| format!("the input is no export of flows: {error}"))?;
        let advice = "export and import with nodes that run the same version";
        if head.format != FORMAT {
            let format = head.format;
            return Err(format!("format = {format:?}: it should be {FORMAT:?}"));
        }
        if head.version != VERSION {
            let version = head.version;
            return Err(format!(
                "version = {version}: only {VERSION} is understood ({advice})"
            ));
        }
        if head.layout != CONNECTIONS {
            let layout = head.layout;
            return Err(format!(
                "layout = {layout}: the tables of this node have layout {CONNECTIONS} ({advice})"
            ));
        }
        let document: Self = serde_json::from_slice(bytes)
            .map_err(|error| format!("the export of flows is not whole: {error}"))?;
        let mut keys = BTreeSet::new();
        for (place, record) in document.flows.iter().enumerate() {
            let at = |problem| format!("flows[{place}]: {problem}");
            record.check().map_err(at)?;
            if !keys.insert(record.key(0)) {
                return Err(at("the same connection stands here twice".into()));
            }
        }
        Ok(document)
    }

    /// Adds a connection as it stands at `now`, the moment of the export on the filter's clock.
    pub fn push(&mut self, key: &FlowKey, flow: &Flow, now: Ticks) {
        self.flows.push(FlowRecord::of(key, flow, now));
    }

    /// Milliseconds since the export, where it is `now` by the system's clock; none if that clock is
    /// behind. What has passed, connections have lost.
    pub fn age(&self, now: u64) -> u64 {
        now.saturating_sub(self.exported_at)
    }
}

impl FlowRecord {
    fn of(key: &FlowKey, flow: &Flow, now: Ticks) -> Self {
        let mut flow = *flow;
        conntrack::shift(&mut flow, key.protocol(), now.wrapping_neg());
        // Whole, so that a new field cannot be forgotten. The generation is the node's own.
        let Flow {
            word,
            expires,
            generation: _,
            end,
            max_end,
            max_window,
            max_ack,
            last_sequence,
            last_ack,
            last_end,
            last_window,
            window_scales,
            last_options,
        } = flow;
        let (icmp_request, remote_port) = match key.icmp_query() {
            Some([request, code]) => (request, code.into()),
            None => (0, key.remote_port),
        };
        Self {
            protocol: key.protocol(),
            local: to_ip(&key.local, key.family()),
            local_port: key.local_port,
            remote: to_ip(&key.remote, key.family()),
            remote_port,
            icmp_request,
            word: Word(word).without_nonce().0,
            expires,
            end,
            max_end,
            max_window,
            max_ack,
            last_sequence,
            last_ack,
            last_end,
            last_window,
            window_scales,
            last_options,
        }
    }

    /// The key of the connection in the tables of a node where its port has this slot.
    pub fn key(&self, slot: u32) -> FlowKey {
        let is_query = self.icmp_request != 0;
        let remote_port = match is_query {
            true => u16::from(self.icmp_request) << 8 | self.remote_port & 0xff,
            false => self.remote_port,
        };
        let (family, asks) = (Family::of(&self.local), is_query && self.state().from_vm());
        FlowKey::new(
            Whose::new(slot, self.protocol, family, asks),
            [from_ip(&self.local), from_ip(&self.remote)],
            [self.local_port, remote_port],
        )
    }

    /// The connection as a node stores it that takes it over at `now` of its clock, `age` ticks after
    /// the export. `None` if it has ended meanwhile.
    ///
    /// It has a generation that no port ever has, so the filter judges it at its first packet, by
    /// whatever rules are then in force.
    pub fn flow(&self, now: Ticks, age: Ticks, nonce: u32) -> Option<Flow> {
        if passed(self.expires, age) {
            return None;
        }
        let mut word = self.state().with_nonce(nonce);
        word.set_revoked(false);
        word.set_source_vouched(false);
        let mut flow = Flow {
            word: word.0,
            expires: self.expires,
            generation: 0,
            end: self.end,
            max_end: self.max_end,
            max_window: self.max_window,
            max_ack: self.max_ack,
            last_sequence: self.last_sequence,
            last_ack: self.last_ack,
            last_end: self.last_end,
            last_window: self.last_window,
            window_scales: self.window_scales,
            last_options: self.last_options,
        };
        conntrack::shift(&mut flow, self.protocol, now.wrapping_sub(age));
        Some(flow)
    }

    /// The state word.
    pub fn state(&self) -> Word {
        Word(self.word).without_nonce()
    }

    fn check(&self) -> Result<(), String> {
        let (local, remote) = (Family::of(&self.local), Family::of(&self.remote));
        if local != remote {
            return Err(format!(
                "local = {}, remote = {}: they are of different families",
                self.local, self.remote
            ));
        }
        if (self.icmp_request != 0) != icmp::is_icmp(local, self.protocol) {
            return Err(format!(
                "icmp_request = {}: it names the query of ICMP, and nothing else has one",
                self.icmp_request
            ));
        }
        if self.expires as i32 <= 0 {
            let longest = seconds(i32::MAX as Ticks);
            return Err(format!(
                "expires = {}: no connection lives longer than {longest} s, or less than at all",
                self.expires
            ));
        }
        let state = self.state().state();
        let (name, is_none) = match self.protocol {
            protocol::TCP => ("TCP", tcp::State::from_number(state) == tcp::State::None),
            protocol::SCTP => ("SCTP", sctp::State::from_number(state) == sctp::State::None),
            _ => return Ok(()),
        };
        if is_none {
            return Err(format!("word = {}: {name} has no state {state}", self.word));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
