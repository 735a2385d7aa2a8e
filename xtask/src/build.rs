//! `cargo xtask build`: the kernel object, then the host's programs that embed it.

use std::{fs, path::Path};

use anyhow::{Context, Result};
use xshell::cmd;

use crate::{
    debian,
    environment::isolated,
    toolchain::{self, Core, TARGET, Toolchain},
    workspace::Workspace,
};

/// What to build.
#[derive(clap::Args, Default)]
pub struct Options {
    /// Build the host's programs optimised, into target/release.
    #[arg(long)]
    pub release: bool,
    /// Build the kernel object alone.
    #[arg(long)]
    object_only: bool,
}

/// Builds what the options ask for and says where it is.
///
/// # Errors
/// When the toolchain is incomplete and cannot be completed, or a crate does not compile.
pub fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    object(workspace)?;
    eprintln!("{}", workspace.short(&workspace.kernel_object()).display());
    if !options.object_only {
        programs(workspace, options.release)?;
        for program in ["sgd", "sgctl", "sgapi"] {
            let path = workspace.bin_dir(options.release).join(program);
            eprintln!("{}", workspace.short(&path).display());
        }
    }
    Ok(())
}

/// Builds the kernel object, and everything that runs on the host: both programs and the demo.
///
/// # Errors
/// As [`run`].
pub fn all(workspace: &Workspace, release: bool) -> Result<()> {
    object(workspace)?;
    programs(workspace, release)
}

/// Builds the kernel object, and the programs that are installed elsewhere.
///
/// # Errors
/// As [`run`].
pub fn packaged(workspace: &Workspace, release: bool) -> Result<()> {
    object(workspace)?;
    let mut arguments = vec!["--package", "sg-userspace", "--package", "sg-api", "--bins"];
    arguments.extend(release.then_some("--release"));
    compile(workspace, &arguments)
}

/// Builds one program of a package, optimised, and what it embeds.
///
/// # Errors
/// As [`run`].
pub fn optimised(workspace: &Workspace, package: &str, program: &str) -> Result<()> {
    object(workspace)?;
    compile(
        workspace,
        &["--package", package, "--bin", program, "--release"],
    )
}

/// Builds the kernel object and puts it where the host's crates embed it from.
fn object(workspace: &Workspace) -> Result<()> {
    let toolchain = toolchain::ensure(workspace)?;
    let build = KernelBuild::new(&toolchain, workspace);
    let shell = workspace.shell()?;
    let cargo = toolchain
        .compiler
        .cargo
        .clone()
        .map_or_else(|| workspace.cargo(), Into::into);
    let arguments = &build.arguments;
    let mut command = isolated(cmd!(shell, "{cargo} {arguments...}")).quiet();
    for (name, value) in &build.environment {
        command = command.env(name, value);
    }
    command.run().context("the kernel object does not build")?;
    let built = workspace.kernel_target().join(TARGET).join("bpf/sg-ebpf");
    publish(&built, &workspace.kernel_object())
}

/// The cargo command that builds the kernel object, as values.
struct KernelBuild {
    arguments: Vec<String>,
    environment: Vec<(&'static str, String)>,
}

impl KernelBuild {
    fn new(toolchain: &Toolchain, workspace: &Workspace) -> Self {
        let target = workspace.kernel_target().display().to_string();
        let mut arguments: Vec<String> = [
            "build",
            "--package",
            "sg-ebpf",
            "--profile",
            "bpf",
            "--target",
            TARGET,
            "--target-dir",
            &target,
        ]
        .map(str::to_owned)
        .to_vec();
        if toolchain.compiler.core == Core::Source {
            arguments.extend(["-Z", "build-std=core"].map(str::to_owned));
        }
        let flags = [
            format!("-Clinker={}", toolchain.linker.path.display()),
            "-Cdebuginfo=2".to_owned(),
            "-Clink-arg=--btf".to_owned(),
            // aya-ebpf reads the registers of the machine the programs will run on.
            format!("--cfg=bpf_target_arch=\"{}\"", std::env::consts::ARCH),
        ];
        let environment = vec![
            ("RUSTC", toolchain.compiler.rustc.display().to_string()),
            // aya-ebpf uses `asm_experimental_arch`.
            ("RUSTC_BOOTSTRAP", "1".to_owned()),
            ("CARGO_ENCODED_RUSTFLAGS", flags.join("\x1f")),
        ];
        Self {
            arguments,
            environment,
        }
    }
}

/// Copies a file unless the copy has the same bytes: the host's crates are rebuilt when its time
/// changes. The rename keeps a reader from ever seeing half of it.
fn publish(from: &Path, to: &Path) -> Result<()> {
    let built = fs::read(from).with_context(|| format!("cannot read {}", from.display()))?;
    if fs::read(to).is_ok_and(|published| published == built) {
        return Ok(());
    }
    let folder = to.parent().context("the object lies in no folder")?;
    let new = to.with_extension("new");
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(&new, built))
        .and_then(|()| fs::rename(&new, to))
        .with_context(|| format!("cannot write {}", to.display()))
}

