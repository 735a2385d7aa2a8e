//! What nf_conntrack made of written cases, without nf_conntrack: labels, verdicts and what is remembered,
//! through this filter alone. `cargo xtask parity --conntrack` measures them.

use sg_tests::parity::conntrack::expected::Expected;
use sg_tests::parity::conntrack::filter::Filter;
use sg_tests::parity::conntrack::run;
use sg_tests::parity::conntrack::table::{self, REGRESSIONS, WRITTEN};
use sg_userspace::agent::Mode;

#[test]
fn every_written_case_is_tracked_as_by_nf_conntrack() {
    replay(WRITTEN);
}

#[test]
fn every_walk_that_once_differed_is_tracked_as_by_nf_conntrack() {
    replay(REGRESSIONS);
}

#[test]
fn what_the_vm_sends_is_tracked_so_at_xdp_too() {
    replay_at(WRITTEN, Mode::Xdp);
    replay_at(REGRESSIONS, Mode::Xdp);
}

#[test]
fn what_the_vm_sends_is_tracked_so_behind_a_guard_too() {
    replay_at(WRITTEN, Mode::Guard);
    replay_at(REGRESSIONS, Mode::Guard);
}

fn replay(file: &str) {
    replay_at(file, Mode::Tc);
}

fn replay_at(file: &str, mode: Mode) {
    let (mut filter, mut wrong) = (Filter::at(mode), Vec::new());
    let rows = table::rows(file);
    assert!(!rows.is_empty(), "{file} has no rows");
    for (number, variant) in (1..).zip(rows.iter().flat_map(|row| &row.variants)) {
        let case = &variant.case;
        let seen = Expected::of(case, &run::play(&mut filter, case, number));
        let wanted = variant.expected.as_ref();
        let wanted = wanted.unwrap_or_else(|| panic!("nothing is expected of {case}"));
        if !wanted.agrees(&seen) {
            let [wanted, seen] = [wanted, &seen].map(|expected| expected.show(case));
            wrong.push(format!("{case}\n  expected {wanted}\n  it is    {seen}"));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} cases:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}
