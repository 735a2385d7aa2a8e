//! The verdicts that Neutron's iptables rules gave, without Neutron: the written table and the
//! regressions, through real taps and this filter alone. `cargo xtask parity` measures them.

use sg_tests::parity::regressions;
use sg_tests::parity::scenario::{Scenario, Verdicts};
use sg_tests::parity::side::{Filter, Side};
use sg_tests::parity::table;

#[test]
fn every_row_of_the_written_parity_table_has_its_verdicts() {
    rows(Filter::new());
}

#[test]
fn every_row_of_the_written_parity_table_has_its_verdicts_at_xdp_too() {
    rows(Filter::with("from_vm = \"xdp\""));
}

#[test]
fn every_row_of_the_written_parity_table_has_its_verdicts_behind_a_guard_too() {
    rows(Filter::with("from_vm = \"guard\""));
}

fn rows(mut filter: Filter) {
    let mut wrong = Vec::new();
    for row in table::rows() {
        filter.set(row.settings);
        let seen = row.notation(&play(&mut filter, &row.scenario));
        if seen != row.filter() {
            let name = &row.scenario.name;
            wrong.push(format!(
                "{}: {name}: {seen}, not {}",
                row.stands_for,
                row.filter()
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_kept_regression_has_the_verdicts_of_iptables() {
    let mut filter = Filter::new();
    let kept = regressions::all();
    assert!(!kept.is_empty(), "none is kept");
    for (name, regression) in kept {
        let seen = play(&mut filter, &regression.scenario);
        let problems = regression.problems(&seen);
        assert!(problems.is_empty(), "{name}: {}", problems.join("\n"));
    }
}

fn play(filter: &mut Filter, scenario: &Scenario) -> Verdicts {
    filter.apply(&scenario.inventory, true);
    filter.forget();
    filter.play(&scenario.steps)
}
