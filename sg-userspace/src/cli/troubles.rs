//! What is wrong at interfaces, as lines.

use crate::view::TroubleView;

/// How many of one kind are told in full.
const FEW: usize = 3;

/// Troubles as lines, those that open first, and each once: the ports of a trunk share those of its
/// interface. Of one kind only a few are told in full: what is wrong at one tap may be so at all.
pub fn lines(troubles: &[TroubleView]) -> String {
    let mut troubles: Vec<_> = troubles.iter().collect();
    troubles.sort_by_key(|trouble| (!trouble.opens, &trouble.kind, &trouble.interface));
    troubles.dedup();
    let kinds = troubles.chunk_by(|one, next| one.kind == next.kind);
    kinds.map(of_one_kind).collect()
}

fn of_one_kind(troubles: &[&TroubleView]) -> String {
    match troubles.split_at_checked(FEW) {
        // Of a single one more its line is as short.
        Some((few, [next, others @ ..])) if !others.is_empty() => {
            let (level, count) = (level(next), others.len());
            let few: String = few.iter().map(line).collect();
            let TroubleView {
                interface, kind, ..
            } = next;
            few + &format!(
                "{level}: {interface} and {count} more are {kind} as well (`-o json` tells all)\n"
            )
        }
        _ => troubles.iter().map(line).collect(),
    }
}

fn line(trouble: &&TroubleView) -> String {
    let TroubleView {
        interface,
        problem,
        remedy,
        ..
    } = trouble;
    format!("{}: {interface} {problem}. {remedy}\n", level(trouble))
}

fn level(trouble: &TroubleView) -> &'static str {
    match trouble.opens {
        true => "open",
        false => "warning",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trouble(interface: &str, kind: &str) -> TroubleView {
        TroubleView {
            interface: interface.into(),
            kind: kind.into(),
            opens: kind == "bypassed",
            problem: format!("is {kind}"),
            remedy: "Mend it.".into(),
        }
    }

    #[test]
    fn what_hundreds_of_taps_share_is_a_few_lines_and_each_is_told_once() {
        let mut troubles = vec![trouble("tap1", "captured"), trouble("tap1", "captured")];
        troubles.extend((100..600).map(|number| trouble(&format!("tap{number}"), "bypassed")));
        assert_eq!(
            lines(&troubles),
            "open: tap100 is bypassed. Mend it.\n\
             open: tap101 is bypassed. Mend it.\n\
             open: tap102 is bypassed. Mend it.\n\
             open: tap103 and 496 more are bypassed as well (`-o json` tells all)\n\
             warning: tap1 is captured. Mend it.\n"
        );
        assert_eq!(lines(&troubles[2..6]).lines().count(), 4);
        assert!(lines(&troubles[2..6]).ends_with("tap103 is bypassed. Mend it.\n"));
    }
}
