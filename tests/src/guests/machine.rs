//! A guest in QEMU, emulated in software.

use std::cell::RefCell;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::host::Host;
use super::qmp::Qmp;
use crate::crowd::wait_until;
use crate::daemon::Daemon;
use crate::interrupt;
use crate::inventory::Port;

/// How long QEMU may take to begin and to end.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a machine is made of, beside its network card on the port's tap.
#[derive(Clone, Debug)]
pub struct Hardware {
    /// QEMU's model of the network card.
    pub card: &'static str,
    /// Whether the card has its program in ROM, iPXE. It is always QEMU's default: one that is named by its
    /// file QEMU does not fit to the card, and a BIOS passes it over (`pci_patch_ids` in `hw/pci/pci.c`).
    pub rom: bool,
    /// Further arguments of QEMU.
    pub arguments: Vec<String>,
}

/// A running guest, ended on drop.
#[derive(Debug)]
pub struct Machine {
    qemu: RefCell<Daemon>,
    qmp: RefCell<Qmp>,
    console: PathBuf,
    log: PathBuf,
    sockets: TempDir,
}

impl Machine {
    /// Starts it on a host, at the tap of a port. Its files are named after `name` in `directory`.
    #[must_use]
    pub fn start(
        host: &Host,
        port: &Port,
        hardware: &Hardware,
        directory: &Path,
        name: &str,
    ) -> Self {
        // The path of a socket may be 107 bytes long, so it does not lie in the directory.
        let sockets = TempDir::new().unwrap_or_else(|e| panic!("no temporary directory: {e}"));
        let console = directory.join(format!("{name}-console.txt"));
        let log = directory.join(format!("{name}-qemu.log"));
        let said = File::create(&log).unwrap_or_else(|e| panic!("cannot create {log:?}: {e}"));
        let (qmp, line) = (sockets.path().join("qmp"), sockets.path().join("line"));
        let mut command = Command::new("qemu-system-x86_64");
        command
            .args(["-nodefaults", "-no-user-config", "-display", "none"])
            .args(["-accel", "tcg", "-machine", "pc,graphics=off", "-m", "512"])
            .arg("-chardev")
            .arg(format!(
                "socket,id=line,path={},server=on,wait=off,logfile={}",
                line.display(),
                console.display()
            ))
            .args(["-serial", "chardev:line"])
            .arg("-qmp")
            .arg(format!("unix:{},server=on,wait=off", qmp.display()))
            .arg("-netdev")
            .arg(format!(
                "tap,id=net0,ifname={},script=no,downscript=no",
                port.interface()
            ))
            .arg("-device")
            .arg(format!(
                "{},netdev=net0,mac={}{}",
                hardware.card,
                port.mac_address(),
                if hardware.rom { "" } else { ",romfile=" }
            ))
            .args(&hardware.arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(said);
        let mut qemu = Daemon::start(host.netns(), command);
        let mut channel = None;
        wait_until(PATIENCE, &format!("QEMU listens, see {log:?}"), || {
            if let Some(status) = qemu.ended() {
                let said = fs::read_to_string(&log).unwrap_or_default();
                panic!("QEMU ended with {status}: {said}");
            }
            channel = Qmp::connect(&qmp);
            channel.is_some()
        });
        let qmp = channel.unwrap_or_else(|| unreachable!("waited for"));
        Self {
            qemu: RefCell::new(qemu),
            qmp: RefCell::new(qmp),
            console,
            log,
            sockets,
        }
    }

    /// Waits until one of these words stands on the console; which, or none in time.
    #[must_use]
    pub fn says_one_of(&self, words: &[&str], limit: Duration) -> Option<usize> {
        self.look(limit, |said| {
            words.iter().position(|words| said.contains(words))
        })
    }

    /// Whether these words come to stand on the console so many times, in time.
    #[must_use]
    pub fn says_times(&self, words: &str, times: usize, limit: Duration) -> bool {
        let enough = |said: &str| (said.matches(words).count() >= times).then_some(());
        self.look(limit, enough).is_some()
    }

    fn look<T>(&self, limit: Duration, find: impl Fn(&str) -> Option<T>) -> Option<T> {
        let deadline = Instant::now() + limit;
        loop {
            let ended = self.qemu.borrow_mut().ended().is_some();
            let found = find(&self.said());
            let over = ended || Instant::now() > deadline || interrupt::check().is_err();
            if found.is_some() || over {
                return found;
            }
            sleep(Duration::from_millis(200));
        }
    }

    /// Whether these words come to stand on the console in time.
    #[must_use]
    pub fn says(&self, words: &str, limit: Duration) -> bool {
        self.says_one_of(&[words], limit).is_some()
    }

    /// All that stands on the console.
    #[must_use]
    pub fn said(&self) -> String {
        let bytes = fs::read(&self.console).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Types a line on the console; returns when the guest has echoed it.
    ///
    /// The line stays open until then, because what was typed is lost with it, and no longer, because what
    /// is printed waits for whoever listens.
    pub fn tell(&self, line: &str) {
        let path = self.sockets.path().join("line");
        let echoed = UnixStream::connect(&path).and_then(|mut keyboard| {
            keyboard.set_read_timeout(Some(PATIENCE))?;
            writeln!(keyboard, "{line}")?;
            let mut echo = Vec::new();
            let mut buffer = [0; 4096];
            while !String::from_utf8_lossy(&echo).contains(&format!("{line}\r\n")) {
                match keyboard.read(&mut buffer)? {
                    0 => break,
                    length => echo.extend(&buffer[..length]),
                }
            }
            Ok(())
        });
        echoed.unwrap_or_else(|e| panic!("cannot type `{line}` to the guest: {e}"));
    }

    /// Runs a command of QEMU's control channel.
    pub fn qmp(&self, command: &str, arguments: &Value) -> Value {
        let ended = self.qemu.borrow_mut().ended();
        let log = &self.log;
        assert!(
            ended.is_none(),
            "QEMU ended by itself: {ended:?}, see {log:?}"
        );
        self.qmp.borrow_mut().run(command, arguments)
    }

    /// A path for a socket that lives as long as the machine.
    #[must_use]
    pub fn socket(&self, name: &str) -> PathBuf {
        self.sockets.path().join(name)
    }

    /// Ends it, as a hypervisor that pulls the plug.
    pub fn quit(self) {
        self.qmp("quit", &json!({}));
        let deadline = Instant::now() + PATIENCE;
        while self.qemu.borrow_mut().ended().is_none() && Instant::now() < deadline {
            sleep(Duration::from_millis(20));
        }
    }
}
