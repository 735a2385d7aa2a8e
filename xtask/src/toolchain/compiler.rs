//! Compilers that can make code for BPF.

use std::{
    env,
    fmt::{self, Display, Formatter},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};

/// The target the kernel programs are built for.
pub const TARGET: &str = "bpfel-unknown-none";

/// A compiler, and how it comes by a `core` for BPF.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compiler {
    /// The real `rustc`, never rustup's proxy.
    pub rustc: PathBuf,
    /// The cargo to build `core` with, which must be of the same release; a ready-made `core` goes
    /// with any.
    pub cargo: Option<PathBuf>,
    /// What `rustc -vV` says.
    pub version: Version,
    /// Where `core` comes from.
    pub core: Core,
}

/// Where a compiler's `core` for BPF comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Core {
    /// Built with the object, from rustup's `rust-src`.
    Source,
    /// Installed ready-made, as Debian does.
    Prebuilt,
}

/// The two versions of a compiler that matter here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Version {
    /// Major and minor number of the release.
    pub release: (u32, u32),
    /// Major number of the LLVM it was built with, which writes the bitcode.
    pub llvm: u32,
}

impl Display for Compiler {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (major, minor) = self.version.release;
        let core = match self.core {
            Core::Source => "core from rust-src",
            Core::Prebuilt => "prebuilt core",
        };
        write!(
            f,
            "{} {major}.{minor}, LLVM {}, {core}",
            self.rustc.display(),
            self.version.llvm
        )
    }
}

/// Every usable compiler of this machine, the best first; why another is unfit goes to `unfit`.
pub fn find(unfit: &mut Vec<String>) -> Vec<Compiler> {
    let mut sysroots = rustup_toolchains();
    sysroots.push(PathBuf::from("/usr"));
    sysroots
        .into_iter()
        .filter_map(|sysroot| Some((core_of(&sysroot)?, sysroot)))
        .filter_map(|(core, sysroot)| {
            inspect(&sysroot, core)
                .map_err(|error| unfit.push(format!("{}: {error:#}", sysroot.display())))
                .ok()
        })
        .collect()
}

/// rustup's toolchains, nightlies first: they need no leave to use unstable features.
fn rustup_toolchains() -> Vec<PathBuf> {
    let home = env::var_os("RUSTUP_HOME")
        .map(PathBuf::from)
        .or_else(|| Some(Path::new(&env::var_os("HOME")?).join(".rustup")));
    let mut found: Vec<PathBuf> = home
        .and_then(|home| fs::read_dir(home.join("toolchains")).ok())
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    let is_nightly = |path: &Path| {
        path.file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with("nightly"))
    };
    found.sort_by_key(|path| (!is_nightly(path), path.clone()));
    found
}

fn core_of(sysroot: &Path) -> Option<Core> {
    let rustlib = sysroot.join("lib/rustlib");
    let is_core = |name: &str| name.starts_with("libcore-") && name.ends_with(".rlib");
    let prebuilt = fs::read_dir(rustlib.join(TARGET).join("lib")).is_ok_and(|files| {
        files
            .flatten()
            .any(|file| is_core(&file.file_name().to_string_lossy()))
    });
    let source = rustlib.join("src/rust/library/core/Cargo.toml").exists();
    prebuilt
        .then_some(Core::Prebuilt)
        .or(source.then_some(Core::Source))
}

fn inspect(sysroot: &Path, core: Core) -> Result<Compiler> {
    let rustc = sysroot.join("bin/rustc");
    let output = Command::new(&rustc)
        .arg("-vV")
        .env_remove("LD_LIBRARY_PATH")
        .output()
        .with_context(|| format!("{} does not run", rustc.display()))?;
    ensure!(
        output.status.success(),
        "{} does not run: {}",
        rustc.display(),
        String::from_utf8_lossy(&output.stderr).trim()
    );
    let version = Version::parse(&String::from_utf8_lossy(&output.stdout))?;
    let needed = minimum()?;
    ensure!(
        version.release >= needed,
        "rustc {}.{} is older than {}.{}, which this workspace needs",
        version.release.0,
        version.release.1,
        needed.0,
        needed.1
    );
    let cargo = (core == Core::Source).then(|| sysroot.join("bin/cargo"));
    Ok(Compiler {
        rustc,
        cargo,
        version,
        core,
    })
}

/// The workspace's `rust-version`.
fn minimum() -> Result<(u32, u32)> {
    major_minor(env!("CARGO_PKG_RUST_VERSION"))
}

impl Version {
    /// Reads the output of `rustc -vV`.
    fn parse(text: &str) -> Result<Self> {
        let field = |name: &str| {
            text.lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
                .with_context(|| format!("`rustc -vV` prints no `{name}`"))
        };
        let (llvm, _) = major_minor(field("LLVM version")?)?;
        Ok(Self {
            release: major_minor(field("release")?)?,
            llvm,
        })
    }
}

/// `1.96.0` or `22.1` as its first two numbers.
pub fn major_minor(text: &str) -> Result<(u32, u32)> {
    let mut numbers = text.split(|c: char| !c.is_ascii_digit()).map(str::parse);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => Ok((major, minor)),
        _ => anyhow::bail!("`{text}` is not a version"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debians_compiler_is_read() {
        let text = "rustc 1.96.0 (ac68faa20 2026-05-25) (built from a source tarball)\n\
                    binary: rustc\ncommit-hash: ac68faa20c58\ncommit-date: 2026-05-25\n\
                    host: x86_64-unknown-linux-gnu\nrelease: 1.96.0\nLLVM version: 22.1.8\n";
        assert_eq!(
            Version::parse(text).unwrap(),
            Version {
                release: (1, 96),
                llvm: 22
            }
        );
    }

    #[test]
    fn a_nightly_is_read() {
        let text = "rustc 1.97.0-nightly\nrelease: 1.97.0-nightly\nLLVM version: 23.0.0-rust";
        assert_eq!(
            Version::parse(text).unwrap(),
            Version {
                release: (1, 97),
                llvm: 23
            }
        );
    }

    #[test]
    fn a_compiler_without_llvm_is_refused_by_name() {
        let error = Version::parse("release: 1.97.0\n").unwrap_err();
        assert_eq!(error.to_string(), "`rustc -vV` prints no `LLVM version`");
    }

    #[test]
    fn the_workspace_names_the_oldest_compiler() {
        assert!(minimum().unwrap() >= (1, 85), "edition 2024 needs 1.85");
    }

    #[test]
    fn core_is_found_as_source_or_ready_made() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(core_of(root.path()), None);

        let source = root.path().join("lib/rustlib/src/rust/library/core");
        fs::create_dir_all(&source).unwrap();
        fs::write(source.join("Cargo.toml"), "").unwrap();
        assert_eq!(core_of(root.path()), Some(Core::Source));

        let ready = root.path().join("lib/rustlib").join(TARGET).join("lib");
        fs::create_dir_all(&ready).unwrap();
        assert_eq!(
            core_of(root.path()),
            Some(Core::Source),
            "an empty folder is no core"
        );
        fs::write(ready.join("libcore-8056e5e5.rlib"), "").unwrap();
        assert_eq!(
            core_of(root.path()),
            Some(Core::Prebuilt),
            "ready-made saves building it"
        );
    }
}
