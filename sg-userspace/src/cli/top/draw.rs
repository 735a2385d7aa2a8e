//! The state, drawn. Whatever a colour says is said by a word or a sign as well.

use std::env;

use ratatui::{
    Frame,
    layout::{Alignment, Constraint, Layout, Rect},
    style::{Color, Style, Stylize},
    text::{Line, Span, Text},
    widgets::{Block, Borders, Cell, HighlightSpacing, Paragraph, Row, Table, TableState},
};
use sg_common::reason::DropReason;

use super::{
    number::{percent, rate},
    order::Column,
    rates::{DropRate, PortRates},
    state::{State, Whose},
};

/// Rows of the drops, with their headings.
const DROPS: u16 = 8;

/// Below this height there is no room for drops.
const LOW: u16 = 14;

/// From this width on there is room for interfaces, and from that on for groups.
const WIDE: [u16; 2] = [100, 130];

/// A share of the quota from which on it is time to look.
const NEARLY: f64 = 0.8;

const HELP: &str = "q quit  / filter  < > sort  r reverse  Enter its drops  Space pause  + - pace";

/// What is drawn, and what of it is to be known for the next time.
pub struct Screen {
    has_colours: bool,
    table: TableState,
    /// Rows of ports that fit.
    page: u16,
}

impl Screen {
    /// With colours, unless `NO_COLOR` is set.
    pub fn new() -> Self {
        let is_set = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self::with_colours(!is_set)
    }

    /// With colours or without.
    pub fn with_colours(has_colours: bool) -> Self {
        Self {
            has_colours,
            table: TableState::new(),
            page: 1,
        }
    }

    /// How many ports fit onto it.
    pub fn page(&self) -> usize {
        self.page.into()
    }

    /// Draws the state.
    pub fn draw(&mut self, frame: &mut Frame<'_>, state: &State) {
        let area = frame.area();
        let (whose, drops) = state.drops();
        let room = if area.height < LOW {
            0
        } else {
            DROPS.min(area.height / 3)
        };
        let notice = self.notice(state);
        let [head, note, ports, below, help] = Layout::vertical([
            Constraint::Length(1),
            Constraint::Length(notice.is_some().into()),
            Constraint::Fill(1),
            Constraint::Length(room),
            Constraint::Length(1),
        ])
        .areas(area);
        frame.render_widget(Line::from(summary(state)).bold(), head);
        if let Some(notice) = notice {
            frame.render_widget(notice, note);
        }
        self.draw_ports(frame, ports, state);
        self.draw_drops(frame, below, &whose, drops);
        frame.render_widget(Line::from(HELP).dim(), help);
    }

    /// What is to be known beside the numbers: trouble above all.
    fn notice(&self, state: &State) -> Option<Line<'static>> {
        if let Some(trouble) = &state.trouble {
            let text = format!("! {trouble}; tried again, what is shown is older");
            return Some(Line::styled(text, self.alarm()));
        }
        let (is_typing, filter) = (state.is_typing, &state.filter);
        let cursor = if is_typing { "_" } else { "" };
        (is_typing || !filter.is_empty()).then(|| Line::from(format!("filter: {filter}{cursor}")))
    }

    fn draw_ports(&mut self, frame: &mut Frame<'_>, area: Rect, state: &State) {
        self.page = area.height.saturating_sub(1);
        let rows = state.rows();
        let wide = WIDE.map(|width| area.width >= width);
        let header = Row::new(headings(state, wide)).underlined();
        let widths = widths(wide);
        if rows.is_empty() {
            let [above, below] =
                Layout::vertical([Constraint::Length(1), Constraint::Fill(1)]).areas(area);
            frame.render_widget(
                Table::new(Vec::<Row<'_>>::new(), widths).header(header),
                above,
            );
            let text = Paragraph::new(nothing(state)).alignment(Alignment::Center);
            frame.render_widget(text, below);
            return;
        }
        let rows = rows.into_iter().map(|port| self.row(port, wide));
        let table = Table::new(rows, widths)
            .header(header)
            .row_highlight_style(Style::new().reversed())
            .highlight_symbol("> ")
            .highlight_spacing(HighlightSpacing::Always);
        self.table.select(Some(state.cursor()));
        frame.render_stateful_widget(table, area, &mut self.table);
    }

    fn row(&self, port: &PortRates, [has_interfaces, has_groups]: [bool; 2]) -> Row<'static> {
        let rates = port.per_second.as_ref();
        let drops = rates.map(|rates| rates.drops);
        let assured = port.connections.map(|held| held.assured.to_string());
        let share = port.share();
        let loud = |is_loud: bool, style: Style| if is_loud { style } else { Style::new() };
        let mut cells = vec![Cell::from(port.called())];
        if has_interfaces {
            cells.push(Cell::from(port.place()));
        }
        if has_groups {
            let groups = port.security_groups.iter();
            let names = groups.map(|group| match group.name.as_str() {
                "" => group.id.as_str(),
                name => name,
            });
            cells.push(Cell::from(names.collect::<Vec<_>>().join(",")));
        }
        cells
            .push(Cell::from(port.state.as_str()).style(loud(port.state.is_leaky(), self.alarm())));
        let is_refusing = drops.is_some_and(|drops| drops > 0.0);
        let is_full = share.is_some_and(|share| share >= NEARLY);
        let numbers = [
            (rate(rates.map(|rates| rates.packets)), Style::new()),
            (rate(rates.map(|rates| rates.bytes)), Style::new()),
            (rate(drops), loud(is_refusing, self.warning())),
            (rate(rates.map(|rates| rates.new_connections)), Style::new()),
            (assured.unwrap_or("-".into()), Style::new()),
            (percent(share), loud(is_full, self.alarm())),
        ];
        cells.extend(numbers.map(|(text, style)| right(text).style(style)));
        Row::new(cells)
    }

    fn draw_drops(&self, frame: &mut Frame<'_>, area: Rect, whose: &Whose<'_>, drops: &[DropRate]) {
        let title = match whose {
            Whose::All => "Refused, all ports".into(),
            Whose::One(port) => format!("Refused, {} (Esc: all ports)", port.called()),
            Whose::Gone => "Refused: the port is not here any more (Esc: all ports)".into(),
        };
        let block = Block::new().borders(Borders::TOP).title(title);
        if drops.is_empty() {
            let text = Paragraph::new("nothing").block(block);
            frame.render_widget(text, area);
            return;
        }
        let rows = drops.iter().map(|drop| {
            let is_now = drop.per_second.is_some_and(|rate| rate > 0.0);
            let style = if is_now { self.warning() } else { Style::new() };
            let way = if drop.direction == "ingress" {
                "in"
            } else {
                "out"
            };
            Row::new([
                Cell::from(way),
                Cell::from(drop.reason.clone()),
                right(rate(drop.per_second)).style(style),
                right(drop.total.to_string()),
                Cell::from(meaning(&drop.reason)),
            ])
        });
        let widths = [
            Constraint::Length(3),
            Constraint::Length(21),
            Constraint::Length(8),
            Constraint::Length(10),
            Constraint::Fill(1),
        ];
        let header = ["WAY", "REASON"].map(Cell::from).into_iter();
        let header = header.chain(["DROPS/S", "TOTAL"].map(|text| right(text.into())));
        let header = Row::new(header.chain([Cell::from("WHY")])).underlined();
        frame.render_widget(Table::new(rows, widths).header(header).block(block), area);
    }

    fn alarm(&self) -> Style {
        self.coloured(Color::Red)
    }

    fn warning(&self) -> Style {
        self.coloured(Color::Yellow)
    }

    fn coloured(&self, colour: Color) -> Style {
        match self.has_colours {
            true => Style::new().bold().fg(colour),
            false => Style::new().bold(),
        }
    }
}

