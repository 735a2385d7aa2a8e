//! What boots of a kernel's package: its image, and the modules that are wanted.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use xshell::{Shell, cmd};

/// Takes the image, as `vmlinuz`, and the modules with those that they need, in a folder `modules` and named
/// in the order they are loaded in, out of the tree that a kernel's packages were unpacked into. A module
/// that this kernel does not have is passed over, and so is one that is built in.
///
/// # Errors
/// When the tree has no kernel.
pub fn take(shell: &Shell, tree: &Path, wanted: &[&str], target: &Path) -> Result<()> {
    let modules = target.join("modules");
    fs::create_dir_all(&modules)?;
    // Before and after Debian's move of everything below /usr.
    let (lib, usr) = (tree.join("lib/modules"), tree.join("usr/lib/modules"));
    if !lib.is_dir() {
        fs::create_dir_all(tree.join("lib"))?;
        std::os::unix::fs::symlink(&usr, &lib)?;
    }
    let release = fs::read_dir(&lib)
        .ok()
        .and_then(|entries| entries.flatten().next())
        .context("the kernel's package has no modules")?
        .file_name();
    let release = release.to_string_lossy().into_owned();
    cmd!(shell, "depmod -b {tree} {release}")
        .quiet()
        .ignore_stderr()
        .run()?;
    for (number, path) in order(shell, tree, &release, wanted)?.iter().enumerate() {
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let module = modules.join(format!("{number:02}-{}", name.trim_end_matches(".xz")));
        match name.ends_with(".xz") {
            true => fs::write(
                module,
                cmd!(shell, "xz -dc {path}").quiet().output()?.stdout,
            )?,
            false => fs::copy(path, module).map(drop)?,
        }
    }
    let images = [
        tree.join(format!("boot/vmlinuz-{release}")),
        lib.join(&release).join("vmlinuz"),
    ];
    let image = images.iter().find(|image| image.is_file());
    fs::copy(
        image.context("the kernel's package has no image")?,
        target.join("vmlinuz"),
    )?;
    Ok(())
}

/// The files of modules and of those that they need, each once and after what it needs.
fn order(shell: &Shell, tree: &Path, release: &str, wanted: &[&str]) -> Result<Vec<PathBuf>> {
    let mut order: Vec<PathBuf> = Vec::new();
    for module in wanted {
        let show = cmd!(
            shell,
            "modprobe -d {tree} -S {release} --show-depends {module}"
        );
        let shown = show.quiet().ignore_stderr().ignore_status().read()?;
        // What this machine's own settings add behind the path is nothing to that kernel.
        let paths = shown
            .lines()
            .filter_map(|line| line.strip_prefix("insmod ")?.split_whitespace().next());
        for path in paths.map(PathBuf::from) {
            if !order.contains(&path) {
                order.push(path);
            }
        }
    }
    Ok(order)
}
