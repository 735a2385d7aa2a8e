//! `sgapi` as a process, and questions to it.

use std::fs::File;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

use crate::daemon::Daemon;
use crate::http;
use crate::netns::Netns;
use crate::node::program;

/// How long it may take to come up or to end.
const PATIENCE: Duration = Duration::from_secs(30);

/// The API on the loopback of a namespace.
#[derive(Debug)]
pub struct Api {
    daemon: Option<Daemon>,
    netns: Netns,
    address: SocketAddr,
    arguments: Vec<String>,
    log: PathBuf,
}

impl Api {
    /// Starts it with these arguments of `sgapi run`; returns when it answers.
    #[must_use]
    pub fn start(netns: &Netns, log: &Path, arguments: &[&str]) -> Self {
        let address = netns.run(|| {
            let listener = TcpListener::bind("127.0.0.1:0");
            listener.and_then(|listener| listener.local_addr())
        });
        let address = address.unwrap_or_else(|e| panic!("no free port on the loopback: {e}"));
        let mut api = Self {
            daemon: None,
            netns: netns.clone(),
            address,
            arguments: arguments.iter().map(|&word| word.to_owned()).collect(),
            log: log.to_owned(),
        };
        api.start_again();
        api
    }

    /// Starts it again where it was.
    pub fn start_again(&mut self) {
        let log = || {
            let file = File::options().create(true).append(true).open(&self.log);
            file.unwrap_or_else(|e| panic!("cannot write {:?}: {e}", self.log))
        };
        let mut command = Command::new(program("sgapi"));
        command.arg("run").args(&self.arguments);
        command.args(["--listen", &self.address.to_string()]);
        command.stdin(Stdio::null()).stdout(log()).stderr(log());
        let mut daemon = Daemon::start(&self.netns, command);
        let deadline = Instant::now() + PATIENCE;
        while self.netns.run(|| TcpStream::connect(self.address)).is_err() {
            let said = std::fs::read_to_string(&self.log).unwrap_or_default();
            assert!(daemon.ended().is_none(), "sgapi has ended:\n{said}");
            assert!(Instant::now() < deadline, "sgapi does not answer:\n{said}");
            sleep(Duration::from_millis(20));
        }
        self.daemon = Some(daemon);
    }

    /// Ends it as a service manager does.
    pub fn stop(&mut self) {
        if let Some(daemon) = self.daemon.take() {
            daemon.terminate(PATIENCE);
        }
    }

    /// Has it stand still, or go on.
    pub fn freeze(&self, stands: bool) {
        let signal = if stands {
            Signal::SIGSTOP
        } else {
            Signal::SIGCONT
        };
        if let Some(daemon) = &self.daemon {
            let pid = Pid::from_raw(daemon.pid().cast_signed());
            kill(pid, signal).unwrap_or_else(|e| panic!("cannot send {signal}: {e}"));
        }
    }

    /// Where it answers.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Asks it, whatever comes of it.
    #[must_use]
    pub fn ask(&self, request: &str, body: &Value) -> http::Answer {
        let headers = ["Content-Type: application/json"];
        let body = match body {
            Value::Null => String::new(),
            body => body.to_string(),
        };
        let answer = http::ask(
            &self.netns,
            &self.address.to_string(),
            request,
            &headers,
            &body,
        );
        answer.unwrap_or_else(|e| panic!("sgapi does not answer {request}: {e}"))
    }

    /// Creates an object of a kind, such as `security_group`, with these fields; returns it.
    #[must_use]
    pub fn create(&self, kind: &str, fields: Value) -> Value {
        let request = format!("POST /v2.0/{}s", kind.replace('_', "-"));
        let body = json!({ kind: fields });
        let answer = self.ask(&request, &body);
        assert_eq!(answer.status, 201, "{request} {body}: {}", answer.body);
        answer.json()[kind].take()
    }

    /// Changes fields of an object.
    pub fn update(&self, kind: &str, id: &str, fields: Value) {
        let request = format!("PUT /v2.0/{}s/{id}", kind.replace('_', "-"));
        let body = json!({ kind: fields });
        let answer = self.ask(&request, &body);
        assert_eq!(answer.status, 200, "{request} {body}: {}", answer.body);
    }

    /// Deletes an object.
    pub fn delete(&self, kind: &str, id: &str) {
        let request = format!("DELETE /v2.0/{}s/{id}", kind.replace('_', "-"));
        let answer = self.ask(&request, &Value::Null);
        assert_eq!(answer.status, 204, "{request}: {}", answer.body);
    }
}
