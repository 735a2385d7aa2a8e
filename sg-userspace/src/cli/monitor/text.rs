//! Events for people: a line each, in columns whose widths are known before the first.

use jiff::{Timestamp, tz::TimeZone};

use super::{Line, names::Names};
use crate::{
    model::protocol,
    packet::from_hex,
    plain::plain,
    view::{EventAction, LostView, LostWhy, PacketView},
};

/// The widest that the column of ports is made.
const WIDEST: usize = 24;

/// The columns, and the clock that people read.
pub struct Columns {
    port: usize,
    zone: TimeZone,
}

impl Columns {
    /// For ports whose longest name has so many characters.
    pub fn new(longest: usize, zone: TimeZone) -> Self {
        Self {
            port: longest.clamp("PORT".len(), WIDEST),
            zone,
        }
    }

    /// What stands above the lines.
    pub fn header(&self) -> String {
        self.row(
            "TIME", "ACTION", "PORT", "WAY", "REASON", "PROTOCOL", "PACKET",
        )
    }

    /// An event as a line.
    pub fn line(&self, line: &Line, names: &Names) -> String {
        match line {
            Line::Packet(packet) => self.packet(packet, names),
            Line::Lost(lost) => self.lost(lost, names),
        }
    }

    fn packet(&self, packet: &PacketView, names: &Names) -> String {
        let action = packet.action.map_or("-", EventAction::as_str);
        let way = match packet.direction.as_str() {
            "ingress" => "in",
            _ => "out",
        };
        self.row(
            &self.time(&packet.time),
            action,
            &names.port(&packet.port),
            way,
            &plain(&packet.reason),
            &protocol_of(packet),
            &plain(&packet_text(packet)),
        )
    }

    fn lost(&self, lost: &LostView, names: &Names) -> String {
        let text = format!("{}: {}", lost.count(), lost.advice());
        let (time, port) = (self.time(&lost.time), names.port(&lost.port));
        self.row(&time, "LOST", &port, "-", "-", "-", &text)
    }

    #[expect(clippy::too_many_arguments, reason = "a cell each")]
    fn row(
        &self,
        time: &str,
        action: &str,
        port: &str,
        way: &str,
        reason: &str,
        protocol: &str,
        packet: &str,
    ) -> String {
        let width = self.port;
        format!(
            "{time:<23}  {action:<6}  {port:<width$}  {way:<3}  {reason:<20}  {protocol:<9}  {packet}\n"
        )
    }

    /// A moment by the clock of this place; as it is, if it is none.
    fn time(&self, time: &str) -> String {
        let Ok(moment) = time.parse::<Timestamp>() else {
            return plain(time);
        };
        let moment = moment.to_zoned_datetime(self.zone.clone());
        moment.strftime("%Y-%m-%d %H:%M:%S%.3f").to_string()
    }
}

impl LostView {
    /// How many of what.
    pub fn count(&self) -> String {
        let what = match self.action {
            EventAction::Accept => "openings of connections",
            EventAction::Drop => "refused packets",
        };
        format!("{} {what} were not told", self.lost)
    }

    /// Why, and what helps.
    pub fn advice(&self) -> &'static str {
        match self.why {
            LostWhy::Rate => "there were more than --rate and --burst let through",
            LostWhy::Reader => "they were read too slowly",
        }
    }
}

/// The protocol of IP, or else what the frame carries.
fn protocol_of(packet: &PacketView) -> String {
    match packet.protocol {
        Some(number) => protocol::name(number).map_or_else(|| number.to_string(), str::to_owned),
        None => match ethertype(packet) {
            Some(0x0806) => "arp".into(),
            Some(other) => format!("{other:#06x}"),
            None => "-".into(),
        },
    }
}

/// The ethertype behind a tag, if the frame has one and is whole so far.
fn ethertype(packet: &PacketView) -> Option<u16> {
    let bytes = from_hex(&packet.frame).ok()?;
    let at = |place: usize| -> Option<u16> {
        let pair = bytes.get(place..place + 2)?;
        Some(u16::from_be_bytes([pair[0], pair[1]]))
    };
    match at(12)? {
        0x8100 | 0x88a8 => at(16),
        other => Some(other),
    }
}

fn packet_text(packet: &PacketView) -> String {
    let mut words = vec![ends(packet)];
    if let (Some(kind), Some(code)) = (packet.icmp_type, packet.icmp_code) {
        words.push(format!("type {kind} code {code}"));
    }
    words.extend(packet.tcp_flags.clone());
    if let Some(vlan) = packet.vlan {
        words.push(format!("VLAN {vlan}"));
    }
    words.push(format!("{} bytes", packet.length));
    words.join(" ")
}

fn ends(packet: &PacketView) -> String {
    match (&packet.source, &packet.destination) {
        (Some(source), Some(destination)) => format!(
            "{} > {}",
            end(source, packet.source_port),
            end(destination, packet.destination_port)
        ),
        _ => macs(packet),
    }
}

fn end(address: &str, port: Option<u16>) -> String {
    match port {
        Some(port) if address.contains(':') => format!("[{address}]:{port}"),
        Some(port) => format!("{address}:{port}"),
        None => address.to_owned(),
    }
}

/// Who speaks to whom where there are no addresses of IP.
fn macs(packet: &PacketView) -> String {
    let digits = |range| packet.frame.get(range).map(mac).unwrap_or_default();
    format!("{} > {}", digits(12..24), digits(0..12))
}

fn mac(digits: &str) -> String {
    let pairs = digits.as_bytes().chunks(2);
    let pairs: Vec<_> = pairs.map(|pair| String::from_utf8_lossy(pair)).collect();
    pairs.join(":")
}
