//! Events as VPC flow log records, of single packets.

use jiff::Timestamp;

use super::Line;
use crate::{
    plain::plain,
    view::{EventAction, FlowRecord, FlowTuple, LostView, PacketView, Recorded, Span, Tally},
};

/// A record; nothing for what has no addresses and for ends, of which there are none in such a log.
pub fn line(line: &Line) -> Option<String> {
    let record = match line {
        Line::Packet(packet) => record(packet)?,
        Line::Lost(lost) => skipped(lost),
    };
    Some(format!("{record}\n"))
}

fn record(packet: &PacketView) -> Option<FlowRecord> {
    let passed = match packet.action? {
        EventAction::Accept | EventAction::Audit => true,
        EventAction::Drop => false,
        EventAction::End => return None,
    };
    let what = Recorded::Packets {
        flow: FlowTuple::of(packet)?,
        count: Tally {
            packets: 1,
            bytes: packet.length.into(),
        },
        passed,
    };
    Some(at(&packet.time, &packet.port, what))
}

/// Some records were skipped during the interval.
fn skipped(lost: &LostView) -> FlowRecord {
    at(&lost.time, &lost.port, Recorded::Skipped)
}

/// A record of a moment.
fn at(time: &str, port: &str, what: Recorded) -> FlowRecord {
    let moment = time.parse::<Timestamp>().unwrap_or_default().as_second();
    FlowRecord {
        account: String::new(),
        port: plain(port),
        span: Span {
            start: moment,
            end: moment,
        },
        what,
    }
}
