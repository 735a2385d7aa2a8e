//! Medians, quartiles, and samples between samples of their reference.

use serde::{Deserialize, Serialize};

/// How often a sample is taken again that is not whole.
const PATIENCE: u32 = 10;

/// Median and quartiles.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
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

    /// Half of what lies between the quartiles, as a part of the median: what a median may be off by.
    #[must_use]
    pub fn width(&self) -> f64 {
        (self.high - self.low) / 2.0 / self.median.abs().max(f64::EPSILON)
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

/// Something that is measured beside a reference of its own. A sample is nothing when it was not whole.
pub trait Measured {
    /// What it is, for people.
    fn name(&self) -> String;

    /// What its unit costs in the reference.
    fn reference(&mut self) -> Option<f64>;

    /// What it costs here.
    fn sample(&mut self) -> Option<f64>;
}

/// What was found of one that was measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cell {
    /// What it is.
    pub who: String,
    /// To the reference, sample by sample.
    pub ratio: Spread,
    /// What its unit costs.
    pub cost: Spread,
    /// Samples that were not whole, and were taken again.
    #[serde(default)]
    pub discarded: u32,
}

/// Takes so many samples of each, each between two of its reference, in another order each round; of the first twice
/// as many, for it is the control that all others are believed by.
///
/// # Errors
/// Names those of which no whole sample could be had.
pub fn interleave(
    contestants: &mut [Box<dyn Measured + '_>],
    rounds: usize,
) -> Result<Vec<Cell>, String> {
    struct Samples {
        ratios: Vec<f64>,
        costs: Vec<f64>,
        discarded: u32,
    }
    let mut samples: Vec<_> = contestants
        .iter()
        .map(|_| Samples {
            ratios: Vec::new(),
            costs: Vec::new(),
            discarded: 0,
        })
        .collect();
    let mut order: Vec<usize> = (0..contestants.len()).chain([0]).collect();
    for _ in 0..rounds {
        fastrand::shuffle(&mut order);
        for &which in &order {
            let (contestant, samples) = (&mut contestants[which], &mut samples[which]);
            let taken = (0..PATIENCE).find_map(|_| {
                let taken = bracketed(&mut **contestant);
                samples.discarded += u32::from(taken.is_none());
                taken
            });
            let (ratio, cost) = taken.ok_or_else(|| {
                format!(
                    "{}: no sample is whole in {PATIENCE} tries",
                    contestant.name()
                )
            })?;
            samples.ratios.push(ratio);
            samples.costs.push(cost);
        }
    }
    let cells = contestants.iter().zip(samples);
    let cells = cells.map(|(contestant, samples)| Cell {
        who: contestant.name(),
        ratio: Spread::of(samples.ratios),
        cost: Spread::of(samples.costs),
        discarded: samples.discarded,
    });
    Ok(cells.collect())
}

/// A sample's ratio to the mean of its neighbours, and the sample.
fn bracketed(contestant: &mut dyn Measured) -> Option<(f64, f64)> {
    let before = contestant.reference()?;
    let sample = contestant.sample()?;
    let after = contestant.reference()?;
    Some((sample / ((before + after) / 2.0), sample))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Script {
        samples: Vec<Option<f64>>,
        references: Vec<f64>,
    }

    impl Measured for Script {
        fn name(&self) -> String {
            "script".into()
        }

        fn reference(&mut self) -> Option<f64> {
            Some(self.references.remove(0))
        }

        fn sample(&mut self) -> Option<f64> {
            self.samples.remove(0)
        }
    }

    /// Of one round, beside a control that is always itself.
    fn measure(samples: &[Option<f64>], references: &[f64]) -> Result<Cell, String> {
        let script = |samples: &[Option<f64>], references: &[f64]| Script {
            samples: samples.to_vec(),
            references: references.to_vec(),
        };
        let control = Box::new(script(&[Some(1.0); 2], &[1.0; 4]));
        let measured = Box::new(script(samples, references));
        interleave(&mut [control, measured], 1).map(|mut cells| cells.remove(1))
    }

    #[test]
    fn the_spread_is_median_and_quartiles() {
        let spread = Spread::of(vec![5.0, 1.0, 3.0, 2.0, 4.0]);
        assert_eq!(format!("{spread:.0}"), "3 [2 .. 4]");
        assert_eq!(format!("{spread:12.0}"), "  3 [2 .. 4]");
        assert!((spread.width() - 1.0 / 3.0).abs() < 1e-9);
    }

    #[test]
    fn a_sample_is_divided_by_the_mean_of_its_neighbours() {
        let cell = measure(&[Some(30.0)], &[10.0, 20.0]).unwrap();
        assert_eq!(cell.ratio.median, 2.0);
        assert_eq!(cell.cost.median, 30.0);
    }

    #[test]
    fn a_sample_that_is_not_whole_is_taken_again_with_its_neighbours() {
        let cell = measure(&[None, Some(30.0)], &[99.0, 10.0, 20.0]).unwrap();
        assert_eq!((cell.ratio.median, cell.discarded), (2.0, 1));
    }

    #[test]
    fn what_never_gives_a_whole_sample_is_named() {
        let error = measure(&[None; 10], &[1.0; 10]).unwrap_err();
        assert!(error.starts_with("script"), "{error}");
    }
}
