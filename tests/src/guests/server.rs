//! What the guests boot from and talk to: dnsmasq for DHCP, TFTP and router advertisements, and busybox's
//! HTTP server.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use super::busybox;
use super::fabric::Fabric;
use crate::crowd::wait_until;
use crate::daemon::Daemon;
use crate::inventory::Port;

/// How long the servers may take to begin.
const PATIENCE: Duration = Duration::from_secs(30);

/// What is offered, as options of dnsmasq.
#[derive(Clone, Debug, Default)]
pub struct Offer {
    options: Vec<String>,
    files: Vec<(&'static str, Vec<u8>)>,
}

/// The servers, ended on drop.
#[derive(Debug)]
pub struct Server {
    _dnsmasq: Daemon,
    _httpd: Daemon,
    requests: PathBuf,
}

impl Offer {
    /// HTTP alone.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// DHCP for the IPv4 address of a port.
    #[must_use]
    pub fn dhcp(self, port: &Port) -> Self {
        let address = port.addresses().iter().find(|ip| ip.is_ipv4());
        let address = address.unwrap_or_else(|| panic!("{} has no IPv4 address", port.name()));
        let mac = port.mac_address();
        self.option(&format!("dhcp-range={address},{address},255.255.255.0,12h"))
            .option(&format!("dhcp-host={mac},{address}"))
    }

    /// Any option of dnsmasq.
    #[must_use]
    pub fn option(mut self, option: &str) -> Self {
        self.options.push(format!("--{option}"));
        self
    }

    /// A file, by TFTP and HTTP.
    #[must_use]
    pub fn file(mut self, name: &'static str, content: impl Into<Vec<u8>>) -> Self {
        self.files.push((name, content.into()));
        self
    }

    /// Starts the servers; their files and logs are in `directory`.
    #[must_use]
    pub fn serve(&self, fabric: &Fabric, directory: &Path) -> Server {
        let root = directory.join("served");
        fs::create_dir_all(&root).unwrap_or_else(|e| panic!("cannot create {root:?}: {e}"));
        for (name, content) in &self.files {
            let path = root.join(name);
            fs::write(&path, content).unwrap_or_else(|e| panic!("cannot write {path:?}: {e}"));
        }
        let mut dnsmasq = Command::new("dnsmasq");
        dnsmasq
            .args(["--keep-in-foreground", "--conf-file=/dev/null", "--port=0"])
            .args(["--no-resolv", "--no-hosts", "--no-ping", "--user=root"])
            .args(["--log-dhcp", "--log-facility=-", "--pid-file="])
            .args(["--interface=eth0", "--bind-interfaces", "--enable-tftp"])
            .arg(format!("--tftp-root={}", root.display()))
            .arg(format!(
                "--dhcp-leasefile={}",
                directory.join("leases").display()
            ))
            .args(&self.options);
        let said = directory.join("dnsmasq.log");
        let dnsmasq = start(fabric, dnsmasq, &said);
        wait_until(PATIENCE, "dnsmasq runs", || {
            fs::read_to_string(&said).is_ok_and(|said| said.contains("started"))
        });
        let requests = directory.join("httpd.log");
        let mut httpd = Command::new(busybox());
        httpd
            .args(["httpd", "-f", "-vv", "-p", "80", "-h"])
            .arg(&root);
        Server {
            _dnsmasq: dnsmasq,
            _httpd: start(fabric, httpd, &requests),
            requests,
        }
    }
}

impl Server {
    /// Whether somebody has asked for a path by HTTP.
    #[must_use]
    pub fn was_asked_for(&self, path: &str) -> bool {
        let requests = fs::read_to_string(&self.requests).unwrap_or_default();
        requests.contains(path)
    }
}

fn start(fabric: &Fabric, mut command: Command, log: &Path) -> Daemon {
    let said = File::create(log).unwrap_or_else(|e| panic!("cannot create {log:?}: {e}"));
    let too = said
        .try_clone()
        .unwrap_or_else(|e| panic!("cannot share {log:?}: {e}"));
    command.stdin(Stdio::null()).stdout(said).stderr(too);
    Daemon::start(fabric.server(), command)
}
