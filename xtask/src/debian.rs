//! Packages of Debian: the only thing installed outside the project's own folder.

mod unpack;

use std::{
    env,
    ffi::OsString,
    io,
    path::PathBuf,
    process::{Command, Stdio},
};

use anyhow::{Result, bail, ensure};

use crate::{host, workspace::Workspace};
pub use unpack::unpack;

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
        self.update(workspace)?;
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

    /// Has apt ask what there is.
    fn update(self, workspace: &Workspace) -> Result<()> {
        run(
            workspace,
            &["apt-get", "-q", "-o", "Acquire::Retries=3", "update"],
        )
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

/// The store that nodes follow.
pub const ETCD: Program = Program {
    name: "etcd",
    package: "etcd-server",
};

/// Packages that start a service as soon as they are installed: of these the programs are unpacked.
const SERVICES: [&str; 1] = [ETCD.package];

impl Program {
    /// Where it is: on PATH, or unpacked.
    pub fn find(&self, workspace: &Workspace) -> Option<PathBuf> {
        let unpacked = || unpacked(workspace).map(|folder| folder.join(self.name));
        find_program(self.name).or_else(|| unpacked().find(|path| path.is_file()))
    }

    /// Whether its package is unpacked, which takes no root, and not installed.
    pub fn is_unpacked(&self) -> bool {
        SERVICES.contains(&self.package)
    }
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
    ETCD,
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

/// Installs the programs that are not there, or unpacks them beside [`search_path`]'s folders where their packages
/// would start a service.
///
/// # Errors
/// Names the packages and the commands to type when they cannot be installed from here.
pub fn ensure(workspace: &Workspace, programs: &[Program]) -> Result<()> {
    let missing: Vec<Program> = programs
        .iter()
        .copied()
        .filter(|program| program.find(workspace).is_none())
        .collect();
    let apt = Apt::here();
    if apt == Apt::Absent && !missing.is_empty() {
        let names: Vec<&str> = missing.iter().map(|program| program.name).collect();
        bail!(
            "missing: {}. Install them with your system's packages.",
            names.join(", ")
        )
    }
    let (services, others): (Vec<Program>, Vec<Program>) =
        missing.iter().partition(|program| program.is_unpacked());
    for program in services {
        let folder = unpack(workspace, program.package)?;
        let (name, folder) = (program.name, workspace.short(&folder).display());
        let found = program.find(workspace);
        ensure!(found.is_some(), "{folder} has no {name}: remove it");
    }
    if others.is_empty() {
        return Ok(());
    }
    let packages: Vec<String> = others
        .iter()
        .map(|program| program.package.to_owned())
        .collect();
    ensure!(
        apt == Apt::Usable,
        "missing: {0}. As root, type\n  apt-get update\n  \
         apt-get install -y --no-install-recommends {0}",
        packages.join(" ")
    );
    apt.install(workspace, &packages)
}

/// Where a program is, on PATH. A path stands for itself.
pub fn find_program(name: &str) -> Option<PathBuf> {
    folders()
        .into_iter()
        .map(|folder| folder.join(name))
        .find(|path| path.is_file())
}

/// PATH for the programs we start; what was unpacked comes last.
///
/// # Errors
/// When PATH holds a folder that cannot be written in it.
pub fn search_path(workspace: &Workspace) -> Result<OsString> {
    let folders = folders().into_iter().chain(unpacked(workspace));
    Ok(env::join_paths(folders)?)
}

/// PATH's folders, and those of root's programs, which Debian leaves out of other users' PATH.
fn folders() -> Vec<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let roots = ["/usr/sbin", "/sbin"].map(PathBuf::from);
    env::split_paths(&path).chain(roots).collect()
}

/// Where the programs of packages are that were unpacked, or will be.
fn unpacked(workspace: &Workspace) -> impl Iterator<Item = PathBuf> {
    SERVICES
        .map(|package| unpack::folder(workspace, package).join("usr/bin"))
        .into_iter()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn what_was_unpacked_is_found_behind_what_is_on_the_path() {
        let folder = tempfile::tempdir().unwrap();
        let workspace = Workspace {
            root: folder.path().into(),
            target: folder.path().join("target"),
        };
        let [one, shell] = ["only-unpacked", "sh"].map(|name| Program {
            name,
            package: ETCD.package,
        });
        assert_eq!(one.find(&workspace), None);
        let programs = workspace.target.join("debian/etcd-server/usr/bin");
        fs::create_dir_all(&programs).unwrap();
        for name in [one.name, shell.name] {
            fs::write(programs.join(name), "").unwrap();
        }
        assert_eq!(one.find(&workspace), Some(programs.join(one.name)));
        let installed = shell.find(&workspace).unwrap();
        assert!(!installed.starts_with(folder.path()), "{installed:?}");
        let path = search_path(&workspace).unwrap();
        assert_eq!(env::split_paths(&path).last(), Some(programs));
    }
}
