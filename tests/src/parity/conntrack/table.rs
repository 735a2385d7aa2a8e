//! Written cases and what nf_conntrack makes of them: one line a case, `NAME: SETUP: STEPS = EXPECTED`,
//! with ` | strict EXPECTED` and the like where it makes something else of it under other settings.
//!
//! A case that does not say `v4` or `v6` is played over both, with the same expectations, and one of TCP
//! that does not say `strict` or `tight` with all settings.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::expected::Expected;
use super::notation::{Case, Protocol};

/// The table that was written by hand.
pub const WRITTEN: &str = "table.txt";

/// Walks that have failed once.
pub const REGRESSIONS: &str = "regressions.txt";

/// A line of a file.
#[derive(Clone, Debug)]
pub struct Row {
    /// As it is written, without the expectations.
    line: String,
    /// The case, in every setup that it is played in.
    pub variants: Vec<Variant>,
}

/// A case in one setup, and what is expected of it.
#[derive(Clone, Debug)]
pub struct Variant {
    /// The case.
    pub case: Case,
    /// Nothing, if nobody has asked nf_conntrack yet.
    pub expected: Option<Expected>,
}

/// All rows of a file.
#[must_use]
pub fn rows(file: &str) -> Vec<Row> {
    let lines = read(file);
    let lines = lines.lines().filter(|line| is_row(line));
    lines
        .map(|line| row(line).unwrap_or_else(|e| panic!("{file}: {e:#}\n  in {line}")))
        .collect()
}

/// Writes the expectations into a file; all else in it stays.
pub fn record(file: &str, rows: &[Row]) {
    let mut text = String::new();
    for line in read(file).lines() {
        let (written, _) = line.split_once(" = ").unwrap_or((line, ""));
        let row = rows.iter().find(|row| is_row(line) && row.line == written);
        text += &row.map_or_else(|| line.to_owned(), show);
        text += "\n";
    }
    write(file, &text);
}

/// Adds a case to a file, unless it is there, with what is expected of it under all settings.
pub fn add(file: &str, case: &Case, mut expected: impl FnMut(&Case) -> Expected) {
    let line = case.to_string();
    if rows(file).iter().any(|known| known.line == line) {
        return;
    }
    let mut row = row(&line).unwrap_or_else(|e| panic!("{line}: {e:#}"));
    for variant in &mut row.variants {
        variant.expected = Some(expected(&variant.case));
    }
    write(file, &format!("{}{}\n", read(file), show(&row)));
}

fn path(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("parity/conntrack")
        .join(file)
}

fn read(file: &str) -> String {
    let path = path(file);
    fs::read_to_string(&path).unwrap_or_else(|e| panic!("cannot read {}: {e}", path.display()))
}

fn write(file: &str, text: &str) {
    let path = path(file);
    fs::write(&path, text).unwrap_or_else(|e| panic!("cannot write {}: {e}", path.display()));
}

fn is_row(line: &str) -> bool {
    !line.is_empty() && !line.starts_with('#')
}

fn row(line: &str) -> Result<Row> {
    let (written, expected) = match line.split_once(" = ") {
        Some((written, expected)) => (written, Some(expected)),
        None => (line, None),
    };
    let case: Case = written.parse()?;
    let setup = written.rsplit(": ").nth(1).unwrap_or_default();
    let says = |word: &str| setup.split_whitespace().any(|said| said == word);
    let both = |fixed: bool, value: bool| {
        if fixed {
            vec![value]
        } else {
            vec![false, true]
        }
    };
    let tcp = case.setup.protocol == Protocol::Tcp;
    let mut variants = Vec::new();
    for v6 in both(says("v4") || says("v6"), case.setup.v6) {
        for strict in both(!tcp || says("strict"), case.setup.strict) {
            for tight in both(!tcp || says("tight"), case.setup.tight) {
                let mut case = case.clone();
                (case.setup.v6, case.setup.strict, case.setup.tight) = (v6, strict, tight);
                let text = expected.map(|expected| text_for(expected, settings(&case)));
                let read = text.map(|text| Expected::read(text, &case));
                let expected = read.transpose().context("in what is expected")?;
                variants.push(Variant { case, expected });
            }
        }
    }
    Ok(Row {
        line: written.to_owned(),
        variants,
    })
}

/// How the settings of a case are marked where they make a difference.
fn settings(case: &Case) -> &'static str {
    match (case.setup.strict, case.setup.tight) {
        (false, false) => "",
        (true, false) => "strict ",
        (false, true) => "tight ",
        (true, true) => "strict tight ",
    }
}

/// The part of the expectations for some settings, or else the first.
fn text_for<'a>(expected: &'a str, settings: &str) -> &'a str {
    let mut parts = expected.split(" | ");
    let first = parts.next().unwrap_or_default();
    // The longest fits: `strict ` begins `strict tight ` as well.
    let fitting = parts.filter_map(|part| {
        let rest = part
            .strip_prefix(settings)
            .filter(|_| !settings.is_empty())?;
        (!rest.starts_with("tight ")).then_some(rest)
    });
    fitting.last().unwrap_or(first)
}

fn show(row: &Row) -> String {
    let mut parts: Vec<String> = Vec::new();
    for variant in row
        .variants
        .iter()
        .filter(|variant| variant.case.setup.v6 == row.variants[0].case.setup.v6)
    {
        let Some(expected) = &variant.expected else {
            continue;
        };
        let text = expected.show(&variant.case);
        if parts.first() != Some(&text) {
            let settings = if parts.is_empty() {
                ""
            } else {
                settings(&variant.case)
            };
            parts.push(format!("{settings}{text}"));
        }
    }
    match parts.is_empty() {
        true => row.line.clone(),
        false => format!("{} = {}", row.line, parts.join(" | ")),
    }
}

#[cfg(test)]
mod tests {
    use super::{row, show};

    #[test]
    fn what_is_expected_is_read_back() {
        for line in [
            "a: tcp: >S <SA >A(seq=7) = NEE, ESTABLISHED 432000 replied assured | strict NEI, SYN_RECV 60",
            "a: tcp: >A = N, - | tight I, - | strict tight i, -",
            "a: udp v6: > +20",
        ] {
            assert_eq!(show(&row(line).unwrap()), line);
        }
    }

    #[test]
    fn settings_without_a_mark_expect_the_same() {
        let row = row("a: tcp v4: >A = N, - | strict I, -").unwrap();
        let texts = row.variants.iter().map(|variant| {
            variant
                .expected
                .as_ref()
                .map_or_else(String::new, |expected| expected.show(&variant.case))
        });
        assert_eq!(texts.collect::<Vec<_>>(), ["N, -", "N, -", "I, -", "N, -"]);
    }
}
