//! VPC flow log records, version 2, in the order of their default fields.

use std::fmt;
use std::net::IpAddr;

use super::PacketView;

/// A record: `version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end
/// action log-status`. As text it is a line without its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlowRecord {
    /// The project, without spaces; empty if it is not known.
    pub account: String,
    /// The port's id.
    pub port: String,
    /// Of which time.
    pub span: Span,
    /// What is recorded.
    pub what: Recorded,
}

/// Seconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// From here on.
    pub start: i64,
    /// Until here.
    pub end: i64,
}

/// What a record says of its time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recorded {
    /// Packets with the same addresses and ports.
    Packets {
        /// Which.
        flow: FlowTuple,
        /// How many.
        count: Tally,
        /// Whether they passed.
        passed: bool,
    },
    /// There were none.
    Nothing,
    /// Some are not recorded.
    Skipped,
}

/// Packets and bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Packets.
    pub packets: u64,
    /// Their bytes, with Ethernet headers.
    pub bytes: u64,
}

/// Addresses and ports, as packets of one direction have them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct FlowTuple {
    /// From here.
    pub source: IpAddr,
    /// To there.
    pub destination: IpAddr,
    /// From this port; 0 where there are none.
    pub source_port: u16,
    /// To this port; 0 where there are none.
    pub destination_port: u16,
    /// Protocol of IP.
    pub protocol: u8,
}

impl fmt::Display for FlowRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let account = match self.account.as_str() {
            "" => "-",
            account => account,
        };
        let Self { port, span, .. } = self;
        let Span { start, end } = span;
        write!(f, "2 {account} {port} ")?;
        match &self.what {
            Recorded::Packets {
                flow,
                count: Tally { packets, bytes },
                passed,
            } => {
                let action = if *passed { "ACCEPT" } else { "REJECT" };
                write!(f, "{flow} {packets} {bytes} {start} {end} {action} OK")
            }
            Recorded::Nothing => write!(f, "- - - - - - - {start} {end} - NODATA"),
            Recorded::Skipped => write!(f, "- - - - - - - {start} {end} - SKIPDATA"),
        }
    }
}

impl FlowTuple {
    /// Of a packet; `None` if it has no addresses of IP.
    pub fn of(packet: &PacketView) -> Option<Self> {
        let address = |text: &Option<String>| text.as_ref()?.parse().ok();
        Some(Self {
            source: address(&packet.source)?,
            destination: address(&packet.destination)?,
            source_port: packet.source_port.unwrap_or_default(),
            destination_port: packet.destination_port.unwrap_or_default(),
            protocol: packet.protocol.unwrap_or_default(),
        })
    }
}

impl fmt::Display for FlowTuple {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            source,
            destination,
            source_port,
            destination_port,
            protocol,
        } = self;
        write!(
            f,
            "{source} {destination} {source_port} {destination_port} {protocol}"
        )
    }
}
