//! Events for people: a line each, in columns whose widths are known before the first.

use jiff::tz::TimeZone;

use super::{Line, names::Names};
use crate::{
    cli::event::{packet_text, protocol_of, time_in},
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

    fn time(&self, time: &str) -> String {
        plain(&time_in(time, self.zone.clone()))
    }
}

impl LostView {
    /// How many of what.
    pub fn count(&self) -> String {
        let what = match self.action {
            EventAction::Accept => "openings of connections",
            EventAction::Drop => "refused packets",
            EventAction::End => "ends of connections",
            EventAction::Audit => "packets that no rule permits",
        };
        format!("{} {what} were not told", self.lost)
    }

    /// Why, and what helps.
    pub fn advice(&self) -> &'static str {
        match self.why {
            LostWhy::Rate => "there were more than --rate and --burst let through",
            LostWhy::Reader => "they were read too slowly",
            LostWhy::Log => "the log could not be written",
        }
    }
}
