//! A packet of an established connection through the program alone, in nanoseconds.

use super::Spread;
use crate::netns::Netns;
use crate::testrun::{Program, Verdict};

/// Runs of the program in one sample: enough to drown the system call.
const RUNS: u32 = 20_000;

/// Nanoseconds of the filter and of the empty program over one frame.
#[derive(Debug)]
pub struct Established {
    /// The filter, above the empty program of its own sample.
    pub filter: Spread,
    /// The empty program.
    pub empty: Spread,
}

/// Measures both in turns.
///
/// # Panics
/// If the filter drops the frame: then it is not what was to be measured.
#[must_use]
pub fn measure(
    netns: &Netns,
    ifindex: u32,
    frame: &[u8],
    [filter, empty]: [&Program; 2],
    rounds: usize,
) -> Established {
    let mut samples: [Vec<f64>; 2] = [Vec::new(), Vec::new()];
    for _ in 0..rounds {
        let nanoseconds = |program: &Program| {
            let (verdict, time) = program.run_times(netns, ifindex, frame, RUNS);
            assert_eq!(
                verdict,
                Verdict::Accept,
                "{}",
                crate::packet::describe(frame)
            );
            time.as_nanos() as f64
        };
        let (base, with) = (nanoseconds(empty), nanoseconds(filter));
        samples[0].push(with - base);
        samples[1].push(base);
    }
    let [filter, empty] = samples.map(Spread::of);
    Established { filter, empty }
}
