//! `cargo xtask package-test`: the Debian package from its installation to its removal, on systems that have
//! nothing else.

use anyhow::{Context, Result, ensure};
use xshell::cmd;

use crate::{
    debian::{self, Program},
    doctor, host, package,
    workspace::Workspace,
};

/// What makes and boots a bare system, and plays a virtual machine on it.
const PROGRAMS: [Program; 4] = [
    Program {
        name: "mmdebstrap",
        package: "mmdebstrap",
    },
    Program {
        name: "systemd-nspawn",
        package: "systemd-container",
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

/// Makes the package twice, the second time of a higher version, and takes both through the life of a node.
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
    let first = package::debian(workspace, Some("0.1.0-1"), !options.debug)?;
    let next = package::debian(workspace, Some("0.1.0-2"), !options.debug)?;
    let shell = workspace.shell()?;
    let (script, folder) = ("tests/package/run.py", workspace.target.join("package"));
    for suite in &options.suite {
        cmd!(shell, "python3 {script} {folder} {suite} {first} {next}")
            .quiet()
            .run()
            .with_context(|| format!("the package does not live well on {suite}: see above"))?;
    }
    Ok(())
}
