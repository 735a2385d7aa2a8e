//! The sweep of expired connections: a timer of the kernel, or steps that this process takes where
//! programs can have no timer. Either way a program of the object decides and removes. What a kernel can do
//! is found out by trying: none of it is needed for verdicts.

use std::time::Duration;

use aya::programs::{ProgramError, SchedClassifier};
use aya::{TestRun, TestRunOptions};

use super::error::{Error, Result};
use super::stock::Stock;
use super::verify;

/// The program that starts the timer, and the one that takes a step.
const START: &str = "sweep_start";
const STEP: &str = "sweep_step";

/// A frame that both programs ignore; the kernel runs them for nothing less.
const FRAME: [u8; 64] = [0; 64];

/// The programs of the sweep, as far as the kernel takes them.
pub struct Sweeping {
    start: Option<SchedClassifier>,
    step: Option<SchedClassifier>,
    /// What it has refused first, in words.
    refused: Option<String>,
}

impl Sweeping {
    /// Loads the programs.
    pub fn open(stock: &mut Stock) -> Self {
        Self::taken(|name| stock.tc(name))
    }

    /// What is taken of the programs when this loads them.
    fn taken(
        mut load: impl FnMut(&'static str) -> std::result::Result<SchedClassifier, ProgramError>,
    ) -> Self {
        let mut refused = None;
        let mut take = |name: &'static str| {
            let loaded = load(name);
            loaded
                .map_err(|error| {
                    tracing::debug!("the kernel refuses the program {name}: {error}");
                    let why = verify::in_short(&error);
                    refused.get_or_insert(format!("the program {name}: {why}"));
                })
                .ok()
        };
        let (start, step) = (take(START), take(STEP));
        Sweeping {
            start,
            step,
            refused,
        }
    }

    /// Starts the timer, or gives the one that runs this object's program. False where there is none.
    pub fn start_timer(&mut self) -> bool {
        let Some(start) = &self.start else {
            return false;
        };
        let why = match run(start) {
            Ok(0) => return true,
            Ok(error) => std::io::Error::from_raw_os_error(-error.cast_signed()).to_string(),
            Err(error) => error.to_string(),
        };
        self.refused = Some(format!("the timer does not start: {why}"));
        false
    }

    /// What takes steps in this process, if the kernel takes the program for it.
    pub fn by_hand(&self) -> Result<Option<Sweeper>> {
        let Some(step) = &self.step else {
            return Ok(None);
        };
        let failed = |source| Error::Program { name: STEP, source };
        Ok(Some(Sweeper(again(step, STEP).map_err(failed)?)))
    }

    /// What the kernel has refused, in words.
    pub fn refused(&self) -> Option<&str> {
        self.refused.as_deref()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_that_refuses_the_sweep_leaves_a_daemon_that_says_so() {
        let mut sweeping = Sweeping::taken(|_| Err(ProgramError::NotLoaded));
        assert!(!sweeping.start_timer());
        assert!(sweeping.by_hand().unwrap().is_none());
        let refused = sweeping.refused().unwrap();
        assert_eq!(
            refused,
            "the program sweep_start: the program is not loaded"
        );
    }
}
