//! The sweep of expired connections: a timer of the kernel, or steps that this process takes where
//! programs can have no timer. Either way a program of the object decides and removes.

use std::time::Duration;

use aya::programs::{ProgramError, SchedClassifier};
use aya::{TestRun, TestRunOptions};

use super::error::{Error, Result};
use super::stock::Stock;

/// The program that starts the timer, and the one that takes a step.
const START: &str = "sweep_start";
const STEP: &str = "sweep_step";

/// A frame that both programs ignore; the kernel runs them for nothing less.
const FRAME: [u8; 64] = [0; 64];

/// The programs of the sweep.
pub struct Sweeping {
    /// `None` where no program can have a timer.
    start: Option<SchedClassifier>,
    step: SchedClassifier,
}

impl Sweeping {
    /// Loads the programs.
    pub fn open(stock: &mut Stock) -> Result<Self> {
        let start = stock.tc(START).map_err(|source| {
            tracing::debug!("no timer for the sweep: {source}");
        });
        let step = stock
            .tc(STEP)
            .map_err(|source| Error::Program { name: STEP, source })?;
        Ok(Sweeping {
            start: start.ok(),
            step,
        })
    }

    /// Starts the timer, or gives the one that runs this object's program. False where there is none.
    pub fn start_timer(&self) -> bool {
        let Some(start) = &self.start else {
            return false;
        };
        match run(start) {
            Ok(0) => true,
            Ok(error) => {
                tracing::debug!("the timer of the sweep does not start: error {error}");
                false
            }
            Err(error) => {
                tracing::debug!("the timer of the sweep does not start: {error}");
                false
            }
        }
    }

    /// What takes steps in this process.
    pub fn by_hand(&self) -> Result<Sweeper> {
        let failed = |source| Error::Program { name: STEP, source };
        Ok(Sweeper(again(&self.step, STEP).map_err(failed)?))
    }
}

/// Takes steps of the sweep.
pub struct Sweeper(SchedClassifier);

impl Sweeper {
    /// Takes one, and says when the next is due.
    pub fn step(&self) -> Duration {
        match run(&self.0) {
            Ok(milliseconds) => Duration::from_millis(milliseconds.max(1).into()),
            Err(error) => {
                tracing::warn!("expired connections are not removed: {error}");
                Duration::from_secs(30)
            }
        }
    }
}

/// The program once more, to keep.
fn again(
    program: &SchedClassifier,
    name: &str,
) -> std::result::Result<SchedClassifier, ProgramError> {
    SchedClassifier::from_program_info(program.info()?, name.to_owned().into())
}

fn run(program: &SchedClassifier) -> std::result::Result<u32, ProgramError> {
    let options = TestRunOptions {
        data_in: Some(&FRAME),
        ..TestRunOptions::default()
    };
    program.test_run(options).map(|done| done.return_value)
}
