//! Events as VPC flow log records, version 2, in the order of their default fields:
//! `version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action
//! log-status`.

use jiff::Timestamp;

use super::Line;
use crate::{
    plain::plain,
    view::{EventAction, LostView, PacketView},
};

/// A record; nothing for what has no addresses and for ends, of which there are none in such a log.
pub fn line(line: &Line) -> Option<String> {
    match line {
        Line::Packet(packet) => record(packet),
        Line::Lost(lost) => Some(skipped(lost)),
    }
}

fn record(packet: &PacketView) -> Option<String> {
    let (source, destination) = (packet.source.as_ref()?, packet.destination.as_ref()?);
    let action = match packet.action? {
        EventAction::Accept | EventAction::Audit => "ACCEPT",
        EventAction::Drop => "REJECT",
        EventAction::End => return None,
    };
    let time = seconds(&packet.time);
    Some(format!(
        "2 - {port} {source} {destination} {from} {to} {protocol} 1 {bytes} {time} {time} {action} OK\n",
        port = plain(&packet.port),
        source = plain(source),
        destination = plain(destination),
        from = packet.source_port.unwrap_or_default(),
        to = packet.destination_port.unwrap_or_default(),
        protocol = packet.protocol.unwrap_or_default(),
        bytes = packet.length,
    ))
}

/// Some records were skipped during the interval.
fn skipped(lost: &LostView) -> String {
    let time = seconds(&lost.time);
    format!(
        "2 - {} - - - - - - - {time} {time} - SKIPDATA\n",
        plain(&lost.port)
    )
}

fn seconds(time: &str) -> i64 {
    let moment = time.parse::<Timestamp>().unwrap_or_default();
    moment.as_second()
}
