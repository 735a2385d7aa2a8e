//! Makes a failing case small: leaves out whatever it fails without.

use super::notation::{Case, Step};

/// The smallest case found within so many tries that `fails` still says fails.
pub fn shrink(case: &Case, tries: usize, mut fails: impl FnMut(&Case) -> bool) -> Case {
    let mut small = case.clone();
    let mut left = tries;
    // From the end on, where what is left out changes least; around again until nothing can go.
    'again: loop {
        for smaller in candidates(&small) {
            if left == 0 {
                return small;
            }
            left -= 1;
            if fails(&smaller) {
                small = smaller;
                continue 'again;
            }
        }
        return small;
    }
}

/// The case with a little less, in each way.
fn candidates(case: &Case) -> Vec<Case> {
    let with = |change: &dyn Fn(&mut Case)| {
        let mut smaller = case.clone();
        change(&mut smaller);
        smaller
    };
    let mut found = Vec::new();
    for place in (0..case.steps.len()).rev() {
        found.push(with(&|case| drop(case.steps.remove(place))));
    }
    for (place, step) in case.steps.iter().enumerate() {
        let Step::Packet(packet) = step else { continue };
        for field in 0..packet.fields.len() {
            found.push(with(&|case| {
                if let Step::Packet(packet) = &mut case.steps[place] {
                    packet.fields.remove(field);
                }
            }));
        }
    }
    for simple in [
        with(&|case| case.setup.v6 = false),
        with(&|case| case.setup.closed = false),
        with(&|case| case.setup.tight = false),
        with(&|case| case.setup.any_reset = false),
        with(&|case| case.setup.strict = false),
    ] {
        if simple != *case {
            found.push(simple);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::{Case, shrink};

    #[test]
    fn what_does_not_matter_is_left_out() {
        let case: Case = "x: tcp v6 strict: >S <SA >A(seq+7 len=9) +20 <R(seq-1) >A"
            .parse()
            .unwrap();
        let small = shrink(&case, 1000, |case| {
            case.to_string().contains("strict") && case.to_string().contains("seq-1")
        });
        assert_eq!(small.to_string(), "x: tcp v4 strict: <R(seq-1)");
    }
}
