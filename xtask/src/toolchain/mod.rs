//! What builds kernel programs: a compiler with a `core` for BPF, and a bpf-linker whose LLVM can
//! read that compiler's output. Found where possible, installed where allowed, named otherwise.

pub mod compiler;
mod decide;
pub mod linker;

pub use compiler::{Core, TARGET};
pub use decide::{Facts, Step, Toolchain};

use anyhow::{Result, bail};

use crate::{debian::Apt, workspace::Workspace};

/// Finds a toolchain, installing what is missing.
///
/// Every step looks at the machine anew, so an installation that was interrupted is simply taken up
/// again where it stopped.
///
/// # Errors
/// Names what is missing and the commands to type, when it cannot be installed from here.
pub fn ensure(workspace: &Workspace) -> Result<Toolchain> {
    let apt = Apt::here();
    let mut done = None;
    loop {
        let facts = survey(workspace, apt);
        let step = match decide::decide(&facts) {
            Ok(toolchain) => return Ok(toolchain),
            Err(step) => step,
        };
        if done.as_ref() == Some(&step) {
            bail!(
                "{}\nThis was installed, but is not found.",
                facts.report(&step)
            );
        }
        if !step.possible(apt) {
            bail!("{}", facts.report(&step));
        }
        match &step {
            Step::Packages(packages) => apt.install(workspace, packages)?,
            Step::Linker { llvm } => linker::install(workspace, *llvm)?,
        }
        done = Some(step);
    }
}

/// What is there, without installing anything.
pub fn look(workspace: &Workspace) -> (Facts, Result<Toolchain, Step>) {
    let facts = survey(workspace, Apt::here());
    let decision = decide::decide(&facts);
    (facts, decision)
}

fn survey(workspace: &Workspace, apt: Apt) -> Facts {
    let mut unfit = Vec::new();
    Facts {
        compilers: compiler::find(&mut unfit),
        linkers: linker::find(workspace, &mut unfit),
        llvm: linker::llvm_libraries(),
        unfit,
        apt,
    }
}
