//! What is on the screen, and what a key does to it.

use std::time::Duration;

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::{
    order::{Order, matches},
    rates::{DropRate, PortRates, Rates},
    scope::Scope,
};
use crate::{error::Result, view::SampleView};

/// The paces that the keys go through.
const PACES: [Duration; 8] = [
    Duration::from_millis(200),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(5),
    Duration::from_secs(10),
    Duration::from_secs(30),
    Duration::from_secs(60),
];

/// All that the screen shows.
pub struct State {
    scope: Scope,
    /// What was read last, also while nothing of it is shown.
    last: Option<SampleView>,
    /// What is shown.
    pub rates: Rates,
    /// Why nothing newer can be shown.
    pub trouble: Option<String>,
    pub order: Order,
    /// How many ports are shown at most.
    limit: usize,
    /// Time between samples.
    pub pace: Duration,
    pub is_paused: bool,
    /// Words that the ports must have.
    pub filter: String,
    /// Whether keys are taken for letters of them.
    pub is_typing: bool,
    /// The row that the cursor is at.
    cursor: usize,
    /// Id of the port whose drops are shown; those of all if there is none.
    chosen: Option<String>,
}

/// Whose drops are shown.
pub enum Whose<'a> {
    /// Those of all ports.
    All,
    /// Those of one.
    One(&'a PortRates),
    /// Of one that is not here any more.
    Gone,
}

impl State {
    /// Before the first sample.
    pub fn new(scope: Scope, order: Order, limit: Option<usize>, pace: Duration) -> Self {
        Self {
            scope,
            last: None,
            rates: Rates::default(),
            trouble: None,
            order,
            limit: limit.unwrap_or(usize::MAX),
            pace,
            is_paused: false,
            filter: String::new(),
            is_typing: false,
            cursor: 0,
            chosen: None,
        }
    }

    /// Takes what was read, or why it could not be. What is shown while it is paused stays.
    pub fn take(&mut self, answer: Result<SampleView>) {
        match answer.and_then(|sample| self.scope.shown(sample)) {
            Ok(sample) => {
                if !self.is_paused {
                    self.rates = Rates::between(self.last.as_ref(), &sample);
                }
                self.last = Some(sample);
                self.trouble = None;
            }
            Err(error) => self.trouble = Some(error.to_string()),
        }
        self.keep_cursor();
    }

    /// The ports that are shown, in their order.
    pub fn rows(&self) -> Vec<&PortRates> {
        let ports = self.rates.ports.iter();
        let mut rows: Vec<_> = ports.filter(|port| matches(port, &self.filter)).collect();
        self.order.sort(&mut rows);
        rows.truncate(self.limit);
        rows
    }

    /// Whose drops are shown, and these.
    pub fn drops(&self) -> (Whose<'_>, &[DropRate]) {
        let Some(chosen) = &self.chosen else {
            return (Whose::All, &self.rates.drops);
        };
        let mut ports = self.rates.ports.iter();
        match ports.find(|port| port.port == *chosen) {
            Some(port) => (Whose::One(port), &port.drops),
            None => (Whose::Gone, &[]),
        }
    }

    /// Whether only some ports were asked for at all.
    pub fn is_limited(&self) -> bool {
        self.scope.is_limited()
    }

    /// The row that the cursor is at.
    pub fn cursor(&self) -> usize {
        self.cursor
    }

    /// Does what a key says, where so many rows make a page. Returns whether it ends here.
    pub fn press(&mut self, key: KeyEvent, page: usize) -> bool {
        let is_control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Char('c') if is_control => return true,
            KeyCode::Char(_) if is_control => {}
            code if self.is_typing => self.spell(code),
            KeyCode::Char('q') => return true,
            code => self.command(code, page.max(1)),
        }
        self.keep_cursor();
        false
    }

    fn spell(&mut self, code: KeyCode) {
        match code {
            KeyCode::Char(letter) => self.filter.push(letter),
            KeyCode::Backspace => drop(self.filter.pop()),
            KeyCode::Enter | KeyCode::Up | KeyCode::Down => self.is_typing = false,
            KeyCode::Esc => {
                self.filter.clear();
                self.is_typing = false;
            }
            _ => {}
        }
        self.cursor = 0;
    }

    fn command(&mut self, code: KeyCode, page: usize) {
        use super::order::Column::{self, Bytes, Connections, Drops, New, Packets, Port, Quota};
        let columns = Column::ALL.len();
        match code {
            KeyCode::Char('/') => self.is_typing = true,
            KeyCode::Char(' ') => self.is_paused = !self.is_paused,
            KeyCode::Char('+') => self.pace = faster(self.pace),
            KeyCode::Char('-') => self.pace = slower(self.pace),
            KeyCode::Char('r') => self.order.is_reversed = !self.order.is_reversed,
            KeyCode::Char('>') | KeyCode::Right => self.order_by(self.order.column.next(1)),
            KeyCode::Char('<') | KeyCode::Left => {
                self.order_by(self.order.column.next(columns - 1))
            }
            KeyCode::Char('o') => self.order_by(Port),
            KeyCode::Char('p') => self.order_by(Packets),
            KeyCode::Char('b') => self.order_by(Bytes),
            KeyCode::Char('d') => self.order_by(Drops),
            KeyCode::Char('n') => self.order_by(New),
            KeyCode::Char('c') => self.order_by(Connections),
            KeyCode::Char('u') => self.order_by(Quota),
            KeyCode::Char('k') | KeyCode::Up => self.cursor = self.cursor.saturating_sub(1),
            KeyCode::Char('j') | KeyCode::Down => self.cursor += 1,
            KeyCode::PageUp => self.cursor = self.cursor.saturating_sub(page),
            KeyCode::PageDown => self.cursor += page,
            KeyCode::Home => self.cursor = 0,
            KeyCode::End => self.cursor = usize::MAX,
            KeyCode::Enter => {
                let chosen = self.rows().get(self.cursor).map(|port| port.port.clone());
                self.chosen = chosen.filter(|port| self.chosen.as_ref() != Some(port));
            }
            // One thing at a time: the port, then the filter.
            KeyCode::Esc => match self.chosen.take() {
                Some(_) => {}
                None => self.filter.clear(),
            },
            _ => {}
        }
    }

    fn order_by(&mut self, column: super::order::Column) {
        self.order = Order {
            column,
            is_reversed: false,
        };
    }

    fn keep_cursor(&mut self) {
        let last = self.rows().len().saturating_sub(1);
        self.cursor = self.cursor.min(last);
    }
}

fn faster(pace: Duration) -> Duration {
    let shorter = PACES.into_iter().rev().find(|other| *other < pace);
    shorter.unwrap_or(pace)
}

fn slower(pace: Duration) -> Duration {
    let longer = PACES.into_iter().find(|other| *other > pace);
    longer.unwrap_or(pace)
}
