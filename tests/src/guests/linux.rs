//! Debian's kernel with a root of its own: busybox, the modules of its network card, and a script.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::machine::Hardware;
use super::{busybox, directory};

/// What runs as the first process: it makes the network card and goes on with the scenario's script.
const INIT: &str = r#"#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc none /proc
mount -t sysfs none /sys
mount -t devtmpfs none /dev
for module in /modules/*; do insmod $module; done
set_address() { ip address add $1 dev ${2:-eth0}; }
. /scenario
echo "SCRIPT ENDS"
while true; do sleep 3600; done
"#;

/// What udhcpc runs: the lease is taken as it comes.
const UDHCPC: &str = r#"#!/bin/busybox sh
case $1 in bound|renew)
    ip address flush dev $interface scope global
    ip address add $ip/$mask dev $interface
    echo "LEASE $ip"
esac
"#;

/// A machine with Debian's kernel that runs this script on its first serial port.
#[must_use]
pub fn hardware(script: &str, directory: &Path) -> Hardware {
    let initrd = directory.join("initrd");
    pack(script, directory, &initrd);
    let arguments = [
        "-kernel".to_owned(),
        image().display().to_string(),
        "-initrd".to_owned(),
        initrd.display().to_string(),
        "-append".to_owned(),
        "console=ttyS0 rdinit=/init panic=-1 no_timer_check quiet".to_owned(),
    ];
    Hardware {
        card: "virtio-net-pci",
        rom: false,
        arguments: arguments.into(),
    }
}

/// The kernel, for a server of boot files.
#[must_use]
pub fn kernel() -> Vec<u8> {
    read(&image())
}

/// The root that goes with it, which runs this script.
#[must_use]
pub fn root(script: &str, directory: &Path) -> Vec<u8> {
    let initrd = directory.join("initrd");
    pack(script, directory, &initrd);
    read(&initrd)
}

fn image() -> PathBuf {
    directory().join("linux/vmlinuz")
}

/// The kernel's version.
#[must_use]
pub fn version() -> String {
    let path = directory().join("linux/version");
    let version = fs::read_to_string(&path);
    version.unwrap_or_else(|e| panic!("cannot read {path:?}: {e}"))
}

/// Packs the root into an archive as the kernel unpacks it (`Documentation/driver-api/early-userspace`).
fn pack(script: &str, folder: &Path, initrd: &Path) {
    let root = folder.join("initrd.d");
    let write = |name: &str, content: &[u8], mode: u32| {
        use std::os::unix::fs::PermissionsExt;
        let path = root.join(name);
        let parent = path.parent().unwrap_or(&root);
        let written = fs::create_dir_all(parent)
            .and_then(|()| fs::write(&path, content))
            .and_then(|()| fs::set_permissions(&path, fs::Permissions::from_mode(mode)));
        written.unwrap_or_else(|e| panic!("cannot write {path:?}: {e}"));
    };
    for empty in ["proc", "sys", "dev", "tmp"] {
        let path = root.join(empty);
        fs::create_dir_all(&path).unwrap_or_else(|e| panic!("cannot create {path:?}: {e}"));
    }
    write("bin/busybox", &read(&busybox()), 0o755);
    write("init", INIT.as_bytes(), 0o755);
    write("udhcpc", UDHCPC.as_bytes(), 0o755);
    write("scenario", script.as_bytes(), 0o644);
    let modules = directory().join("linux/modules");
    let entries = fs::read_dir(&modules).unwrap_or_else(|e| panic!("cannot read {modules:?}: {e}"));
    for entry in entries.flatten() {
        let name = format!("modules/{}", entry.file_name().to_string_lossy());
        write(&name, &read(&entry.path()), 0o644);
    }
    let mut command = Command::new(busybox());
    command
        .args(["sh", "-c", "find . | cpio -o -H newc >\"$0\""])
        .arg(initrd)
        .current_dir(&root);
    let output = command.output();
    let output = output.unwrap_or_else(|e| panic!("cannot run busybox: {e}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "cannot pack {initrd:?}: {said}");
    let _ = fs::remove_dir_all(&root);
}

fn read(path: &Path) -> Vec<u8> {
    fs::read(path).unwrap_or_else(|e| panic!("cannot read {path:?}: {e}"))
}
