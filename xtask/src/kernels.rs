//! `cargo xtask kernels`: the filter on Debian's kernels, each booted in QEMU, and what came of it.

mod archive;
mod console;
mod image;
mod machine;
mod plan;
mod report;

use std::{fs, path::Path, path::PathBuf, time::Duration};

use anyhow::{Context, Result, bail, ensure};
use clap::ValueEnum;
use xshell::cmd;

use crate::{
    build,
    debian::{self, Program},
    workspace::Workspace,
};
use archive::Wanted;
use report::Report;

/// What boots them, and what unpacks them.
const PROGRAMS: [Program; 4] = [
    Program {
        name: "qemu-system-x86_64",
        package: "qemu-system-x86",
    },
    Program {
        name: "depmod",
        package: "kmod",
    },
    Program {
        name: "xz",
        package: "xz-utils",
    },
    Program {
        name: "strip",
        package: "binutils",
    },
];

/// What to boot, and how to say what came of it.
#[derive(clap::Args)]
pub struct Options {
    /// Only kernels of this release, such as 6.1; several may be named. Without it, those of Debian's stable
    /// releases and the newest that it offers.
    #[arg(long = "kernel", value_name = "RELEASE")]
    kernels: Vec<String>,
    /// All kernels that Debian offers, of each release the newest.
    #[arg(long, conflicts_with = "kernels")]
    all: bool,
    /// Only these parts; several may be named.
    #[arg(long = "part", value_name = "PART", value_enum)]
    parts: Vec<plan::Part>,
    /// At taps only tests whose names have this in them; several may be named.
    #[arg(long = "test", value_name = "NAME")]
    tests: Vec<String>,
    /// How long one machine may take, in minutes.
    #[arg(long, default_value_t = 30)]
    minutes: u64,
    /// A table for people, or JSON for programs.
    #[arg(short, long, value_enum, default_value = "table")]
    output: Output,
    /// Put the table into docs/kernels.md.
    #[arg(long)]
    record: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Output {
    Table,
    Json,
}

/// Unpacks what is missing, builds everything, boots each kernel and prints what came of it.
///
/// # Errors
/// When something cannot be installed or does not build, or a part fails on a kernel.
pub fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    debian::ensure_programs(workspace)?;
    debian::ensure(workspace, &PROGRAMS)?;
    let folder = workspace.target.join("kernels");
    let wanted = match &options.kernels[..] {
        [] if options.all => Wanted::All,
        [] => Wanted::Usual,
        named => Wanted::Named(named),
    };
    let kernels = archive::unpacked(workspace, &folder, &wanted)?;
    ensure!(
        !kernels.is_empty(),
        "Debian has no kernel of release {}: leave --kernel out to see what it has",
        options.kernels.join(" or ")
    );
    build::all(workspace, false)?;
    let steps = plan::steps(&options.parts, &options.tests);
    let root = image::Root::new(workspace, &folder, &programs(workspace)?)?;
    let limit = Duration::from_secs(options.minutes * 60);
    let mut report = Report::default();
    for kernel in &kernels {
        let log = folder.join(format!("{}.log", kernel.release));
        eprintln!(
            "Booting {}; its console is in {}.",
            kernel.version,
            workspace.short(&log).display()
        );
        let initrd = root.pack(kernel, &plan::script(&steps))?;
        let said = machine::run(kernel, &initrd, &log, limit)?;
        report.add(&kernel.version, console::read(&steps, &said));
    }
    let text = match options.output {
        Output::Table => report.markdown(),
        Output::Json => serde_json::to_string_pretty(&report)?,
    };
    println!("{text}");
    if options.record {
        record(&workspace.root.join("docs/kernels.md"), &report.markdown())?;
    }
    match report.failures() {
        failures if failures.is_empty() => Ok(()),
        failures => bail!(
            "not as it should be:\n  {}\nThe consoles in {} have all of it.",
            failures.join("\n  "),
            workspace.short(&folder).display()
        ),
    }
}

/// The programs that run in the machine.
fn programs(workspace: &Workspace) -> Result<Vec<PathBuf>> {
    let shell = workspace.shell()?;
    let (cargo, target) = (workspace.cargo(), &workspace.target);
    let built = cmd!(
        shell,
        "{cargo} test --package sg-tests --test it --no-run --message-format json --target-dir {target}"
    )
    .env("SG_EBPF_OBJECT", workspace.kernel_object())
    .quiet()
    .read()
    .context("the kernel tests do not build")?;
    let messages = built
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok());
    let tests = messages
        .filter(|message: &serde_json::Value| message["target"]["name"] == "it")
        .find_map(|message| message["executable"].as_str().map(PathBuf::from))
        .context("cargo does not say where the kernel tests are")?;
    let bin = workspace.bin_dir(false);
    let ours = ["sgd", "sgctl", "demo"].map(|name| bin.join(name));
    Ok([tests].into_iter().chain(ours).collect())
}

/// Puts the table between the marks of a document.
fn record(path: &Path, table: &str) -> Result<()> {
    let document =
        fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let parts = document.split_once(report::BEGIN);
    let parts = parts.and_then(|(head, rest)| Some((head, rest.split_once(report::END)?.1)));
    let (head, tail) =
        parts.with_context(|| format!("{} has no marks for the table", path.display()))?;
    let (begin, end) = (report::BEGIN, report::END);
    fs::write(path, format!("{head}{begin}\n{table}{end}{tail}"))
        .with_context(|| format!("cannot write {}", path.display()))
}
