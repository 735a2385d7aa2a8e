//! From what is there to what to do next: pure, so that every case has a test.

use super::{
    compiler::Compiler,
    linker::{LLVMS, Linker, install_command},
};
use crate::debian::Apt;

/// What was found on the machine.
#[derive(Debug, Default)]
pub struct Facts {
    /// Usable compilers, the best first.
    pub compilers: Vec<Compiler>,
    /// Linkers that run.
    pub linkers: Vec<Linker>,
    /// LLVMs a linker can be built with, oldest first.
    pub llvm: Vec<u32>,
    /// What was found and cannot be used, and why.
    pub unfit: Vec<String>,
    /// Whether packages can be installed.
    pub apt: Apt,
}

/// A compiler and a linker that fit each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Toolchain {
    /// Makes the bitcode.
    pub compiler: Compiler,
    /// Makes the object of it.
    pub linker: Linker,
}

/// The next thing to install.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Packages of Debian.
    Packages(Vec<String>),
    /// bpf-linker, with the LLVM of this major number.
    Linker {
        /// Major number of an LLVM that is installed with its headers.
        llvm: u32,
    },
}

/// Debian's compiler with a ready-made `core` for BPF.
const COMPILER_PACKAGES: [&str; 2] = ["rustc-web", "libstd-rust-web-dev-bpf"];

/// The toolchain to use, or the next thing to install.
///
/// What needs no installation comes first, then what needs only cargo, then packages. Packages are
/// asked for Debian's own compiler, because Debian has the LLVM that goes with it; it need not have
/// that of a nightly.
pub fn decide(facts: &Facts) -> Result<Toolchain, Step> {
    if let Some(toolchain) = facts
        .compilers
        .iter()
        .find_map(|compiler| facts.complete(compiler))
    {
        return Ok(toolchain);
    }
    Err(
        match facts
            .compilers
            .iter()
            .find_map(|compiler| facts.library(compiler))
        {
            Some(llvm) => Step::Linker { llvm },
            None => Step::Packages(facts.packages()),
        },
    )
}

impl Facts {
    fn complete(&self, compiler: &Compiler) -> Option<Toolchain> {
        let linker = self
            .linkers
            .iter()
            .find(|linker| linker.llvm >= compiler.version.llvm)?;
        Some(Toolchain {
            compiler: compiler.clone(),
            linker: linker.clone(),
        })
    }

    /// The oldest LLVM that reads what the compiler writes.
    fn library(&self, compiler: &Compiler) -> Option<u32> {
        self.llvm
            .iter()
            .copied()
            .find(|&llvm| llvm >= compiler.version.llvm)
    }

    fn packages(&self) -> Vec<String> {
        match self.debians_llvm() {
            Some(llvm) => vec![format!("llvm-{llvm}-dev")],
            None => COMPILER_PACKAGES.map(str::to_owned).to_vec(),
        }
    }

    fn debians_llvm(&self) -> Option<u32> {
        let debians = self
            .compilers
            .iter()
            .find(|compiler| compiler.rustc.starts_with("/usr"))?;
        Some(debians.version.llvm)
    }

    /// What is missing and what to type, for when it cannot be installed from here.
    pub fn report(&self, step: &Step) -> String {
        let mut lines = vec!["Kernel programs cannot be built yet.".to_owned()];
        lines.extend(
            self.compilers
                .iter()
                .map(|compiler| format!("  found: {compiler}")),
        );
        lines.extend(
            self.linkers
                .iter()
                .map(|linker| format!("  found: bpf-linker {linker}")),
        );
        lines.extend(self.unfit.iter().map(|unfit| format!("  unfit: {unfit}")));
        lines.push(format!("  missing: {}", step.missing()));
        if let Some(llvm) = step.unsupported() {
            lines.push(format!(
                "  bpf-linker {} knows LLVM {} to {}, not {llvm}: raise the release in xtask",
                super::linker::RELEASE,
                LLVMS.start(),
                LLVMS.end()
            ));
        }
        lines.push(String::new());
        lines.extend(step.commands(self.apt));
        lines.join("\n")
    }
}

impl Step {
    /// Whether this can be done from here.
    pub fn possible(&self, apt: Apt) -> bool {
        match self {
            Self::Packages(_) => apt == Apt::Usable && self.unsupported().is_none(),
            Self::Linker { .. } => true,
        }
    }

    /// What this installs, in words.
    pub fn missing(&self) -> String {
        match self {
            Self::Packages(packages) if self.llvm().is_none() => format!(
                "a compiler with a `core` for BPF: a rustup toolchain with rust-src, or Debian's {}",
                packages.join(" ")
            ),
            Self::Packages(packages) => {
                format!("LLVM to build bpf-linker with: {}", packages.join(" "))
            }
            Self::Linker { llvm } => format!("bpf-linker with LLVM {llvm} or later"),
        }
    }

    fn llvm(&self) -> Option<u32> {
        match self {
            Self::Packages(packages) => packages.iter().find_map(|package| {
                package
                    .strip_prefix("llvm-")?
                    .strip_suffix("-dev")?
                    .parse()
                    .ok()
            }),
            Self::Linker { llvm } => Some(*llvm),
        }
    }

    fn unsupported(&self) -> Option<u32> {
        self.llvm().filter(|llvm| !LLVMS.contains(llvm))
    }

    /// The exact commands for a person to type.
    pub fn commands(&self, apt: Apt) -> Vec<String> {
        let tools = std::path::Path::new("target/tools");
        match (self, apt) {
            (Self::Linker { llvm }, _) => vec![format!("  {}", install_command(tools, &llvm.to_string()))],
            (Self::Packages(packages), Apt::Usable | Apt::NotRoot) => vec![
                "As root, type (or run this command as root once, which does the same):".to_owned(),
                "  apt-get update".to_owned(),
                format!("  apt-get install -y --no-install-recommends {}", packages.join(" ")),
                "and then, as yourself, the same `cargo xtask` command again.".to_owned(),
            ],
            (Self::Packages(_), Apt::Absent) => vec![
                "This is not Debian, so nothing was installed. Type".to_owned(),
                "  rustup toolchain install nightly --component rust-src".to_owned(),
                "and, with N the LLVM of `rustc +nightly -vV` and its headers under /usr/lib/llvm-N:".to_owned(),
                format!("  {}", install_command(tools, "N")),
            ],
        }
    }
}

#[cfg(test)]
mod tests;