/// Builds the host's programs. All in one call, so that every verb sees the same features of the
/// same dependencies and none of them is compiled twice.
fn programs(workspace: &Workspace, release: bool) -> Result<()> {
    let mut arguments = vec![
        "--package",
        "sg-userspace",
        "--package",
        "sg-api",
        "--package",
        "sg-tests",
        "--bins",
    ];
    arguments.extend(release.then_some("--release"));
    compile(workspace, &arguments)
}

fn compile(workspace: &Workspace, arguments: &[&str]) -> Result<()> {
    debian::ensure_protoc(workspace)?;
    let shell = workspace.shell()?;
    let (cargo, target) = (workspace.cargo(), &workspace.target);
    cmd!(shell, "{cargo} build {arguments...}")
        .args(["--target-dir".as_ref(), target.as_os_str()])
        .env("SG_EBPF_OBJECT", workspace.kernel_object())
        .quiet()
        .run()
        .context("the programs of the host do not build")
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::toolchain::{
        compiler::{Compiler, Version},
        linker::Linker,
    };

    fn build(core: Core) -> KernelBuild {
        let toolchain = Toolchain {
            compiler: Compiler {
                rustc: PathBuf::from("/usr/bin/rustc"),
                cargo: None,
                version: Version {
                    release: (1, 96),
                    llvm: 22,
                },
                core,
            },
            linker: Linker {
                path: PathBuf::from("/my tools/bpf-linker"),
                llvm: 22,
            },
        };
        let workspace = Workspace {
            root: PathBuf::from("/p"),
            target: PathBuf::from("/p/target"),
        };
        KernelBuild::new(&toolchain, &workspace)
    }

    #[test]
    fn core_is_built_only_from_source() {
        let source = build(Core::Source).arguments.join(" ");
        assert!(source.ends_with("-Z build-std=core"), "{source}");
        let prebuilt = build(Core::Prebuilt).arguments.join(" ");
        assert!(!prebuilt.contains("build-std"), "{prebuilt}");
        assert!(
            prebuilt.contains("--target-dir /p/target/bpf-build"),
            "{prebuilt}"
        );
    }

    #[test]
    fn a_linker_in_a_folder_with_a_space_is_one_flag() {
        let build = build(Core::Prebuilt);
        let (_, flags) = &build.environment[2];
        let flags: Vec<&str> = flags.split('\x1f').collect();
        assert_eq!(flags[0], "-Clinker=/my tools/bpf-linker");
        assert!(
            flags.contains(&"-Clink-arg=--btf"),
            "bpftool needs BTF: {flags:?}"
        );
    }

    #[test]
    fn the_published_object_is_touched_only_when_its_bytes_change() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (
            folder.path().join("built"),
            folder.path().join("out/object"),
        );
        let written = || fs::metadata(&to).unwrap().modified().unwrap();

        fs::write(&from, "one").unwrap();
        publish(&from, &to).unwrap();
        let old = fs::File::options().append(true).open(&to).unwrap();
        old.set_modified(std::time::UNIX_EPOCH).unwrap();
        publish(&from, &to).unwrap();
        assert_eq!(written(), std::time::UNIX_EPOCH);

        fs::write(&from, "two").unwrap();
        publish(&from, &to).unwrap();
        assert_ne!(written(), std::time::UNIX_EPOCH);
        assert_eq!(fs::read(&to).unwrap(), b"two");
    }
}
