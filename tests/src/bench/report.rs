//! What a run has found: tables of rows, each with a cell for everybody who was measured; for people and as JSON.

use std::fmt::{self, Write};

use comfy_table::{CellAlignment, Table, presets};
use serde::{Deserialize, Serialize};

use super::side::Who;
use super::statistics::Cell;

/// What a median of something against itself may be off by.
const STEADY: f64 = 0.05;

/// All of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The kernel and how many cores there are.
    pub machine: String,
    /// `quick` or `full`.
    pub extent: String,
    /// What was measured.
    pub sections: Vec<Section>,
}

/// Rows that are measured in the same way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Section {
    /// What is measured.
    pub title: String,
    /// What ratios are to; nothing where costs are what tells.
    pub to: Option<String>,
    /// What costs are in.
    pub unit: String,
    /// Who is the reference itself: its ratio is the control.
    pub control: Option<String>,
    /// What was found.
    pub rows: Vec<Row>,
}

/// One thing, of everybody.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// What it is.
    pub name: String,
    /// What it costs whom.
    pub cells: Vec<Cell>,
}

impl Section {
    /// Without rows, with ratios to something that everybody knows, and that is measured against itself.
    #[must_use]
    pub fn of_ratios(title: &str, to: &str, unit: &str, control: Who) -> Self {
        Self {
            title: title.to_owned(),
            to: Some(to.to_owned()),
            unit: unit.to_owned(),
            control: Some(control.to_string()),
            rows: Vec::new(),
        }
    }

    /// Without rows, of costs.
    #[must_use]
    pub fn of_costs(title: &str, unit: &str) -> Self {
        Self {
            title: title.to_owned(),
            to: None,
            unit: unit.to_owned(),
            control: None,
            rows: Vec::new(),
        }
    }

    /// What the reference against itself is off by in a row, and what may be made of differences in it: a part
    /// of 1.
    #[must_use]
    pub fn unsteadiness(&self, row: &Row) -> (f64, f64) {
        let control = self.control.as_ref();
        let control = control.and_then(|control| row.cell(control));
        control.map_or((0.0, 0.0), |cell| {
            ((cell.ratio.median - 1.0).abs(), cell.ratio.width())
        })
    }

    /// Whether the reference is itself in a row.
    #[must_use]
    pub fn is_steady(&self, row: &Row) -> bool {
        self.unsteadiness(row).0 <= STEADY
    }

    /// Everybody who was measured, in the order of their first row.
    #[must_use]
    pub fn everybody(&self) -> Vec<&str> {
        let mut all = Vec::new();
        for cell in self.rows.iter().flat_map(|row| &row.cells) {
            if !all.contains(&cell.who.as_str()) {
                all.push(cell.who.as_str());
            }
        }
        all
    }
}

impl Row {
    /// What it costs somebody.
    #[must_use]
    pub fn cell(&self, who: &str) -> Option<&Cell> {
        self.cells.iter().find(|cell| cell.who == who)
    }
}

impl Report {
    /// The rows in which the reference is not itself, by name.
    #[must_use]
    pub fn unsteady(&self) -> Vec<String> {
        let mut found = Vec::new();
        for section in &self.sections {
            for row in section.rows.iter().filter(|row| !section.is_steady(row)) {
                let (off, _) = section.unsteadiness(row);
                found.push(format!(
                    "{}: {}: off by {:.0} %",
                    section.title,
                    row.name,
                    off * 100.0
                ));
            }
        }
        found
    }

    /// For programs.
    #[must_use]
    pub fn json(&self) -> String {
        let text = serde_json::to_string_pretty(self);
        text.unwrap_or_else(|e| panic!("a report is JSON: {e}")) + "\n"
    }

    /// Reads what [`Report::json`] has written.
    ///
    /// # Errors
    /// Says what is wrong with the text.
    pub fn read(text: &str) -> Result<Self, String> {
        serde_json::from_str(text).map_err(|e| e.to_string())
    }

    /// Tables for Markdown.
    #[must_use]
    pub fn markdown(&self) -> String {
        self.sections.iter().map(|s| s.table(true)).collect()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.machine)?;
        self.sections
            .iter()
            .try_for_each(|section| f.write_str(&section.table(false)))
    }
}

impl Section {
    fn table(&self, markdown: bool) -> String {
        let everybody = self.everybody();
        let mut table = Table::new();
        table.load_style(match markdown {
            true => presets::ASCII_MARKDOWN,
            false => presets::NOTHING,
        });
        table.set_header([""].into_iter().chain(everybody.iter().copied()));
        for row in &self.rows {
            let cells = everybody.iter().map(|who| match row.cell(who) {
                None => String::new(),
                Some(cell) => self.words(cell),
            });
            table.add_row([row.name.clone()].into_iter().chain(cells));
        }
        for number in 1..=everybody.len() {
            if let Some(column) = table.column_mut(number) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        let mut text = String::new();
        let heading = match &self.to {
            Some(to) => format!("{}, to {to}", self.title),
            None => format!("{}, {}", self.title, self.unit),
        };
        let _ = match markdown {
            true => writeln!(text, "\n**{heading}**\n\n{table}"),
            false => writeln!(text, "\n{heading}\n{table}"),
        };
        text
    }

    fn words(&self, cell: &Cell) -> String {
        let spread = if self.to.is_some() {
            &cell.ratio
        } else {
            &cell.cost
        };
        let places = match spread.median {
            median if median.abs() < 20.0 => 2,
            median if median.abs() < 200.0 => 1,
            _ => 0,
        };
        match spread.low == spread.high {
            true => format!("{:.places$}", spread.median),
            false => format!(
                "{:.places$} ({:.places$} to {:.places$})",
                spread.median, spread.low, spread.high
            ),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::bench::statistics::Spread;

    /// A report of one row: the control, and ours.
    pub fn report(control: f64, ours: f64) -> Report {
        let cell = |who: Who, ratio: f64| Cell {
            who: who.to_string(),
            ratio: Spread {
                low: ratio * 0.98,
                median: ratio,
                high: ratio * 1.02,
            },
            cost: Spread::of(vec![900.0 * ratio]),
            discarded: 0,
        };
        let mut section = Section::of_ratios("A packet", "an empty program", "ns", Who::Empty);
        section.rows.push(Row {
            name: "established".into(),
            cells: vec![cell(Who::Empty, control), cell(Who::Ours, ours)],
        });
        Report {
            machine: "Linux".into(),
            extent: "quick".into(),
            sections: vec![section],
        }
    }

    #[test]
    fn a_row_whose_reference_is_not_itself_is_named() {
        assert!(report(1.04, 1.2).unsteady().is_empty());
        let named = report(0.94, 1.2).unsteady();
        assert_eq!(named, ["A packet: established: off by 6 %"]);
    }

    #[test]
    fn the_table_has_a_column_for_everybody_and_says_what_ratios_are_to() {
        let text = report(1.0, 1.25).to_string();
        assert!(text.contains("A packet, to an empty program"), "{text}");
        assert!(text.contains("1.25 (1.23 to 1.27)"), "{text}");
        let markdown = report(1.0, 1.25).markdown();
        assert!(markdown.contains("| established |"), "{markdown}");
    }

    #[test]
    fn what_is_written_as_json_is_read_again() {
        let report = report(1.0, 1.25);
        assert_eq!(Report::read(&report.json()), Ok(report));
    }
}
