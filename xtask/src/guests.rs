//! `cargo xtask guests`: firmware, boot loaders and Debian's kernel in QEMU, behind Neutron's iptables rules and
//! behind this filter.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};
use xshell::{Shell, cmd};

use crate::{
    build,
    debian::{self, Program},
    doctor, host, modules, neutron, show,
    workspace::Workspace,
};

/// What the guests are, and what they run in and talk to; firmware is told by its file.
const PROGRAMS: [Program; 9] = [
    Program {
        name: "qemu-system-x86_64",
        package: "qemu-system-x86",
    },
    Program {
        name: "/usr/lib/ipxe/qemu/efi-virtio.rom",
        package: "ipxe-qemu",
    },
    Program {
        name: "/usr/share/OVMF/OVMF_CODE_4M.fd",
        package: "ovmf",
    },
    Program {
        name: "/usr/lib/u-boot/qemu-x86/u-boot.rom",
        package: "u-boot-qemu",
    },
    Program {
        name: "/usr/lib/grub/x86_64-efi/moddep.lst",
        package: "grub-efi-amd64-bin",
    },
    Program {
        name: "grub-mkimage",
        package: "grub-common",
    },
    Program {
        name: "dnsmasq",
        package: "dnsmasq-base",
    },
    Program {
        name: "tcpdump",
        package: "tcpdump",
    },
    Program {
        name: "depmod",
        package: "kmod",
    },
];

/// What the kernel needs for its card and a VLAN.
const MODULES: [&str; 3] = ["virtio_pci", "virtio_net", "8021q"];

/// What to play. `--help` is for the program itself, which knows its options.
#[derive(clap::Args)]
#[command(disable_help_flag = true)]
pub struct Options {
    /// Options of the run, such as `--only linux`, `--list` or `--help`.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

/// Installs and unpacks what is missing, builds everything and plays the scenarios.
///
/// # Errors
/// Without root, when something cannot be installed or does not build, or when a guest fails or a frame's fate
/// differs that `docs/parity.md` does not list.
pub fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let shell = workspace.shell()?;
    let arguments = &options.arguments;
    let asks = |word: &String| matches!(word.as_str(), "--help" | "-h" | "--list");
    if arguments.iter().any(asks) {
        return show::ask(workspace, "guests", arguments);
    }
    ensure!(
        host::is_root(),
        "the guests run in network namespaces, with filters loaded into the kernel: run it as root"
    );
    doctor::ensure_kernel()?;
    debian::ensure_programs(workspace)?;
    debian::ensure(workspace, &neutron::PROGRAMS)?;
    debian::ensure(workspace, &PROGRAMS)?;
    let python = neutron::python(workspace)?;
    let folder = unpacked(workspace)?;
    build::all(workspace, false)?;
    let bin = workspace.bin_dir(false);
    let guests = bin.join("guests");
    cmd!(shell, "{guests} {arguments...}")
        .env("SG_GUESTS_DIR", folder)
        .env("SG_ORACLE_PYTHON", python)
        .env("SG_BIN_DIR", bin)
        .env("SG_EBPF_OBJECT", workspace.kernel_object())
        .env("PATH", debian::search_path(workspace)?)
        .quiet()
        .run()
        .context("the guests did not pass: see above")
}

/// The folder with packages that are unpacked and not installed: a kernel is nothing to install for a test,
/// and busybox-static would take the place of busybox. Made on first use.
fn unpacked(workspace: &Workspace) -> Result<PathBuf> {
    let folder = workspace.target.join("guests");
    let done = folder.join("linux").join("version");
    if done.is_file() && folder.join("root/bin/busybox").is_file() {
        return Ok(folder);
    }
    let short = workspace.short(&folder).display();
    eprintln!("Unpacking busybox-static and Debian's kernel into {short}.");
    let shell = workspace.shell()?;
    let packages = folder.join("packages");
    // What was cut off is begun anew.
    for old in ["packages", "root", "linux", "kernel"] {
        let _ = fs::remove_dir_all(folder.join(old));
    }
    fs::create_dir_all(&packages).with_context(|| format!("cannot create {short}"))?;
    shell.change_dir(&packages);
    let depends = cmd!(shell, "apt-cache depends linux-image-amd64")
        .quiet()
        .read()
        .context("Debian's lists of packages cannot be read: type apt-get update")?;
    let kernel = depends
        .lines()
        .find_map(|line| line.trim().strip_prefix("Depends: "))
        .context("linux-image-amd64 names no kernel: type apt-get update")?;
    // Without it apt warns that its own user cannot write here.
    let user = "APT::Sandbox::User=root";
    cmd!(
        shell,
        "apt-get -q -o {user} download busybox-static {kernel}"
    )
    .quiet()
    .run()
    .context("the packages cannot be downloaded: type apt-get update")?;
    let (root, tree) = (folder.join("root"), folder.join("kernel"));
    for entry in fs::read_dir(&packages)?.flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        let busybox = name.to_string_lossy().starts_with("busybox");
        let target = if busybox { &root } else { &tree };
        cmd!(shell, "dpkg -x {path} {target}").quiet().run()?;
        if !busybox {
            linux(&shell, &path, &tree, &folder.join("linux"))?;
        }
    }
    fs::remove_dir_all(&tree)?;
    fs::remove_dir_all(&packages)?;
    Ok(folder)
}

/// Takes what boots out of a kernel's package, and says of which version it is.
fn linux(shell: &Shell, package: &Path, tree: &Path, target: &Path) -> Result<()> {
    modules::take(shell, tree, &MODULES, target)?;
    // Last: what has a version is whole.
    let version = cmd!(shell, "dpkg-deb -f {package} Version")
        .quiet()
        .read()?;
    fs::write(target.join("version"), version)?;
    Ok(())
}
