//! `cargo xtask package-test`: the Debian packages from their installation to their removal, on systems that have
//! nothing else.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use xshell::cmd;

use crate::{
    debian::{self, Program},
    doctor, host, package,
    workspace::Workspace,
};

/// What makes and boots a bare system, and plays a virtual machine on it.
const PROGRAMS: [Program; 5] = [
    Program {
        name: "mmdebstrap",
        package: "mmdebstrap",
    },
    Program {
        name: "systemd-nspawn",
        package: "systemd-container",
    },
    // Makes a certificate.
    Program {
        name: "openssl",
        package: "openssl",
    },
    Program {
        name: "nsenter",
        package: "util-linux",
    },
    Program {
        name: "python3",
        package: "python3",
    },
];

/// Which systems.
#[derive(clap::Args)]
pub struct Options {
    /// The releases of Debian.
    #[arg(long, value_name = "SUITE", default_values = ["bookworm", "trixie"])]
    suite: Vec<String>,
    /// Programs that are not optimised, which are sooner built.
    #[arg(long)]
    debug: bool,
}

/// Makes each package twice, the second time of a higher version, and takes both through the life of a system: sgd's
/// of a node, sgapi's of a host of the API.
///
/// # Errors
/// Without root, when something does not build, or when a step does not come out as it should.
pub fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    ensure!(
        host::is_root(),
        "the systems are containers with filters loaded into the kernel: run it as root"
    );
    doctor::ensure_kernel()?;
    debian::ensure(workspace, &PROGRAMS)?;
    let made = |package| -> Result<[PathBuf; 2]> {
        let of = |version| package::debian(workspace, package, Some(version), !options.debug);
        Ok([of("0.1.0-1")?, of("0.1.0-2")?])
    };
    let [sgd, next_sgd] = &made(&package::SGD)?;
    let [sgapi, next_sgapi] = &made(&package::SGAPI)?;
    let lives = [
        ("tests/package/node.py", vec![sgd, next_sgd]),
        // A host of the API that becomes a node.
        ("tests/package/api.py", vec![sgapi, next_sgapi, next_sgd]),
    ];
    let (shell, folder) = (workspace.shell()?, workspace.target.join("package"));
    for (script, packages) in &lives {
        for suite in &options.suite {
            cmd!(shell, "python3 {script} {folder} {suite} {packages...}")
                .quiet()
                .run()
                .with_context(|| format!("{script} does not end well on {suite}: see above"))?;
        }
    }
    Ok(())
}
