//! A compute node: a namespace with a bridge, the taps of its machines, and the daemon.

mod followed;
use std::env;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::bpffs::Bpffs;
use crate::daemon::Daemon;
use crate::inventory::Inventory;
use crate::leftovers;
use crate::netns::Netns;
use crate::tap::Tap;

/// How long the daemon may take to start or to stop. On a machine that is only emulated, `SG_PATIENCE` says how
/// many times as long: the verifier's work is most of a start.
fn patience() -> Duration {
    let times = env::var("SG_PATIENCE").map_or(Ok(1), |times| times.parse());
    let times: u32 = times.unwrap_or_else(|e| panic!("SG_PATIENCE is no number: {e}"));
    Duration::from_secs(20) * times
}

/// `sgctl`'s exit code when a port is open, bypassed or outdated.
pub const LEAKY: i32 = 8;

/// The bridge that all taps of the node are enslaved to.
const BRIDGE: &str = "br0";

/// A compute node. It has its own namespace, BPF file system, socket and inventory, so any
/// number can run side by side; all of it is gone when dropped.
#[derive(Debug)]
pub struct Node {
    // In the order of dropping: nothing is left that uses what goes next.
    daemon: Option<Daemon>,
    bpffs: Bpffs,
    directory: TempDir,
    netns: Netns,
    programs: Option<PathBuf>,
    /// What the daemon is run by, with arguments.
    prefix: Vec<String>,
}

