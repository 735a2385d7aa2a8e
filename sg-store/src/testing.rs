//! Real etcd clusters on the loopback, for tests.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// How long a member may take to begin or to end.
const PATIENCE: Duration = Duration::from_secs(30);

/// A cluster that is gone when dropped.
#[derive(Debug)]
pub struct Cluster {
    members: Vec<Member>,
}

/// A member of a cluster, with its data, whether it runs or not.
#[derive(Debug)]
pub struct Member {
    name: String,
    ports: [u16; 2],
    scheme: &'static str,
    directory: TempDir,
    peers: String,
    options: Vec<String>,
    running: Option<Child>,
}

impl Cluster {
    /// So many members, which answer.
    #[must_use]
    pub fn start(members: usize) -> Self {
        Self::start_with(members, &[])
    }

    /// The same with further options of `etcd`; with certificates for their clients they talk TLS.
    #[must_use]
    pub fn start_with(members: usize, options: &[&str]) -> Self {
        let mut cluster = Self::prepare(members, options);
        for member in &mut cluster.members {
            member.start();
        }
        cluster.members.iter().for_each(Member::wait);
        cluster
    }

    /// The same, of which none runs yet.
    #[must_use]
    pub fn prepare(members: usize, options: &[&str]) -> Self {
        let ports = free_ports(members * 2);
        let peer = |number: usize| format!("m{number}=http://127.0.0.1:{}", ports[number * 2 + 1]);
        let peers = (0..members).map(peer).collect::<Vec<_>>().join(",");
        let is_secret = options
            .iter()
            .any(|option| option.starts_with("--cert-file"));
        let member = |number: usize| Member {
            name: format!("m{number}"),
            ports: [ports[number * 2], ports[number * 2 + 1]],
            scheme: if is_secret { "https" } else { "http" },
            directory: tempfile::tempdir().expect("a directory for etcd"),
            peers: peers.clone(),
            options: options.iter().map(|&option| option.to_owned()).collect(),
            running: None,
        };
        Self {
            members: (0..members).map(member).collect(),
        }
    }

    /// The URLs of all, with commas.
    #[must_use]
    pub fn urls(&self) -> String {
        let urls: Vec<String> = self.members.iter().map(Member::url).collect();
        urls.join(",")
    }

    /// One of them.
    pub fn member(&mut self, number: usize) -> &mut Member {
        &mut self.members[number]
    }
}

impl Member {
    /// Where it answers.
    #[must_use]
    pub fn url(&self) -> String {
        format!("{}://127.0.0.1:{}", self.scheme, self.ports[0])
    }

    /// The same as an address.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.ports[0]).into()
    }

    /// What runs it.
    #[must_use]
    pub fn command(&self) -> Command {
        let mut command = Command::new("etcd");
        let peer = format!("http://127.0.0.1:{}", self.ports[1]);
        command
            .args(["--name", &self.name])
            .arg("--data-dir")
            .arg(self.data())
            .args(["--listen-client-urls", &self.url()])
            .args(["--advertise-client-urls", &self.url()])
            .args(["--listen-peer-urls", &peer])
            .args(["--initial-advertise-peer-urls", &peer])
            .args(["--initial-cluster", &self.peers])
            .args(["--logger", "zap", "--log-level", "error"])
            .args(&self.options)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command
    }

    fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// Its process, if it runs.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.running.as_ref().map(Child::id)
    }

    /// Starts it; it need not answer yet.
    pub fn start(&mut self) {
        assert!(self.running.is_none(), "{} runs already", self.name);
        let mut command = self.command();
        self.running =
            Some(command.spawn().unwrap_or_else(|e| {
                panic!("cannot start etcd: {e} (Debian has it in etcd-server)")
            }));
    }

    /// Waits until it takes connections.
    pub fn wait(&self) {
        let deadline = Instant::now() + PATIENCE;
        while std::net::TcpStream::connect(self.address()).is_err() {
            assert!(Instant::now() < deadline, "{} does not answer", self.name);
            sleep(Duration::from_millis(20));
        }
    }

    /// Ends it in order, and waits until it has.
    pub fn stop(&mut self) {
        self.signal("TERM");
        self.reap();
    }

    /// Ends it with no chance to tidy up.
    pub fn kill(&mut self) {
        if let Some(child) = &mut self.running {
            let _ = child.kill();
        }
        self.reap();
    }

    /// Has it stand still, as if it were cut off.
    pub fn freeze(&self) {
        self.signal("STOP");
    }

    /// Has it go on.
    pub fn thaw(&self) {
        self.signal("CONT");
    }

    /// Forgets all that it has: with the next start it begins a cluster, which has another id if its peers know it
    /// by another word.
    pub fn forget(&mut self, token: Option<&str>) {
        assert!(self.running.is_none(), "{} runs", self.name);
        let _ = fs::remove_dir_all(self.data());
        let token = token.map(|token| format!("--initial-cluster-token={token}"));
        self.options.extend(token);
    }

    /// A copy of its data, to go back to. It must not run.
    #[must_use]
    pub fn backup(&self) -> TempDir {
        assert!(self.running.is_none(), "{} runs", self.name);
        let backup = tempfile::tempdir().expect("a directory for a backup");
        copy(&self.data(), &backup.path().join("data"));
        backup
    }

    /// Goes back to a copy of its data.
    pub fn restore(&self, backup: &TempDir) {
        assert!(self.running.is_none(), "{} runs", self.name);
        let _ = fs::remove_dir_all(self.data());
        copy(&backup.path().join("data"), &self.data());
    }

    fn signal(&self, name: &str) {
        let Some(child) = &self.running else {
            return;
        };
        let done = Command::new("kill")
            .args(["-s", name, &child.id().to_string()])
            .status();
        assert!(done.is_ok_and(|status| status.success()), "kill -s {name}");
    }

    fn reap(&mut self) {
        if let Some(mut child) = self.running.take() {
            let _ = child.wait();
        }
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.kill();
    }
}

fn copy(from: &std::path::Path, to: &std::path::Path) {
    let done = Command::new("cp").arg("-a").arg(from).arg(to).status();
    assert!(done.is_ok_and(|status| status.success()), "cp {from:?}");
}

/// Ports that nobody has at the moment.
fn free_ports(count: usize) -> Vec<u16> {
    let listeners: Vec<TcpListener> = (0..count)
        .map(|_| TcpListener::bind("127.0.0.1:0").expect("a port of the loopback"))
        .collect();
    let port = |listener: &TcpListener| listener.local_addr().expect("its address").port();
    listeners.iter().map(port).collect()
}
