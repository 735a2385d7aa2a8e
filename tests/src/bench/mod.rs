//! What the filter costs, as ratios against an empty program in the same run.
//!
//! Machines are noisy: samples of both alternate in random order, every result is a median with its
//! quartiles, and the empty program is also measured against itself, to show what a difference means.

pub mod empty;
pub mod paths;
pub mod programs;
pub mod stream;

/// Median and quartiles.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// A quarter of the samples is below.
    pub low: f64,
    /// Half of them is.
    pub median: f64,
    /// Three quarters are.
    pub high: f64,
}

impl Spread {
    /// Of at least one sample.
    ///
    /// # Panics
    /// Without samples.
    #[must_use]
    pub fn of(mut samples: Vec<f64>) -> Self {
        assert!(!samples.is_empty(), "no samples were taken");
        samples.sort_by(f64::total_cmp);
        let at = |quarter: usize| samples[(samples.len() - 1) * quarter / 4];
        Self {
            low: at(1),
            median: at(2),
            high: at(3),
        }
    }
}

impl std::fmt::Display for Spread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let places = f.precision().unwrap_or(2);
        let width = f.width().unwrap_or(0);
        let Self { low, median, high } = self;
        let text = format!("{median:.places$} [{low:.places$} .. {high:.places$}]");
        write!(f, "{text:>width$}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_spread_is_median_and_quartiles() {
        let spread = Spread::of(vec![5.0, 1.0, 3.0, 2.0, 4.0]);
        assert_eq!(format!("{spread:.0}"), "3 [2 .. 4]");
        assert_eq!(format!("{spread:12.0}"), "  3 [2 .. 4]");
    }
}
