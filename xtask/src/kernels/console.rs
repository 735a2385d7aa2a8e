//! What a machine's console says of the steps.

use std::collections::BTreeMap;

use serde::Serialize;

use super::plan::{BEGINS, ENDS, Part, Step};

/// What came of a kernel.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub struct Outcome {
    /// What it has, by name.
    pub features: BTreeMap<String, bool>,
    /// How the daemon attaches, and who sweeps: `tcx`, `kernel`.
    pub daemon: BTreeMap<String, String>,
    /// Instructions the verifier has walked through, by program.
    pub verified: BTreeMap<String, Walked>,
    /// Tests that passed, by part; the demonstration is one.
    pub passed: BTreeMap<String, u32>,
    /// Tests that failed, and steps that ended badly or not at all.
    pub failed: Vec<String>,
}

/// How far the verifier has walked, and how far it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Walked {
    /// Instructions.
    pub instructions: u32,
    /// As many are permitted on this kernel.
    pub budget: u32,
}

/// Reads a console.
pub fn read(steps: &[Step], said: &str) -> Outcome {
    let mut outcome = Outcome::default();
    for (number, step) in steps.iter().enumerate() {
        let name = format!("{:?}", step.part).to_lowercase();
        let begin = format!("{BEGINS}{number}");
        let from_here = said
            .lines()
            .map(str::trim_end)
            .skip_while(|line| *line != begin);
        let lines: Vec<&str> = from_here.skip(1).collect();
        let end = lines.iter().position(|line| line.starts_with(ENDS));
        let failed = outcome.failed.len();
        for line in &lines[..end.unwrap_or(lines.len())] {
            take(&mut outcome, step.part, &name, line);
        }
        let code = end.and_then(|end| lines[end].strip_prefix(ENDS));
        match code {
            Some("0") if step.part == Part::Demo => {
                outcome.passed.insert(name, 1);
            }
            Some("0") => {}
            // Which tests failed is said already.
            Some("101") if outcome.failed.len() > failed => {}
            // As busybox says that the time was over.
            Some("143") => outcome.failed.push(format!("{name}: took too long")),
            Some(code) => outcome.failed.push(format!("{name}: ended with {code}")),
            None => outcome.failed.push(format!("{name}: did not end")),
        }
    }
    outcome
}

/// Takes a line of a step.
fn take(outcome: &mut Outcome, part: Part, name: &str, line: &str) {
    match part {
        Part::Features => {
            if let Some((has, feature)) = line.split_once(": ") {
                outcome.features.insert(feature.into(), has == "yes");
            }
        }
        Part::Daemon => status(outcome, line),
        Part::Verifier | Part::Taps | Part::Tables | Part::Demo => {
            if let Some((program, walked)) = verified(line) {
                outcome.verified.insert(program.into(), walked);
            }
            match test(line) {
                Some((_, "ok")) => *outcome.passed.entry(name.into()).or_default() += 1,
                Some((test, "FAILED")) => outcome.failed.push(test.into()),
                _ => {}
            }
        }
    }
}

fn status(outcome: &mut Outcome, line: &str) {
    let Some(status) = line.strip_prefix("STATUS ") else {
        return;
    };
    let Ok(status) = serde_json::from_str::<serde_json::Value>(status) else {
        return;
    };
    let says = |pointer| status.pointer(pointer).and_then(serde_json::Value::as_str);
    for (name, pointer) in [
        ("attaches by", "/attach"),
        ("swept by", "/sweep/by"),
        ("refused", "/sweep/refused"),
    ] {
        if let Some(value) = says(pointer) {
            outcome.daemon.insert(name.into(), value.into());
        }
    }
}

/// `from_vm: 28117 of 100000 instructions walked`.
fn verified(line: &str) -> Option<(&str, Walked)> {
    let (program, walked) = line
        .strip_suffix(" instructions walked")?
        .rsplit_once(": ")?;
    // What a test prints stands behind its name.
    let program = program.rsplit(' ').next()?;
    let (instructions, budget) = walked.split_once(" of ")?;
    let walked = Walked {
        instructions: instructions.parse().ok()?,
        budget: budget.parse().ok()?,
    };
    Some((program, walked))
}

/// `test taps::it_works ... ok`.
fn test(line: &str) -> Option<(&str, &str)> {
    let (name, outcome) = line.strip_prefix("test ")?.split_once(" ... ")?;
    Some((name, outcome))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::plan::steps;

    #[test]
    fn a_console_says_what_passed_and_what_failed() {
        let steps = steps(&[Part::Features, Part::Verifier, Part::Taps], &[]);
        let said = "SeaBIOS\r\n== begins: 0\r\nyes: bpf_timer\r\nno: tcx\r\n== ends: 0\r\n\
                    == begins: 1\r\ntest program::budget ... from_vm: 28117 of 100000 instructions walked\r\nok\r\n\
                    == ends: 0\r\n== begins: 2\r\ntest taps::one ... ok\r\ntest taps::two ... FAILED\r\n\
                    == ends: 101\r\n";
        let outcome = read(&steps, said);
        assert!(outcome.features["bpf_timer"]);
        assert!(!outcome.features["tcx"]);
        assert_eq!(outcome.verified["from_vm"].instructions, 28117);
        assert_eq!(outcome.verified["from_vm"].budget, 100_000);
        assert_eq!(outcome.passed["taps"], 1);
        assert_eq!(outcome.failed, ["taps::two"]);
    }

    #[test]
    fn a_step_that_the_machine_never_came_to_has_failed() {
        let steps = steps(&[Part::Demo], &[]);
        let outcome = read(&steps, "SeaBIOS\nKernel panic - not syncing\n");
        assert_eq!(outcome.failed, ["demo: did not end"]);
        let outcome = read(&steps, "== begins: 0\n== ends: 143\n");
        assert_eq!(outcome.failed, ["demo: took too long"]);
    }
}
