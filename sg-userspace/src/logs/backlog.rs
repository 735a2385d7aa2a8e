//! What is to be written of events, and what could not be.

use std::collections::BTreeMap;
use std::time::SystemTime;

use crate::{
    events::time,
    view::{EventAction, EventLine, LostView, LostWhy},
};

/// Events on their way into a log.
#[derive(Debug, Default)]
pub struct Backlog {
    events: Vec<EventLine>,
    /// What is missing and not told in the log yet.
    lost: BTreeMap<(String, EventAction, LostWhy), u64>,
}

impl Backlog {
    /// Takes an event.
    pub fn take(&mut self, event: EventLine) {
        self.events.push(event);
    }

    /// All that is to be written now, first of all what was lost.
    pub fn due(&mut self, now: SystemTime) -> Vec<EventLine> {
        let now = time(now);
        let lost = std::mem::take(&mut self.lost).into_iter();
        let lost = lost.map(|((port, action, why), lost)| {
            EventLine::Lost(LostView {
                time: now.clone(),
                lost,
                port,
                action,
                why,
            })
        });
        lost.chain(std::mem::take(&mut self.events)).collect()
    }

    /// Takes back what could not be written. Returns how many events are lost by that: what tells of others is kept.
    pub fn lose(&mut self, event: EventLine) -> u64 {
        let (key, count, new) = match event {
            EventLine::Lost(lost) => ((lost.port, lost.action, lost.why), lost.lost, 0),
            EventLine::Packet(packet) => {
                let Some(action) = packet.action else {
                    return 0;
                };
                ((packet.port, action, LostWhy::Log), 1, 1)
            }
        };
        *self.lost.entry(key).or_default() += count;
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::PacketView;

    fn packet(port: &str, action: EventAction) -> EventLine {
        EventLine::Packet(Box::new(PacketView {
            port: port.into(),
            action: Some(action),
            ..PacketView::default()
        }))
    }

    fn lost(lines: &[EventLine]) -> Vec<(&str, EventAction, LostWhy, u64)> {
        let lines = lines.iter().map(|line| match line {
            EventLine::Lost(lost) => (lost.port.as_str(), lost.action, lost.why, lost.lost),
            EventLine::Packet(packet) => panic!("{packet:?}"),
        });
        lines.collect()
    }

    #[test]
    fn what_could_not_be_written_is_a_line_for_each_port_and_action_until_that_is_written() {
        let mut backlog = Backlog::default();
        let mut missing = 0;
        for (port, action) in [
            ("WEB", EventAction::Drop),
            ("DB", EventAction::Accept),
            ("WEB", EventAction::Drop),
        ] {
            missing += backlog.lose(packet(port, action));
        }
        assert_eq!(missing, 3);
        let mut due = backlog.due(SystemTime::now());
        let all = [
            ("DB", EventAction::Accept, LostWhy::Log, 1),
            ("WEB", EventAction::Drop, LostWhy::Log, 2),
        ];
        assert_eq!(lost(&due), all);
        assert_eq!(backlog.due(SystemTime::now()), [], "once");
        // The second could not be written: it is told again, and nothing is lost by that.
        assert_eq!(backlog.lose(due.remove(1)), 0);
        assert_eq!(lost(&backlog.due(SystemTime::now())), all[1..]);
    }

    #[test]
    fn what_is_told_of_others_as_lost_keeps_its_count_and_its_cause() {
        let mut backlog = Backlog::default();
        let over_rate = LostView {
            time: String::new(),
            lost: 4711,
            port: "WEB".into(),
            action: EventAction::Drop,
            why: LostWhy::Rate,
        };
        assert_eq!(backlog.lose(EventLine::Lost(over_rate.clone())), 0);
        assert_eq!(backlog.lose(EventLine::Lost(over_rate)), 0);
        assert_eq!(backlog.lose(packet("WEB", EventAction::Drop)), 1);
        backlog.take(packet("WEB", EventAction::Drop));
        let due = backlog.due(SystemTime::now());
        assert_eq!(
            lost(&due[..2]),
            [
                ("WEB", EventAction::Drop, LostWhy::Rate, 9422),
                ("WEB", EventAction::Drop, LostWhy::Log, 1)
            ]
        );
        assert_eq!(
            due[2],
            packet("WEB", EventAction::Drop),
            "behind what is missing"
        );
    }
}
