//! Scenarios on which the sides once differed, kept as files with the verdicts that are wanted.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::parity::scenario::{End, Scenario, Verdicts};

/// A scenario, what iptables makes of it, and what this filter is to make of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Regression {
    /// What happens.
    pub scenario: Scenario,
    /// How many frames come out at each end under iptables, in the order of
    /// [`super::scenario::End::ALL`].
    pub iptables: Verdicts,
    /// How many are to come out here: the same, but for the rows of `docs/parity.md`.
    pub verdicts: Verdicts,
}

impl Regression {
    /// What is not as wanted in the verdicts of this filter, in words.
    #[must_use]
    pub fn problems(&self, seen: &Verdicts) -> Vec<String> {
        let mut problems = Vec::new();
        for (at, (seen, wanted)) in seen.iter().zip(&self.verdicts).enumerate() {
            let step = &self.scenario.steps[at];
            for end in End::ALL {
                let (seen, wanted) = (seen[end as usize], wanted[end as usize]);
                if seen != wanted && self.scenario.compares(at, end) {
                    problems.push(format!("{step}: {seen} come out at {end:?}, not {wanted}"));
                }
            }
        }
        problems
    }
}

/// Where they are kept.
#[must_use]
pub fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("parity/regressions")
}

/// All that are kept, with the names of their files.
#[must_use]
pub fn all() -> Vec<(String, Regression)> {
    let directory = directory();
    let entries = fs::read_dir(&directory)
        .unwrap_or_else(|e| panic!("cannot list {}: {e}", directory.display()));
    let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    paths.retain(|path| {
        path.extension()
            .is_some_and(|extension| extension == "json")
    });
    paths.sort();
    paths.iter().map(|path| read(path)).collect()
}

/// Keeps a regression in a file of this name.
pub fn save(name: &str, regression: &Regression) -> PathBuf {
    let path = directory().join(format!("{name}.json"));
    let text = serde_json::to_string_pretty(regression).unwrap_or_else(|e| panic!("not JSON: {e}"));
    fs::write(&path, text + "\n")
        .unwrap_or_else(|e| panic!("cannot write {}: {e}", path.display()));
    path
}

/// Reads one from its file; its name is the file's.
#[must_use]
pub fn read(path: &Path) -> (String, Regression) {
    let shown = path.display();
    let text = fs::read_to_string(path).unwrap_or_else(|e| panic!("cannot read {shown}: {e}"));
    let regression =
        serde_json::from_str(&text).unwrap_or_else(|e| panic!("{shown} is no regression: {e}"));
    let name = path.file_stem().unwrap_or_default();
    (name.to_string_lossy().into_owned(), regression)
}
