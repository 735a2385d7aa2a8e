use super::*;

fn reasons(lines: &[&[Line]]) -> Vec<Verdict> {
    lines
        .iter()
        .copied()
        .flatten()
        .flat_map(|line| line.verdicts.iter().copied())
        .collect()
}

#[test]
fn every_verdict_has_its_line_in_some_list() {
    let shown = reasons(&[EGRESS, INGRESS, CLOSED, UNFILTERED]);
    let accepts = Accept::ALL.iter().map(|accept| Ok(*accept));
    let drops = DropReason::ALL.iter().map(|reason| Err(*reason));
    for verdict in accepts.chain(drops) {
        assert!(
            shown.contains(&verdict),
            "{} is counted and never shown",
            name(&verdict)
        );
    }
}

#[test]
fn no_verdict_is_shown_twice_in_a_list() {
    for list in [EGRESS, INGRESS] {
        let shown = reasons(&[list]);
        for verdict in &shown {
            let times = shown.iter().filter(|other| *other == verdict).count();
            assert_eq!(times, 1, "{}", name(verdict));
        }
    }
}

#[test]
fn a_line_accepts_or_drops_but_not_both() {
    for line in [EGRESS, INGRESS, CLOSED, UNFILTERED].into_iter().flatten() {
        let accepts = line
            .verdicts
            .iter()
            .filter(|verdict| verdict.is_ok())
            .count();
        assert!(
            accepts == 0 || accepts == line.verdicts.len(),
            "{}",
            line.stage
        );
    }
}
