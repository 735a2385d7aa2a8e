//! Numbers in few characters.

/// A rate as a person reads it, exact below ten thousand.
pub fn rate(rate: Option<f64>) -> String {
    let Some(rate) = rate else {
        return "-".into();
    };
    let units = [(1e12, "T"), (1e9, "G"), (1e6, "M"), (1e4, "k")];
    let unit = units.into_iter().find(|(from, _)| rate >= *from);
    match unit {
        Some((1e4, unit)) => scaled(rate / 1e3, unit),
        Some((from, unit)) => scaled(rate / from, unit),
        None if rate > 0.0 && rate < 0.05 => "<0.1".into(),
        None if rate == 0.0 || rate >= 9.95 => format!("{rate:.0}"),
        None => format!("{rate:.1}"),
    }
}

/// A share in hundredths.
pub fn percent(share: Option<f64>) -> String {
    match share.map(|share| share * 100.0) {
        None => "-".into(),
        Some(0.0) => "0%".into(),
        Some(percent) if percent < 0.1 => "<0.1%".into(),
        Some(percent) if percent < 9.95 => format!("{percent:.1}%"),
        Some(percent) => format!("{percent:.0}%"),
    }
}

fn scaled(number: f64, unit: &str) -> String {
    match number < 99.95 {
        true => format!("{number:.1}{unit}"),
        false => format!("{number:.0}{unit}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_takes_six_characters_at_most() {
        for (number, text) in [
            (None, "-"),
            (Some(0.0), "0"),
            (Some(0.04), "<0.1"),
            (Some(3.26), "3.3"),
            (Some(9.97), "10"),
            (Some(9_999.0), "9999"),
            (Some(10_000.0), "10.0k"),
            (Some(999_000.0), "999k"),
            (Some(1_250_000.0), "1.2M"),
            (Some(125e9), "125G"),
        ] {
            assert_eq!(rate(number), text);
            assert!(text.len() <= 6);
        }
    }

    #[test]
    fn a_share_that_is_nearly_nothing_is_not_shown_as_nothing() {
        for (share, text) in [
            (None, "-"),
            (Some(0.0), "0%"),
            (Some(0.0004), "<0.1%"),
            (Some(0.021), "2.1%"),
            (Some(0.5), "50%"),
            (Some(1.0), "100%"),
        ] {
            assert_eq!(percent(share), text);
        }
    }
}
