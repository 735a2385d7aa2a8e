//! The root that a kernel boots into: busybox, the programs of the tests with their libraries, a script.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use xshell::{Shell, cmd};

use super::archive::Kernel;
use crate::{debian, workspace::Workspace};

/// Where the project's own files are in it.
pub const HOME: &str = "/sg";

/// What the tests run besides.
const TOOLS: [&str; 6] = ["ip", "tc", "bridge", "bpftool", "conntrack", "ethtool"];

/// The first process.
const INIT: &str = r#"#!/bin/busybox sh
for name in $(/bin/busybox --list); do
    [ -e /bin/$name ] || /bin/busybox ln -s busybox /bin/$name
done
# Before busybox's own: its `ip` knows no namespaces.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
mount -t proc none /proc
mount -t sysfs none /sys
mount -t devtmpfs none /dev
mount -t tmpfs none /run
mount -t tmpfs none /tmp
mount -t bpf none /sys/fs/bpf
mkdir -p /run/netns /dev/net
[ -e /dev/net/tun ] || mknod /dev/net/tun c 10 200
for module in /modules/*; do insmod $module; done
ip link set lo up
ulimit -n 65536
. /script
poweroff -f
"#;

/// The part of the root that is the same for every kernel.
pub struct Root {
    shell: Shell,
    folder: PathBuf,
    root: PathBuf,
}

impl Root {
    /// Lays it, with these programs of the project.
    ///
    /// # Errors
    /// When a file cannot be copied.
    pub fn new(workspace: &Workspace, folder: &Path, programs: &[PathBuf]) -> Result<Self> {
        let root = Self {
            shell: workspace.shell()?,
            folder: folder.into(),
            root: folder.join("root"),
        };
        let _ = fs::remove_dir_all(&root.root);
        let directories = [
            "proc", "sys", "dev", "run", "tmp", "var", "etc", "root", "modules",
        ];
        for directory in directories {
            fs::create_dir_all(root.root.join(directory))?;
        }
        symlink("/run", root.root.join("var/run"))?;
        root.copy(&folder.join("busybox"), Path::new("/bin/busybox"))?;
        for tool in TOOLS.iter().filter_map(|tool| debian::find_program(tool)) {
            root.program(&tool, &tool)?;
        }
        for program in programs {
            let name = program
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            // The tests' file has a number behind its name.
            let name = name.split_once('-').map_or(&*name, |(name, _)| name);
            root.program(program, &Path::new(HOME).join(name))?;
        }
        root.copy(&workspace.kernel_object(), &Path::new(HOME).join("sg-ebpf"))?;
        root.write("init", INIT)?;
        Ok(root)
    }

    /// Packs it with what a kernel needs and a script; returns the archive.
    ///
    /// # Errors
    /// When busybox cannot pack it.
    pub fn pack(&self, kernel: &Kernel, script: &str) -> Result<PathBuf> {
        let modules = self.root.join("modules");
        fs::remove_dir_all(&modules)?;
        fs::create_dir_all(&modules)?;
        for module in fs::read_dir(&kernel.modules)?.flatten() {
            fs::copy(module.path(), modules.join(module.file_name()))?;
        }
        self.write("script", script)?;
        let (busybox, initrd) = (self.folder.join("busybox"), self.folder.join("initrd"));
        let _here = self.shell.push_dir(&self.root);
        let pack = "find . | cpio -o -H newc > \"$0\"";
        cmd!(self.shell, "{busybox} sh -c {pack} {initrd}")
            .quiet()
            .ignore_stderr()
            .run()
            .context("busybox cannot pack the root of the machine")?;
        Ok(initrd)
    }

    /// Copies a program without its symbols, and the libraries that it names.
    fn program(&self, from: &Path, to: &Path) -> Result<()> {
        let target = self.target(to)?;
        let shell = &self.shell;
        cmd!(shell, "strip -o {target} {from}")
            .quiet()
            .run()
            .with_context(|| format!("cannot copy {}", from.display()))?;
        let needed = cmd!(shell, "ldd {from}")
            .quiet()
            .ignore_stderr()
            .ignore_status()
            .read()?;
        for library in needed
            .split_whitespace()
            .filter(|word| word.starts_with('/'))
        {
            let library = Path::new(library);
            if !self.inside(library).exists() {
                self.copy(library, library)?;
            }
        }
        Ok(())
    }

    fn copy(&self, from: &Path, to: &Path) -> Result<()> {
        let target = self.target(to)?;
        fs::copy(from, target).with_context(|| format!("cannot copy {}", from.display()))?;
        Ok(())
    }

    fn write(&self, name: &str, text: &str) -> Result<()> {
        let path = self.root.join(name);
        fs::write(&path, text)?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o755))?;
        Ok(())
    }

    fn target(&self, path: &Path) -> Result<PathBuf> {
        let target = self.inside(path);
        if let Some(parent) = target.parent() {
            fs::create_dir_all(parent)?;
        }
        Ok(target)
    }

    fn inside(&self, path: &Path) -> PathBuf {
        self.root.join(path.strip_prefix("/").unwrap_or(path))
    }
}
