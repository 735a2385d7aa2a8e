//! What came of the scenarios as `docs/guests.md` has it: a row for each.

use super::Side;
use super::compare::{Comparison, Fact};
use super::scenario::Scenario;

/// The heading of the table.
pub const HEADING: &str = "| scenario | what is tried | the guest | fell on both | fell on one side |\n| --- | --- | --- | --- | --- |\n";

/// What is between these lines is the program's, the rest of the page a person's.
const BEGIN: &str = "<!-- written by cargo xtask guests -->\n";
const END: &str = "<!-- end -->\n";

/// The row of a scenario; the facts are of this filter and of iptables, in the same order.
#[must_use]
pub fn row(scenario: &Scenario, facts: [&[Fact]; 2], comparison: &Comparison) -> String {
    let [here, iptables] = facts;
    let facts = here.iter().zip(iptables).map(|(here, iptables)| {
        let what = here.what;
        match (here.seen, iptables.seen) {
            (true, true) => what.to_owned(),
            (false, false) => format!("not: {what}"),
            (true, false) => format!("{} only: {what}", Side::Here),
            (false, true) => format!("{} only: {what}", Side::Iptables),
        }
    });
    let both = comparison.both.iter();
    let both = both.map(|(way, kind)| format!("{kind}, {way}"));
    let differences = comparison.differences.iter().map(|d| {
        let row = d
            .row
            .map_or("NO ROW".to_owned(), |row| format!("row {row}"));
        format!("{}: {}, {} ({row})", d.fell, d.kind, d.way)
    });
    format!(
        "| `{}` | {} | {} | {} | {} |\n",
        scenario.name,
        scenario.about,
        cell(facts),
        cell(both),
        cell(differences)
    )
}

fn cell(words: impl Iterator<Item = String>) -> String {
    let words: Vec<_> = words.collect();
    match words.is_empty() {
        true => "–".to_owned(),
        false => words.join("; "),
    }
}

/// The page with this outcome in the place of what it had; nothing if it has no place for one.
#[must_use]
pub fn page_with(page: &str, outcome: &str) -> Option<String> {
    let (above, rest) = page.split_once(BEGIN)?;
    let (_, below) = rest.split_once(END)?;
    Some(format!("{above}{BEGIN}\n{outcome}\n{END}{below}"))
}

#[cfg(test)]
mod tests {
    use super::{page_with, row};
    use crate::guests::Side;
    use crate::guests::compare::{Comparison, Difference, Fact};
    use crate::guests::passage::Way;
    use crate::guests::scenario::Scenario;

    #[test]
    fn a_row_says_where_the_guest_came_and_what_fell_where_by_which_row() {
        let scenario = Scenario {
            name: "name",
            about: "about",
            excuses: &[],
            play: |_| {},
        };
        let facts = |seen: [bool; 3]| {
            let whats = ["boots", "pings", "lies"];
            let facts = whats.into_iter().zip(seen);
            let facts = facts.map(|(what, seen)| Fact {
                what,
                seen,
                expected: true,
            });
            facts.collect::<Vec<_>>()
        };
        let difference = |kind: &str, row| Difference {
            way: Way::ToVm,
            kind: kind.to_owned(),
            fell: Side::Iptables,
            row,
        };
        let comparison = Comparison {
            both: vec![(Way::FromVm, "RARP".to_owned())],
            differences: vec![difference("IGMP", Some(7)), difference("EAPOL", None)],
            lone: Vec::new(),
        };

        let [here, iptables] = [[true, true, false], [true, false, false]].map(facts);

        assert_eq!(
            row(&scenario, [&here, &iptables], &comparison),
            "| `name` | about | boots; here only: pings; not: lies | RARP, from the VM | \
             iptables: IGMP, to the VM (row 7); iptables: EAPOL, to the VM (NO ROW) |\n"
        );
        assert_eq!(
            row(&scenario, [&[], &[]], &Comparison::default()),
            "| `name` | about | – | – | – |\n"
        );
    }

    #[test]
    fn an_outcome_takes_the_place_of_the_last_one_and_leaves_the_rest_of_the_page() {
        let page = page_with(
            "above\n<!-- written by cargo xtask guests -->\nold\n<!-- end -->\nbelow\n",
            "new\n",
        );
        let page = page.and_then(|page| page_with(&page, "newer\n"));
        assert_eq!(
            page.as_deref(),
            Some("above\n<!-- written by cargo xtask guests -->\n\nnewer\n\n<!-- end -->\nbelow\n")
        );
        assert_eq!(page_with("a page of something else", "new\n"), None);
    }
}
