//! `cargo xtask fuzz`: the properties of everything that reads what others write, for as long as one likes.
//!
//! They are ordinary tests (`sg-userspace/src/testing/fuzz`) and need nothing but a stable toolchain; here they
//! run optimised, with other random numbers in each round.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use xshell::{Shell, cmd};

use crate::{debian, workspace::Workspace};

/// Where the targets are, a file each.
const TARGETS: &str = "sg-userspace/src/testing/fuzz";

/// What is there besides.
const OTHERS: [&str; 3] = ["corpus", "mod", "mutate"];

/// Cases of each property in a round.
const CASES: u64 = 20_000;

/// What to run, and for how long.
#[derive(clap::Args)]
pub struct Options {
    /// A parser, such as `frames` or `inventory`; all of them, one after the other, if none is named.
    target: Option<String>,
    /// How long each is run.
    #[arg(long, default_value_t = 10)]
    minutes: u64,
}

/// Runs them, and says how many cases they were.
///
/// # Errors
/// When there is no such target, or an input was found that a property does not hold for, which is shown.
pub fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    debian::ensure_protoc(workspace)?;
    let targets = targets(&workspace.root.join(TARGETS))?;
    let chosen: Vec<_> = match &options.target {
        None => targets,
        Some(target) if targets.contains(target) => vec![target.clone()],
        Some(target) => bail!("no target {target}: there are {}", targets.join(", ")),
    };
    let shell = workspace.shell()?;
    let time = Duration::from_secs(options.minutes * 60);
    for target in chosen {
        let began = Instant::now();
        let mut cases = 0;
        while cases == 0 || began.elapsed() < time {
            cases += round(workspace, &shell, &target)?;
        }
        let seconds = began.elapsed().as_secs();
        eprintln!("{target}: {cases} cases in {seconds} s, and none that failed");
    }
    Ok(())
}

/// One round of a target; how many cases it was.
fn round(workspace: &Workspace, shell: &Shell, target: &str) -> Result<u64> {
    let (cargo, folder) = (workspace.cargo(), &workspace.target);
    let filter = format!("testing::fuzz::{target}::");
    let output = cmd!(
        shell,
        "{cargo} test --quiet --profile fuzz --package sg-userspace --lib --target-dir {folder} -- {filter}"
    )
    .env("SG_EBPF_OBJECT", workspace.kernel_object())
    .env("PROPTEST_CASES", CASES.to_string())
    .quiet()
    .ignore_status()
    .output()?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        bail!(
            "{target} failed. Put the input into tests/corpora/{target} when it is mended:\n{said}\n{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    let passed = passed(&said).with_context(|| format!("cannot tell what ran: {said}"))?;
    // One test reads the corpus as it is.
    Ok(passed.saturating_sub(1) * CASES)
}

/// The number of tests that a run says have passed.
fn passed(said: &str) -> Option<u64> {
    let (_, behind) = said.split_once("test result: ok. ")?;
    behind.split_once(" passed")?.0.parse().ok()
}

/// The targets, in order.
fn targets(folder: &Path) -> Result<Vec<String>> {
    let entries = std::fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    let mut targets = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let name = path.file_stem().and_then(|name| name.to_str());
        targets.extend(
            name.filter(|name| !OTHERS.contains(name))
                .map(str::to_owned),
        );
    }
    targets.sort();
    Ok(targets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_target_has_a_corpus_and_each_corpus_a_target() {
        let root = Workspace::here().unwrap().root;
        let corpora = std::fs::read_dir(root.join("tests/corpora")).unwrap();
        let mut corpora: Vec<_> = corpora
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        corpora.sort();
        assert_eq!(targets(&root.join(TARGETS)).unwrap(), corpora);
    }

    #[test]
    fn the_tests_that_have_passed_are_counted() {
        let said = "running 3 tests\n...\ntest result: ok. 3 passed; 0 failed; 0 ignored;";
        assert_eq!(passed(said), Some(3));
        assert_eq!(passed("test result: FAILED. 2 passed; 1 failed"), None);
    }
}
