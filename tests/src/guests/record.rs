//! Recordings of an interface, made by tcpdump and kept for whoever wants to look.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use pcap_file::pcap::PcapReader;

use crate::crowd::wait_until;
use crate::daemon::Daemon;
use crate::netns::Netns;

/// How long tcpdump may take to begin and to end.
const PATIENCE: Duration = Duration::from_secs(30);

/// A recorded frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// When, since the epoch.
    pub at: Duration,
    /// What.
    pub bytes: Vec<u8>,
}

/// A recording under way.
#[derive(Debug)]
pub struct Recorder {
    tcpdump: Daemon,
    file: PathBuf,
    log: PathBuf,
}

impl Recorder {
    /// Begins one of what an interface receives (`in`) or transmits (`out`), into a file.
    #[must_use]
    pub fn start(netns: &Netns, interface: &str, way: &str, file: &Path) -> Self {
        let log = file.with_extension("log");
        let said = File::create(&log).unwrap_or_else(|e| panic!("cannot create {log:?}: {e}"));
        let mut command = Command::new("tcpdump");
        command
            .args(["-i", interface, "-Q", way, "-n", "-U", "-B", "32768"])
            .args(["-s", "262144", "-Z", "root", "-w"])
            .arg(file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(said);
        let recorder = Self {
            tcpdump: Daemon::start(netns, command),
            file: file.to_owned(),
            log,
        };
        wait_until(PATIENCE, &format!("tcpdump records {interface}"), || {
            recorder.log().contains("listening on")
        });
        recorder
    }

    /// Ends it; what was recorded. The kernel hands frames over in blocks, the last after a second at most:
    /// the caller has waited for that.
    #[must_use]
    pub fn stop(self) -> Vec<Recorded> {
        let (file, log) = (self.file.clone(), self.log.clone());
        let _ = self.tcpdump.terminate(PATIENCE);
        let said = fs::read_to_string(&log).unwrap_or_default();
        assert!(
            said.contains("\n0 packets dropped by kernel"),
            "the recording {file:?} is not whole: {said}"
        );
        read(&file)
    }

    fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }
}

fn read(path: &Path) -> Vec<Recorded> {
    let file = File::open(path).unwrap_or_else(|e| panic!("cannot open {path:?}: {e}"));
    let reader = PcapReader::new(file);
    let mut reader = reader.unwrap_or_else(|e| panic!("{path:?} is no recording: {e}"));
    let mut frames = Vec::new();
    while let Some(packet) = reader.next_packet() {
        let packet = packet.unwrap_or_else(|e| panic!("{path:?} is cut short: {e}"));
        frames.push(Recorded {
            at: packet.timestamp,
            bytes: packet.data.into_owned(),
        });
    }
    frames
}
