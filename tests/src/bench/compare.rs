//! What has become dearer since the figures that are recorded.

use super::report::Report;
use super::side::Who;

/// How much dearer is told, beyond what the reference itself varies by in both runs.
const TOLERANCE: f64 = 0.10;

/// Says of each ratio of this build that is worse than the recorded one by more than a tenth by how much it is.
/// Only what both runs have measured is compared.
#[must_use]
pub fn dearer(recorded: &Report, now: &Report) -> Vec<String> {
    let mut found = Vec::new();
    for section in &now.sections {
        let Some(old) = recorded
            .sections
            .iter()
            .find(|old| old.title == section.title && old.to == section.to)
        else {
            continue;
        };
        for row in &section.rows {
            let Some(old_row) = old.rows.iter().find(|old| old.name == row.name) else {
                continue;
            };
            let noise = section.unsteadiness(row).1 + old.unsteadiness(old_row).1;
            for cell in row.cells.iter().filter(|cell| Who::is_ours(&cell.who)) {
                let Some(before) = old_row.cell(&cell.who) else {
                    continue;
                };
                let (before, after) = match section.to {
                    Some(_) => (before.ratio.median, cell.ratio.median),
                    // Costs of no reference are compared where machines make no difference.
                    None if section.unit == "bytes" => (before.cost.median, cell.cost.median),
                    None => continue,
                };
                if after > before * (1.0 + TOLERANCE + noise) {
                    found.push(format!(
                        "{}: {}: {}: {after:.2}, recorded {before:.2}",
                        section.title, row.name, cell.who
                    ));
                }
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::report::tests::report;

    #[test]
    fn what_is_dearer_by_more_than_a_tenth_and_the_noise_is_told() {
        let recorded = report(1.0, 1.2);
        assert!(dearer(&recorded, &report(1.0, 1.2 * 1.13)).is_empty());
        let told = dearer(&recorded, &report(1.0, 1.2 * 1.16));
        assert_eq!(
            told,
            ["A packet: established: ours, tc: 1.39, recorded 1.20"]
        );
    }

    #[test]
    fn what_is_cheaper_or_was_not_recorded_is_not_told() {
        assert!(dearer(&report(1.0, 1.2), &report(1.0, 1.0)).is_empty());
        let mut recorded = report(1.0, 1.2);
        recorded.sections[0].rows[0].name = "another".into();
        assert!(dearer(&recorded, &report(1.0, 9.0)).is_empty());
    }
}