/// What a command printed and how it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// Its exit code; 128 + N if ended by signal N, as shells say.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Node {
    /// A node whose daemon is not started yet.
    #[must_use]
    pub fn new(label: &str) -> Self {
        let netns = Netns::new(label);
        // The node itself says nothing on the bridge.
        netns.set("ipv6/conf/all/disable_ipv6", "1");
        netns.set("ipv6/conf/default/disable_ipv6", "1");
        netns.ip(&format!(
            "link add {BRIDGE} type bridge mcast_snooping 0 stp_state 0 forward_delay 0"
        ));
        netns.ip(&format!("link set {BRIDGE} up"));
        let directory = tempfile::Builder::new()
            .prefix(&leftovers::prefix())
            .tempdir()
            .unwrap_or_else(|e| panic!("cannot create a temporary directory: {e}"));
        let bpffs = Bpffs::mount(&directory.path().join("bpf"));
        Self {
            daemon: None,
            bpffs,
            directory,
            netns,
            programs: None,
            prefix: Vec::new(),
        }
    }

    /// The same, but with the programs in this directory: those of another build.
    #[must_use]
    pub fn with_programs(mut self, directory: &Path) -> Self {
        self.programs = Some(directory.to_owned());
        self
    }

    /// From the next start on the programs of another build are run, or those of this one again.
    pub fn change_programs(&mut self, directory: Option<&Path>) {
        self.programs = directory.map(Path::to_owned);
    }

    /// The same, but its daemon is run by this command, which changes what it may and becomes it.
    #[must_use]
    pub fn with_prefix(mut self, command: &[&str]) -> Self {
        self.prefix = command.iter().map(|word| (*word).to_owned()).collect();
        self
    }

    /// Its namespace.
    #[must_use]
    pub fn netns(&self) -> &Netns {
        &self.netns
    }

    /// Creates a tap and enslaves it to the bridge.
    #[must_use]
    pub fn tap(&self, name: &str) -> Tap {
        let tap = Tap::new(&self.netns, name, None);
        self.netns.ip(&format!("link set {name} master {BRIDGE}"));
        tap
    }

    /// Writes the inventory and starts the daemon; returns when it answers.
    pub fn start(&mut self, inventory: &Inventory) {
        self.write(inventory);
        self.start_again();
    }

    /// Writes the inventory.
    pub fn write(&self, inventory: &Inventory) {
        write_json(&self.inventory_path(), &inventory.json());
    }

    /// Starts the daemon with the inventory that is there; returns when it answers.
    pub fn start_again(&mut self) {
        self.start_with(&[]);
    }

    /// Starts the daemon with the inventory that is there and a settings file, which it follows; returns when
    /// it answers.
    pub fn start_with_settings(&mut self, settings: &str) {
        self.set(settings);
        let path = self.settings_path();
        self.start_with(&["--settings", &path.to_string_lossy()]);
    }

    /// Writes the settings file.
    pub fn set(&self, settings: &str) {
        let path = self.settings_path();
        fs::write(&path, settings).unwrap_or_else(|e| panic!("cannot write {path:?}: {e}"));
    }

    fn settings_path(&self) -> PathBuf {
        self.directory.path().join("settings.toml")
    }

    /// Starts the daemon with further options; returns when it answers.
    pub fn start_with(&mut self, options: &[&str]) {
        assert!(
            self.daemon.is_none(),
            "the daemon of this node runs already"
        );
        let command = self.run_command(options);
        self.run(command);
    }

    fn run(&mut self, command: Command) {
        self.spawn(command);
        self.wait_until_ready();
    }

    fn spawn(&mut self, mut command: Command) {
        let log = self.log_path();
        let log = File::create(&log).unwrap_or_else(|e| panic!("cannot create {log:?}: {e}"));
        let stdout = log
            .try_clone()
            .unwrap_or_else(|e| panic!("cannot share the log: {e}"));
        command.stdout(stdout).stderr(log);
        self.daemon = Some(Daemon::start(&self.netns, command));
    }

    /// Starts the daemon with the inventory that is there, and does not wait for it.
    pub fn begin(&mut self) {
        let command = self.run_command(&[]);
        self.spawn(command);
    }

    /// Starts a daemon that is told by transactions; returns when it answers.
    pub fn start_told(&mut self) {
        self.start_told_with(&self.state_path());
    }

    /// The same, with what was told in this file.
    pub fn start_told_with(&mut self, state: &Path) {
        assert!(
            self.daemon.is_none(),
            "the daemon of this node runs already"
        );
        let mut command = self.sgd_command("run");
        command.arg("--transactions").arg("--state").arg(state);
        self.run(command);
    }

    /// The file of what transactions have told.
    #[must_use]
    pub fn state_path(&self) -> PathBuf {
        self.directory.path().join("state")
    }

    /// Stops the daemon as a service manager does (SIGTERM).
    pub fn terminate(&mut self) {
        let status = self.running().terminate(patience());
        assert!(status.success(), "sgd ended with {status}:\n{}", self.log());
    }

    /// Ends the daemon with no chance to tidy up (SIGKILL).
    pub fn kill(&mut self) {
        drop(self.running());
    }

    /// Runs a command line of `sgctl` against this node's daemon, whatever comes of it.
    pub fn sgctl(&self, words: &str) -> Output {
        self.sgctl_args(&words.split_whitespace().collect::<Vec<_>>())
    }

    /// As [`Node::sgctl`], for arguments with spaces.
    pub fn sgctl_args(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(self.program("sgctl"));
        command.arg("--socket").arg(self.socket()).args(arguments);
        self.output(command)
    }

    /// Runs `sgd VERB` for this node, for verbs that end by themselves.
    pub fn sgd(&self, verb: &str) -> Output {
        self.output(self.sgd_command(verb))
    }

    /// Whether the `sgd run` of its build has an option.
    #[must_use]
    pub fn knows(&self, option: &str) -> bool {
        let mut command = self.daemon_command();
        command.args(["run", "--help"]);
        let output = self.output(command);
        output.expect(0).stdout.contains(option)
    }

    /// Runs `sgd` with these arguments alone, to its end.
    pub fn sgd_args(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(program("sgd"));
        command.args(arguments);
        self.output(command)
    }

    /// What `sgctl` answers in JSON; the command has to succeed, whatever the states of the ports are.
    #[must_use]
    pub fn query(&self, words: &str) -> Value {
        let output = self.sgctl(&format!("-o json {words}"));
        if output.code != LEAKY {
            output.expect(0);
        }
        serde_json::from_str(&output.stdout)
            .unwrap_or_else(|e| panic!("`sgctl {words}` is not JSON: {e}\n{}", output.stdout))
    }

    /// Applies an inventory with `sgctl apply`, whatever comes of it.
    pub fn apply(&self, inventory: &Inventory) -> Output {
        let path = self.directory.path().join("desired.json");
        write_json(&path, &inventory.json());
        self.sgctl_args(&["apply", "-f", &path.to_string_lossy()])
    }

    /// Gives the daemon an inventory through its interface, as an agent does; returns when it is enforced. The daemon
    /// may be that of another build, whose answers have other fields.
    pub fn put(&self, document: &str) {
        let (status, answer) = self.request("PUT", "/v1/inventory", document);
        assert_eq!(status, 200, "the daemon takes no inventory: {answer}");
    }

    /// Asks the daemon's interface; returns the status and the body of the answer.
    ///
    /// # Panics
    /// If it does not answer.
    #[must_use]
    pub fn request(&self, method: &str, path: &str, body: &str) -> (u16, String) {
        let exchange = || -> io::Result<String> {
            let mut socket = UnixStream::connect(self.socket())?;
            write!(
                socket,
                "{method} {path} HTTP/1.1\r\nHost: sgd\r\nContent-Type: application/json\r\n\
                 Connection: close\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            )?;
            let mut answer = String::new();
            socket.read_to_string(&mut answer)?;
            Ok(answer)
        };
        let answer = exchange().unwrap_or_else(|e| panic!("the daemon does not answer: {e}"));
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        let status = head
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok());
        (status.unwrap_or_default(), body.to_owned())
    }

    /// The process id of its daemon, which runs.
    #[must_use]
    pub fn daemon_pid(&self) -> u32 {
        let daemon = self.daemon.as_ref();
        daemon.map_or_else(
            || panic!("the daemon of this node does not run"),
            Daemon::pid,
        )
    }

    /// The directory with the node's files.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// The inventory file of the daemon.
    #[must_use]
    pub fn inventory_path(&self) -> PathBuf {
        self.directory.path().join("inventory.json")
    }

    /// The node's BPF file system.
    #[must_use]
    pub fn bpffs(&self) -> &Path {
        self.bpffs.path()
    }

    /// The directory given to the daemon for its pins.
    #[must_use]
    pub fn pins(&self) -> PathBuf {
        self.bpffs.path().join("sg")
    }

    /// A pinned map, whatever the version of the layout.
    #[must_use]
    pub fn map(&self, name: &str) -> PathBuf {
        let pins = self.pins();
        let versions = fs::read_dir(&pins).unwrap_or_else(|e| panic!("cannot read {pins:?}: {e}"));
        versions
            .flatten()
            .map(|version| version.path().join("maps").join(name))
            .find(|map| map.exists())
            .unwrap_or_else(|| panic!("no map {name} is pinned under {pins:?}"))
    }

    /// What the daemon has logged since it was last started.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    /// `sgd run` for the inventory of this node, to be run where the caller wants.
    #[must_use]
    pub fn run_command(&self, options: &[&str]) -> Command {
        let mut command = self.sgd_command("run");
        command
            .arg("--inventory")
            .arg(self.inventory_path())
            .args(options);
        command
    }

    /// Runs `sgd run` for this node in a namespace, where it is to end by itself: it is cut short, with
    /// code 124, if it does not.
    pub fn refused(&self, netns: &Netns, options: &[&str]) -> Output {
        let run = self.run_command(options);
        let mut command = Command::new("timeout");
        let patience = patience().as_secs().to_string();
        command.args(["--kill-after=5", &patience]);
        command.arg(run.get_program()).args(run.get_args());
        let output = netns.run(|| command.process_group(0).output());
        output
            .unwrap_or_else(|e| panic!("cannot run {command:?}: {e}"))
            .into()
    }

    /// `sgd detach` for this node, to be run where the caller wants.
    #[must_use]
    pub fn detach_command(&self) -> Command {
        self.sgd_command("detach")
    }

    /// Waits until the daemon answers.
    pub fn wait_until_ready(&mut self) {
        let deadline = Instant::now() + patience();
        while ![0, LEAKY].contains(&self.sgctl("status").code) {
            let daemon = self.daemon.as_mut();
            if let Some(status) = daemon.and_then(Daemon::ended) {
                self.daemon = None;
                panic!("sgd ended with {status}:\n{}", self.log());
            }
            assert!(
                Instant::now() < deadline,
                "sgd is not ready after {:?}:\n{}",
                patience(),
                self.log()
            );
            thread::sleep(Duration::from_millis(20));
        }
    }

    fn running(&mut self) -> Daemon {
        self.daemon
            .take()
            .unwrap_or_else(|| panic!("the daemon of this node does not run"))
    }

    fn sgd_command(&self, verb: &str) -> Command {
        let mut command = self.daemon_command();
        command.env("SGD_USAGE", self.directory.path().join("usage.json"));
        command.arg(verb).arg("--bpffs").arg(self.pins());
        if verb == "run" {
            command.arg("--socket").arg(self.socket());
        }
        command
    }

    fn daemon_command(&self) -> Command {
        let program = self.program("sgd");
        let [first, others @ ..] = self.prefix.as_slice() else {
            return Command::new(program);
        };
        let mut command = Command::new(first);
        command.args(others).arg(program);
        command
    }

    /// Runs any command inside the node, to its end.
    pub fn output(&self, mut command: Command) -> Output {
        // A group of its own: Ctrl-C must not cut short what we are about to read.
        command.process_group(0);
        let output = self.netns.run(|| command.output());
        let output = output.unwrap_or_else(|e| panic!("cannot run {command:?}: {e}"));
        Output::from(output)
    }

    fn program(&self, name: &str) -> PathBuf {
        match &self.programs {
            Some(directory) => directory.join(name),
            None => program(name),
        }
    }

    /// Where the daemon listens.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.directory.path().join("sgd.sock")
    }

    fn log_path(&self) -> PathBuf {
        self.directory.path().join("sgd.log")
    }
}

impl Output {
    /// Panics with what the command said unless it ended with this code.
    #[track_caller]
    pub fn expect(&self, code: i32) -> &Self {
        assert_eq!(
            self.code, code,
            "exit code; it said:\n{}{}",
            self.stdout, self.stderr
        );
        self
    }
}

impl From<std::process::Output> for Output {
    fn from(output: std::process::Output) -> Self {
        let signal = || output.status.signal().map(|signal| 128 + signal);
        Self {
            code: output.status.code().or_else(signal).unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// One of the project's programs, where `cargo xtask` built it.
///
/// # Panics
/// If `SG_BIN_DIR` does not say where.
#[must_use]
pub fn program(name: &str) -> PathBuf {
    let directory = env::var_os("SG_BIN_DIR").unwrap_or_else(|| {
        panic!("SG_BIN_DIR does not say where {name} is: run this through `cargo xtask`")
    });
    PathBuf::from(directory).join(name)
}

fn write_json(path: &Path, document: &Value) {
    fs::write(path, format!("{document:#}\n"))
        .unwrap_or_else(|e| panic!("cannot write {path:?}: {e}"));
}
