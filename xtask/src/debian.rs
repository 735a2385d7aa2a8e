//! Packages of Debian: the only thing installed outside the project's own folder.

use std::{
    env,
    ffi::OsString,
    io,
    path::PathBuf,
    process::{Command, Stdio},
};

use anyhow::{Result, bail, ensure};

use crate::{host, workspace::Workspace};

/// Whether packages can be installed from here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Apt {
    /// No `apt-get`: not Debian.
    #[default]
    Absent,
    /// Only root may install.
    NotRoot,
    /// They can.
    Usable,
}

impl Apt {
    /// How it is on this machine.
    pub fn here() -> Self {
        match (find_program("apt-get"), host::is_root()) {
            (None, _) => Self::Absent,
            (Some(_), false) => Self::NotRoot,
            (Some(_), true) => Self::Usable,
        }
    }

    /// For people.
    pub fn words(self) -> &'static str {
        match self {
            Self::Absent => "no apt-get: nothing can be installed from here",
            Self::NotRoot => "apt-get, but only root may use it",
            Self::Usable => "apt-get, as root",
        }
    }

    /// Installs packages, with progress on stderr.
    ///
    /// # Errors
    /// When apt fails. Nothing already installed is ever removed.
    pub fn install(self, workspace: &Workspace, packages: &[String]) -> Result<()> {
        let names = packages.join(" ");
        ensure!(
            self == Self::Usable,
            "cannot install {names}: as root on Debian this would"
        );
        eprintln!("Installing {names} from Debian.");
        // An earlier installation that was cut off is finished first; otherwise apt refuses to run.
        run(workspace, &["dpkg", "--configure", "-a"])?;
        run(
            workspace,
            &["apt-get", "-q", "-o", "Acquire::Retries=3", "update"],
        )?;
        let install = [
            "apt-get",
            "-q",
            "-y",
            "-o",
            "Acquire::Retries=3",
            "-o",
            "DPkg::Lock::Timeout=300",
            "-o",
            "Dpkg::Use-Pty=0",
            "--no-remove",
            "--no-install-recommends",
            "install",
        ];
        let install: Vec<&str> = install
            .into_iter()
            .chain(packages.iter().map(String::as_str))
            .collect();
        run(workspace, &install)
    }
}

fn run(workspace: &Workspace, command: &[&str]) -> Result<()> {
    eprintln!("$ {}", command.join(" "));
    let status = Command::new(command[0])
        .args(&command[1..])
        .current_dir(&workspace.root)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .env_remove("LD_LIBRARY_PATH")
        .stdin(Stdio::null())
        .stdout(io::stderr())
        .status()?;
    ensure!(status.success(), "`{}` failed: {status}", command.join(" "));
    Ok(())
}

/// A program some verb runs, and the package that has it.
#[derive(Debug, Clone, Copy)]
pub struct Program {
    /// Its name; the path of a file that is no program.
    pub name: &'static str,
    /// Debian's package.
    pub package: &'static str,
}

/// What the demo and the kernel tests run besides our own programs.
pub const PROGRAMS: [Program; 6] = [
    Program {
        name: "bpftool",
        package: "bpftool",
    },
    Program {
        name: "conntrack",
        package: "conntrack",
    },
    // The store that nodes follow.
    Program {
        name: "etcd",
        package: "etcd-server",
    },
    // A clock on the wall that jumps.
    Program {
        name: "faketime",
        package: "faketime",
    },
    Program {
        name: "ip",
        package: "iproute2",
    },
    Program {
        name: "iptables",
        package: "iptables",
    },
];

/// What the crates of the host are built with: etcd's client is made from the description of its protocol.
pub const PROTOC: [Program; 2] = [
    Program {
        name: "protoc",
        package: "protobuf-compiler",
    },
    // Debian has what it comes with in a package of its own.
    Program {
        name: "/usr/include/google/protobuf/descriptor.proto",
        package: "libprotobuf-dev",
    },
];

/// Installs what of [`PROTOC`] is not there. A compiler from elsewhere has its files beside it.
///
/// # Errors
/// As [`ensure`].
pub fn ensure_protoc(workspace: &Workspace) -> Result<()> {
    ensure(workspace, needed_protoc())
}

/// What of [`PROTOC`] is looked for on this machine.
pub fn needed_protoc() -> &'static [Program] {
    let own = env::var_os("PROTOC").map(PathBuf::from);
    match own.or_else(|| find_program(PROTOC[0].name)) {
        Some(protoc) if !protoc.starts_with("/usr/bin") => &[],
        _ => &PROTOC,
    }
}

/// Installs the programs of [`PROGRAMS`] that are not there.
///
/// # Errors
/// As [`ensure`].
pub fn ensure_programs(workspace: &Workspace) -> Result<()> {
    ensure(workspace, &PROGRAMS)
}

/// Installs the programs that are not there.
///
/// # Errors
/// Names the packages and the commands to type when they cannot be installed from here.
pub fn ensure(workspace: &Workspace, programs: &[Program]) -> Result<()> {
    let missing: Vec<Program> = programs
        .iter()
        .copied()
        .filter(|program| find_program(program.name).is_none())
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let packages: Vec<String> = missing
        .iter()
        .map(|program| program.package.to_owned())
        .collect();
    match Apt::here() {
        Apt::Usable => Apt::Usable.install(workspace, &packages),
        Apt::NotRoot => bail!(
            "missing: {0}. As root, type\n  apt-get update\n  \
             apt-get install -y --no-install-recommends {0}",
            packages.join(" ")
        ),
        Apt::Absent => {
            let names: Vec<&str> = missing.iter().map(|program| program.name).collect();
            bail!(
                "missing: {}. Install them with your system's packages.",
                names.join(", ")
            )
        }
    }
}

/// Where a program is, on [`search_path`]. A path stands for itself.
pub fn find_program(name: &str) -> Option<PathBuf> {
    search_folders()
        .into_iter()
        .map(|folder| folder.join(name))
        .find(|path| path.is_file())
}

/// PATH for the programs we start.
///
/// # Errors
/// When PATH holds a folder that cannot be written in it.
pub fn search_path() -> Result<OsString> {
    Ok(env::join_paths(search_folders())?)
}

/// PATH's folders, and those of root's programs, which Debian leaves out of other users' PATH.
fn search_folders() -> Vec<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let roots = ["/usr/sbin", "/sbin"].map(PathBuf::from);
    env::split_paths(&path).chain(roots).collect()
}
