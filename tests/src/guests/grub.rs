//! GRUB as an EFI program.

use std::fs;
use std::path::Path;
use std::process::Command;

/// What it can do.
const MODULES: [&str; 7] = ["net", "efinet", "tftp", "http", "echo", "cat", "linux"];

/// An image that runs these commands, as the package's tools make it.
#[must_use]
pub fn image(commands: &[&str], directory: &Path) -> Vec<u8> {
    let [script, image] = ["grub.cfg", "grub.efi"].map(|name| directory.join(name));
    fs::write(&script, commands.join("\n") + "\n")
        .unwrap_or_else(|e| panic!("cannot write {script:?}: {e}"));
    let mut command = Command::new("grub-mkimage");
    command
        .args(["-O", "x86_64-efi", "-p", "/", "-c"])
        .arg(&script)
        .arg("-o")
        .arg(&image)
        .args(MODULES);
    let output = command.output();
    let output = output.unwrap_or_else(|e| panic!("cannot run grub-mkimage: {e}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "grub-mkimage: {said}");
    fs::read(&image).unwrap_or_else(|e| panic!("cannot read {image:?}: {e}"))
}
