//! QEMU without hardware help: slow, and the same everywhere.

use std::{
    fs::{self, File},
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};

use super::archive::Kernel;

/// How often it is asked whether the machine has ended.
const LOOK: Duration = Duration::from_millis(500);

/// What the kernel is told: no timer is looked for that emulation has not, and nothing guards against
/// processors that are not there.
const COMMAND_LINE: &str =
    "console=ttyS0 rdinit=/init panic=-1 no_timer_check mitigations=off quiet loglevel=3";

/// The machine. Its time goes by instructions, one a nanosecond, and jumps over what it waits for: a busy host
/// makes nothing in it late. That goes with one processor.
const MACHINE: [&str; 18] = [
    "-machine",
    "q35",
    "-cpu",
    "max",
    "-accel",
    "tcg,thread=single",
    "-icount",
    "shift=0,sleep=off",
    "-rtc",
    "clock=vm",
    "-smp",
    "1",
    "-m",
    "2560",
    "-nic",
    "none",
    "-nographic",
    "-no-reboot",
];

/// Boots a kernel into a root and returns what was said on its console, which is in the log as well. After
/// the limit the machine is switched off, whatever it does.
///
/// # Errors
/// When QEMU does not start, or the log cannot be written.
pub fn run(kernel: &Kernel, initrd: &Path, log: &Path, limit: Duration) -> Result<String> {
    let console = File::create(log).with_context(|| format!("cannot create {}", log.display()))?;
    let mut qemu = Command::new("nice")
        .args(["-n", "19", "qemu-system-x86_64"])
        .args(MACHINE)
        .arg("-kernel")
        .arg(&kernel.image)
        .arg("-initrd")
        .arg(initrd)
        .args(["-append", COMMAND_LINE])
        .stdin(Stdio::null())
        .stdout(console.try_clone()?)
        .stderr(console)
        .spawn()
        .context("QEMU does not start")?;
    let deadline = Instant::now() + limit;
    while qemu.try_wait()?.is_none() {
        if Instant::now() > deadline {
            eprintln!("Switched off after {} minutes.", limit.as_secs() / 60);
            qemu.kill()?;
            qemu.wait()?;
            break;
        }
        thread::sleep(LOOK);
    }
    let said = fs::read(log).with_context(|| format!("cannot read {}", log.display()))?;
    Ok(String::from_utf8_lossy(&said).into_owned())
}
