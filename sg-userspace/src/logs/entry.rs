//! What is written of an event: its line, and the fields that journald keeps beside it.

use super::{neutron, ports::Ports};
use crate::{
    host::zone::local_time,
    settings::{Form, Target},
    view::{EventAction, EventLine, FlowRecord, LostView, PacketView, Recorded},
};

/// By which name journald knows these lines.
const IDENTIFIER: &str = "sgd-log";

/// Of syslog: what happened, and what an operator should know.
const INFO: &str = "6";
const WARNING: &str = "4";

/// What is to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// An event, or that events were lost.
    Event(EventLine),
    /// A record of a flow log.
    Record(FlowRecord),
}

/// It, as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// A line without its end.
    pub line: String,
    /// Names and values for journald; none for a file.
    pub fields: Vec<(&'static str, String)>,
}

impl Entry {
    /// An item in a form, for where it goes.
    pub fn of(item: &Item, form: Form, to: &Target, ports: &Ports) -> Self {
        let line = match item {
            Item::Record(record) => record.to_string(),
            Item::Event(event) if form == Form::Neutron => {
                let (port, time) = port_and_time(event);
                let line = neutron::line(event, &ports.project(port));
                match to {
                    Target::Journal => line,
                    Target::File(_) => prefixed(time, &line),
                }
            }
            // A line is strings and numbers: it has a JSON form.
            Item::Event(event) => serde_json::to_string(event).unwrap_or_default(),
        };
        let fields = match to {
            Target::Journal => fields(item, &line),
            Target::File(_) => Vec::new(),
        };
        Self { line, fields }
    }
}

fn port_and_time(event: &EventLine) -> (&str, &str) {
    match event {
        EventLine::Packet(packet) => (&packet.port, &packet.time),
        EventLine::Lost(lost) => (&lost.port, &lost.time),
    }
}

/// As Neutron's agent begins its lines in a file (`logging_default_format_string` of oslo.log).
fn prefixed(time: &str, line: &str) -> String {
    let process = std::process::id();
    format!(
        "{} {process} INFO {IDENTIFIER} [-] {line}",
        local_time(time)
    )
}

fn fields(item: &Item, line: &str) -> Vec<(&'static str, String)> {
    let lost = match item {
        Item::Event(EventLine::Lost(_)) => true,
        Item::Record(record) => record.what == Recorded::Skipped,
        Item::Event(EventLine::Packet(_)) => false,
    };
    let priority = if lost { WARNING } else { INFO };
    let mut fields = vec![
        ("MESSAGE", line.to_owned()),
        ("PRIORITY", priority.to_owned()),
        ("SYSLOG_IDENTIFIER", IDENTIFIER.to_owned()),
    ];
    match item {
        Item::Event(EventLine::Packet(packet)) => fields.extend(of_packet(packet)),
        Item::Event(EventLine::Lost(lost)) => fields.extend(of_lost(lost)),
        Item::Record(record) => fields.push(("SG_PORT", record.port.clone())),
    }
    fields
}

fn of_packet(packet: &PacketView) -> impl Iterator<Item = (&'static str, String)> {
    let number = |number: Option<u16>| number.map(|number| number.to_string());
    let all = [
        ("SG_TIME", Some(packet.time.clone())),
        ("SG_PORT", Some(packet.port.clone())),
        ("SG_DIRECTION", Some(packet.direction.clone())),
        ("SG_ACTION", packet.action.map(action)),
        ("SG_REASON", Some(packet.reason.clone())),
        ("SG_VLAN", number(packet.vlan)),
        ("SG_SOURCE", packet.source.clone()),
        ("SG_DESTINATION", packet.destination.clone()),
        ("SG_PROTOCOL", number(packet.protocol.map(u16::from))),
        ("SG_SOURCE_PORT", number(packet.source_port)),
        ("SG_DESTINATION_PORT", number(packet.destination_port)),
        ("SG_ICMP_TYPE", number(packet.icmp_type.map(u16::from))),
        ("SG_ICMP_CODE", number(packet.icmp_code.map(u16::from))),
        ("SG_TCP_FLAGS", packet.tcp_flags.clone()),
    ];
    all.into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
}

fn of_lost(lost: &LostView) -> [(&'static str, String); 5] {
    [
        ("SG_TIME", lost.time.clone()),
        ("SG_PORT", lost.port.clone()),
        ("SG_ACTION", action(lost.action)),
        ("SG_LOST", lost.lost.to_string()),
        ("SG_WHY", lost.why.as_str().to_owned()),
    ]
}

fn action(action: EventAction) -> String {
    action.as_str().to_owned()
}
