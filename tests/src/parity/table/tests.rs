//! The table and `docs/semantics.md` cover each other.

use std::collections::BTreeSet;

use super::rows;

/// The first column of every table of the document.
fn numbered() -> BTreeSet<&'static str> {
    const SEMANTICS: &str = include_str!("../../../../docs/semantics.md");
    let number = |line: &'static str| line.strip_prefix("| ")?.split(" |").next();
    let is_number = |text: &&str| text.starts_with(|first: char| first.is_ascii_digit());
    SEMANTICS
        .lines()
        .filter_map(number)
        .filter(is_number)
        .collect()
}

#[test]
fn every_row_of_the_semantics_has_a_case_and_every_case_a_row() {
    let rows = rows();
    let covered: BTreeSet<&str> = rows
        .iter()
        .flat_map(|row| row.stands_for.split(", "))
        .collect();
    let numbered = numbered();
    assert!(numbered.len() > 80, "{numbered:?}");
    let without: Vec<_> = numbered.difference(&covered).collect();
    let unknown: Vec<_> = covered.difference(&numbered).collect();
    assert!(
        without.is_empty() && unknown.is_empty(),
        "without a case: {without:?}; not in the document: {unknown:?}"
    );
}

#[test]
fn no_two_cases_have_the_same_name() {
    let rows = rows();
    let mut seen = BTreeSet::new();
    for row in &rows {
        let name = (row.stands_for, &row.scenario.name);
        assert!(seen.insert(name), "{name:?}");
    }
}

#[test]
fn a_difference_is_written_as_such() {
    for row in rows() {
        let name = &row.scenario.name;
        assert!(
            row.deviation.is_none_or(|(_, here)| here != row.iptables),
            "{name}"
        );
    }
}