/// The node in a line.
fn summary(state: &State) -> Vec<Span<'static>> {
    let ports = &state.rates.ports;
    let known: Vec<_> = ports.iter().filter_map(|port| port.per_second).collect();
    let sum = |of: fn(&super::rates::PerSecond) -> f64| {
        let is_known = !known.is_empty();
        rate(is_known.then(|| known.iter().map(of).sum()))
    };
    let mut text = format!(
        "{} ports  {} packets/s  {} bytes/s  {} drops/s  {} new/s  every {}",
        ports.len(),
        sum(|rates| rates.packets),
        sum(|rates| rates.bytes),
        sum(|rates| rates.drops),
        sum(|rates| rates.new_connections),
        humantime::format_duration(state.pace),
    );
    if state.is_paused {
        text.push_str("  PAUSED");
    }
    vec![Span::from(text)]
}

fn headings(state: &State, [has_interfaces, has_groups]: [bool; 2]) -> Vec<Cell<'static>> {
    let mut cells = Vec::new();
    for column in Column::ALL {
        let arrow = match (column == state.order.column, state.order.is_reversed) {
            (false, _) => "",
            (true, false) => "↓",
            (true, true) => "↑",
        };
        let text = format!("{}{arrow}", column.heading());
        cells.push(match column {
            Column::Port | Column::State => Cell::from(text),
            _ => right(text),
        });
        if column == Column::Port {
            let more = [(has_interfaces, "INTERFACE"), (has_groups, "GROUPS")];
            let more = more.into_iter().filter(|(is_shown, _)| *is_shown);
            cells.extend(more.map(|(_, heading)| Cell::from(heading)));
        }
    }
    cells
}

fn widths([has_interfaces, has_groups]: [bool; 2]) -> Vec<Constraint> {
    let mut widths = vec![Constraint::Fill(2)];
    if has_interfaces {
        widths.push(Constraint::Length(20));
    }
    if has_groups {
        widths.push(Constraint::Fill(1));
    }
    widths.extend([10, 10, 8, 8, 6, 7, 6].map(Constraint::Length));
    widths
}

/// Why no port is shown.
fn nothing(state: &State) -> String {
    match (state.rates.ports.is_empty(), state.is_limited()) {
        (false, _) => format!(
            "no port has \"{}\" (Esc takes the filter off)",
            state.filter
        ),
        (true, true) => "no port of this node is what was asked for".into(),
        (true, false) => "no port is on this node".into(),
    }
}

/// The sentence of a reason; none for one that is not known here.
fn meaning(reason: &str) -> &'static str {
    let mut known = DropReason::ALL.iter();
    let known = known.find(|known| known.as_str() == reason);
    known.map_or("", |known| known.describe())
}

fn right(text: String) -> Cell<'static> {
    Cell::from(Text::from(text).alignment(Alignment::Right))
}
