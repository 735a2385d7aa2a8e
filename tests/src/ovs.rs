//! Open vSwitch with its datapath in user space, which reads its ports through packet sockets.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::daemon::Daemon;
use crate::leftovers;
use crate::netns::Netns;

/// Where Debian's package `openvswitch-switch` has the shape of its database.
const SCHEMA: &str = "/usr/share/openvswitch/vswitch.ovsschema";

/// How long its daemons may take to start.
const PATIENCE: Duration = Duration::from_secs(20);

/// A switch in a namespace, with all its files in a directory of its own; gone when dropped.
#[derive(Debug)]
pub struct Ovs {
    // In the order of dropping.
    _switch: Daemon,
    _database: Daemon,
    directory: TempDir,
}

impl Ovs {
    /// A switch of these interfaces; nothing where Open vSwitch is not installed.
    ///
    /// # Panics
    /// If it does not start.
    #[must_use]
    pub fn new(netns: &Netns, interfaces: &[&str]) -> Option<Self> {
        if !Path::new(SCHEMA).exists() {
            return None;
        }
        let directory = tempfile::Builder::new()
            .prefix(&leftovers::prefix())
            .tempdir();
        let directory =
            directory.unwrap_or_else(|e| panic!("cannot create a temporary directory: {e}"));
        let at = |name: &str| directory.path().join(name).display().to_string();
        done(
            netns,
            command(&directory, "ovsdb-tool").args(["create", &at("conf.db"), SCHEMA]),
        );
        let mut database = command(&directory, "ovsdb-server");
        database
            .arg(at("conf.db"))
            .arg(format!("--remote=punix:{}", at("db.sock")))
            .arg(format!("--unixctl={}", at("ovsdb.ctl")))
            .arg(format!("--log-file={}", at("ovsdb.log")));
        let database = Daemon::start(netns, quiet(database));
        let deadline = Instant::now() + PATIENCE;
        while !Path::new(&at("db.sock")).exists() {
            assert!(Instant::now() < deadline, "{}", log(&at("ovsdb.log")));
            thread::sleep(Duration::from_millis(20));
        }
        let mut switch = command(&directory, "ovs-vswitchd");
        switch
            .arg(format!("unix:{}", at("db.sock")))
            .arg(format!("--unixctl={}", at("switch.ctl")))
            .arg(format!("--log-file={}", at("switch.log")));
        let switch = Daemon::start(netns, quiet(switch));
        let mut set = command(&directory, "ovs-vsctl");
        set.args(["--timeout=20", &format!("--db=unix:{}", at("db.sock"))]);
        set.args(["add-br", "ovs0"]);
        set.args(["--", "set", "bridge", "ovs0", "datapath_type=netdev"]);
        for interface in interfaces {
            set.args(["--", "add-port", "ovs0", interface]);
        }
        done(netns, &mut set);
        Some(Self {
            _switch: switch,
            _database: database,
            directory,
        })
    }

    /// What it has logged.
    #[must_use]
    pub fn log(&self) -> String {
        log(&self
            .directory
            .path()
            .join("switch.log")
            .display()
            .to_string())
    }
}

fn command(directory: &TempDir, program: &str) -> Command {
    let mut command = Command::new(program);
    for variable in ["OVS_RUNDIR", "OVS_LOGDIR", "OVS_DBDIR", "OVS_SYSCONFDIR"] {
        command.env(variable, directory.path());
    }
    command
}

fn quiet(mut command: Command) -> Command {
    command
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null());
    command
}

fn done(netns: &Netns, command: &mut Command) {
    let output = netns.run(|| command.output());
    let output = output.unwrap_or_else(|e| panic!("cannot run {command:?}: {e}"));
    assert!(output.status.success(), "{command:?}: {output:?}");
}

fn log(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}
