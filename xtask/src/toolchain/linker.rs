//! bpf-linker, and the LLVM it was built with.

use std::{
    env,
    fmt::{self, Display, Formatter},
    fs,
    ops::RangeInclusive,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};
use xshell::cmd;

use super::compiler::major_minor;
use crate::{environment::isolated, workspace::Workspace};

/// The release that is installed, and the oldest that is used.
pub const RELEASE: &str = "0.13.0";
/// The LLVMs that release can be built with.
pub const LLVMS: RangeInclusive<u32> = 21..=23;

/// A bpf-linker that runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Linker {
    /// The program.
    pub path: PathBuf,
    /// Major number of its LLVM. It must be at least the compiler's: LLVM reads older bitcode only.
    pub llvm: u32,
}

impl Display for Linker {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}, LLVM {}", self.path.display(), self.llvm)
    }
}

/// Where Debian's `llvm-N-dev` lives.
pub fn llvm_prefix(llvm: u32) -> PathBuf {
    PathBuf::from(format!("/usr/lib/llvm-{llvm}"))
}

/// The LLVMs a linker could be built with here, oldest first.
pub fn llvm_libraries() -> Vec<u32> {
    LLVMS
        .filter(|&llvm| llvm_prefix(llvm).join("lib/libLLVM.so").exists())
        .collect()
}

/// Every linker that runs: the project's own, then those on PATH; why another is unfit goes to
/// `unfit`.
pub fn find(workspace: &Workspace, unfit: &mut Vec<String>) -> Vec<Linker> {
    let path = env::var_os("PATH").unwrap_or_default();
    let mut found: Vec<PathBuf> = [workspace.tools().join("bin")]
        .into_iter()
        .chain(env::split_paths(&path))
        .map(|folder| folder.join("bpf-linker"))
        .filter(|program| program.is_file())
        .collect();
    found.dedup();
    found
        .into_iter()
        .filter_map(|program| {
            inspect(&program)
                .map_err(|error| unfit.push(format!("{}: {error:#}", program.display())))
                .ok()
        })
        .collect()
}

fn inspect(program: &Path) -> Result<Linker> {
    let output = Command::new(program)
        .arg("--version")
        .env_remove("LD_LIBRARY_PATH")
        .output()
        .context("does not run")?;
    let says = String::from_utf8_lossy(&output.stdout);
    ensure!(
        output.status.success(),
        "does not run: {}",
        String::from_utf8_lossy(&output.stderr).trim()
    );
    let release = says.trim().rsplit(' ').next().unwrap_or_default();
    ensure!(
        major_minor(release)? >= major_minor(RELEASE)?,
        "release {release} is older than {RELEASE}"
    );
    let llvm = linked_llvm(&fs::read(program)?)
        .context("names no shared libLLVM, so it cannot be told which compilers it fits")?;
    Ok(Linker {
        path: program.to_path_buf(),
        llvm,
    })
}

/// The LLVM a program links to, by the name of the library it asks the loader for:
/// `libLLVM.so.22.1`, or `libLLVM-17.so` as it was called up to LLVM 18.
fn linked_llvm(program: &[u8]) -> Option<u32> {
    const NAME: &[u8] = b"libLLVM";
    program
        .windows(NAME.len())
        .enumerate()
        .filter(|(_, window)| *window == NAME)
        .find_map(|(at, _)| {
            let rest = &program[at + NAME.len()..];
            let rest = rest
                .strip_prefix(b".so.")
                .or_else(|| rest.strip_prefix(b"-"))?;
            let digits: Vec<u8> = rest
                .iter()
                .copied()
                .take_while(u8::is_ascii_digit)
                .take(4)
                .collect();
            String::from_utf8(digits).ok()?.parse().ok()
        })
}

/// Builds the linker into the project's own folder: about a minute.
///
/// # Errors
/// When cargo fails; what it had built is kept, and the next call goes on from there.
pub fn install(workspace: &Workspace, llvm: u32) -> Result<()> {
    eprintln!(
        "Building bpf-linker {RELEASE} with LLVM {llvm} into {}: about a minute, once.",
        workspace.short(&workspace.tools()).display()
    );
    let shell = workspace.shell()?;
    let cargo = workspace.cargo();
    let arguments = install_arguments(&workspace.tools(), llvm);
    let build = workspace.tools().join("build");
    let toolchain = env::var_os("RUSTUP_TOOLCHAIN");
    let mut command = isolated(cmd!(shell, "{cargo} {arguments...} --target-dir {build}"))
        .env("LLVM_PREFIX", llvm_prefix(llvm));
    if let Some(toolchain) = toolchain {
        // The linker is a program of the host: it is built by the caller's own compiler.
        command = command.env("RUSTUP_TOOLCHAIN", toolchain);
    }
    command.run().context("bpf-linker could not be built")?;
    fs::remove_dir_all(&build).with_context(|| format!("cannot remove {}", build.display()))
}

/// What to type to install the linker by hand, from the root.
pub fn install_command(workspace_tools: &Path, llvm: &str) -> String {
    format!(
        "LLVM_PREFIX=/usr/lib/llvm-{llvm} cargo install bpf-linker --version {RELEASE} --locked \
         --no-default-features --features llvm-{llvm} --root {}",
        workspace_tools.display()
    )
}

fn install_arguments(root: &Path, llvm: u32) -> Vec<String> {
    let root = root.display().to_string();
    let feature = format!("llvm-{llvm}");
    let arguments = [
        "install",
        "bpf-linker",
        "--version",
        RELEASE,
        "--locked",
        "--force",
        "--no-default-features",
        "--features",
        &feature,
        "--root",
        &root,
    ];
    arguments.map(str::to_owned).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_llvm_is_read_from_the_name_of_the_library() {
        assert_eq!(linked_llvm(b"\0libc.so.6\0libLLVM.so.22.1\0"), Some(22));
        assert_eq!(linked_llvm(b"\0libLLVM-17.so.1\0"), Some(17));
        assert_eq!(
            linked_llvm(b"\0libLLVMSupport.a\0libLLVM.so.21.1\0"),
            Some(21)
        );
    }

    #[test]
    fn a_program_without_a_shared_llvm_has_none() {
        assert_eq!(linked_llvm(b"\0libc.so.6\0libLLVM.so\0"), None);
        assert_eq!(linked_llvm(b""), None);
    }

    #[test]
    fn the_feature_of_the_linker_follows_the_llvm() {
        let arguments = install_arguments(Path::new("/t"), 21).join(" ");
        assert!(
            arguments.contains("--features llvm-21 --root /t"),
            "{arguments}"
        );
    }
}
