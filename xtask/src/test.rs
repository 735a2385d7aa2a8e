//! `cargo xtask test`: every layer of the tests, or those of the host alone.

use anyhow::{Result, bail};
use xshell::cmd;

use crate::{build, debian, doctor, host, workspace::Workspace};

/// What to test.
#[derive(clap::Args)]
pub struct Options {
    /// Run only the layers that need neither root nor the kernel object.
    #[arg(long)]
    host: bool,
    /// Arguments of the test programs, such as a part of a test's name.
    #[arg(last = true)]
    arguments: Vec<String>,
}

/// A part of the tests that is run by one call of `cargo test`.
struct Layer {
    name: &'static str,
    what: &'static str,
    selection: &'static [&'static str],
}

const HOST: [Layer; 5] = [
    Layer {
        name: "filter",
        what: "the filter as ordinary code, as the kernel has it",
        selection: &["--package", "sg-common"],
    },
    Layer {
        name: "filter over memory",
        what: "the filter over tables in memory, with its properties",
        selection: &["--package", "sg-common", "--features", "memory"],
    },
    Layer {
        name: "store",
        what: "what a fleet's state is kept in, and what follows it",
        selection: &["--package", "sg-store", "--lib"],
    },
    Layer {
        name: "api",
        what: "the API in front of a store, against what Neutron answered",
        selection: &["--package", "sg-api"],
    },
    Layer {
        name: "userspace",
        what: "model, compiler, plan, daemon, command line, build tool, house rules",
        selection: &["--package", "sg-userspace", "--package", "xtask"],
    },
];

const KERNEL: [Layer; 2] = [
    Layer {
        name: "etcd",
        what: "the store in real clusters of etcd",
        selection: &[
            "--package",
            "sg-store",
            "--features",
            "testing",
            "--test",
            "etcd",
        ],
    },
    Layer {
        name: "kernel",
        what: "the real object: BPF_PROG_TEST_RUN tables, and taps in namespaces",
        selection: &["--package", "sg-tests"],
    },
];

/// Installs what is missing, builds everything, runs the layers and says which ran.
///
/// # Errors
/// When a test fails, when something does not build, or when the kernel's layers cannot run and
/// `--host` was not given.
pub fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let kernel = !options.host && host::is_root();
    if kernel {
        doctor::ensure_kernel()?;
        debian::ensure_programs(workspace)?;
        build::all(workspace, false)?;
    }
    debian::ensure_protoc(workspace)?;
    let mut report = Vec::new();
    let mut failed = Vec::new();
    for layer in HOST.iter().chain(KERNEL.iter().filter(|_| kernel)) {
        eprintln!("\n== {}: {} ==", layer.name, layer.what);
        let passed = layer.run(workspace, &options.arguments).is_ok();
        report.push(format!(
            "  {:<6} {}: {}",
            outcome(passed),
            layer.name,
            layer.what
        ));
        if !passed {
            failed.push(layer.name);
        }
    }
    if !kernel {
        report.extend(
            KERNEL
                .iter()
                .map(|layer| format!("  not run {}: {}", layer.name, layer.what)),
        );
    }
    eprintln!("\nLayers of the tests:\n{}", report.join("\n"));
    if !failed.is_empty() {
        bail!("failed: {}", failed.join(", "));
    }
    if !kernel && !options.host {
        bail!(
            "the kernel's layers need root: run this as root, or with --host for the others alone"
        );
    }
    Ok(())
}

fn outcome(passed: bool) -> &'static str {
    if passed { "passed" } else { "FAILED" }
}

impl Layer {
    fn run(&self, workspace: &Workspace, arguments: &[String]) -> Result<()> {
        let shell = workspace.shell()?;
        let (cargo, target) = (workspace.cargo(), &workspace.target);
        let selection = self.selection;
        cmd!(
            shell,
            "{cargo} test {selection...} --no-fail-fast --target-dir {target}"
        )
        .args(["--"])
        .args(arguments)
        .env("SG_EBPF_OBJECT", workspace.kernel_object())
        .env("SG_BIN_DIR", workspace.bin_dir(false))
        .env("PATH", debian::search_path(workspace)?)
        .quiet()
        .run()?;
        Ok(())
    }
}
