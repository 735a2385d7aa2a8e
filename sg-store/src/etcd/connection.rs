//! The connection to one member at a time.

use std::env;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use etcd_client::{Client, ConnectOptions, KvClient, LeaseClient, WatchClient};
use tokio::sync::Mutex as Turn;
use tokio::time::timeout;

use super::{EtcdOptions, failure};
use crate::{Error, Result};

/// The largest answer that is taken: a page of large values, or all that one commit has changed.
const LARGEST: usize = 256 << 20;

/// A connection. Its clones are the same.
#[derive(Clone)]
pub(crate) struct Connection {
    pub kv: KvClient,
    pub watch: WatchClient,
    pub lease: LeaseClient,
    /// The member's answers to requests for progress are fences.
    pub has_fences: bool,
    /// Which connection it is.
    pub number: u64,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Connection({})", self.number)
    }
}

/// The members, and the connection to one of them.
#[derive(Debug)]
pub(super) struct Connections {
    options: EtcdOptions,
    urls: Vec<String>,
    /// Who connects: one after the other.
    turn: Turn<()>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    open: Option<Connection>,
    /// The member that is connected to, or tried next.
    at: usize,
    /// How many connections there were.
    number: u64,
}

impl Connections {
    pub fn new(options: EtcdOptions) -> Result<Self> {
        let urls = options.members()?;
        // Nodes spread over the members.
        let at = fastrand::usize(..urls.len());
        Ok(Self {
            urls,
            options,
            turn: Turn::default(),
            state: Mutex::new(State {
                open: None,
                at,
                number: 0,
            }),
        })
    }

    /// How many members are named.
    pub fn members(&self) -> usize {
        self.urls.len()
    }

    /// All that are named, for errors.
    pub fn urls(&self) -> &str {
        &self.options.urls
    }

    /// The connection, or a new one to the first member that answers.
    pub async fn open(&self, patience: Duration) -> Result<Connection> {
        let _turn = self.turn.lock().await;
        if let Some(open) = &self.state().open {
            return Ok(open.clone());
        }
        let options = self.options.connect()?;
        let mut last = None;
        for _ in 0..self.urls.len() {
            let (at, number) = {
                let state = self.state();
                (state.at, state.number + 1)
            };
            let opening = self.connect(&self.urls[at], &options, number);
            let opened = timeout(patience, opening).await;
            let error = match opened {
                Ok(Ok(open)) => {
                    let mut state = self.state();
                    state.number = number;
                    state.open = Some(open.clone());
                    return Ok(open);
                }
                Ok(Err(error)) => error,
                Err(_) => Error::Unreachable {
                    urls: self.urls().into(),
                    what: failure::LATE.into(),
                },
            };
            self.state().at = (at + 1) % self.urls.len();
            // What one member refuses says more than that another does not answer.
            if error.is_refusal() || last.is_none() {
                last = Some(error);
            }
        }
        let error = last.unwrap_or(Error::NoLeader);
        // systemd gives what it starts this variable.
        match env::var_os("INVOCATION_ID") {
            Some(_) => Err(failure::to_service(error)),
            None => Err(error),
        }
    }

    /// Connects to a member. With TLS 1.3 a member says that it does not take our certificate when it is asked the
    /// first time, and hangs up: whether that is read before the end of the connection is left to chance.
    async fn connect(
        &self,
        url: &str,
        options: &ConnectOptions,
        number: u64,
    ) -> Result<Connection> {
        let mut again = if url.starts_with("https://") { 3 } else { 0 };
        loop {
            match connect(url, options.clone(), number).await {
                Ok(open) => return Ok(open),
                Err(error) if failure::is_hung_up(&error) && again > 0 => again -= 1,
                Err(error) if failure::is_hung_up(&error) && url.starts_with("https://") => {
                    return Err(Error::Refused {
                        urls: self.urls().into(),
                        what: "it hangs up when it has seen our certificate, or that we have none"
                            .into(),
                    });
                }
                Err(error) => return Err(failure::of(error, self.urls(), None)),
            }
        }
    }

    /// Leaves a connection that does not answer: the next one is to another member.
    pub fn leave(&self, number: u64) {
        if self.renew(number) {
            let mut state = self.state();
            state.at = (state.at + 1) % self.urls.len();
        }
    }

    /// Leaves a connection, and its user: the next one is to the same member. Returns whether it was the present one.
    pub fn renew(&self, number: u64) -> bool {
        let mut state = self.state();
        let is_open = state.open.take_if(|open| open.number == number);
        is_open.is_some()
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn connect(
    url: &str,
    options: ConnectOptions,
    number: u64,
) -> std::result::Result<Connection, etcd_client::Error> {
    let mut client = Client::connect([url], Some(options)).await?;
    // The first question: until then nothing is connected. Where there are users it is for root alone from 3.5.28 and
    // 3.6.0 on (etcd's issue 21663), all of which have fences.
    let has_fences = match client.status().await {
        Ok(status) => has_fences(status.version()),
        Err(error) if failure::is_not_permitted(&error) => true,
        Err(error) => return Err(error),
    };
    Ok(Connection {
        kv: client.kv_client().max_decoding_message_size(LARGEST),
        watch: client.watch_client().max_decoding_message_size(LARGEST),
        lease: client.lease_client(),
        has_fences,
        number,
    })
}

/// Whether an answer to a request for progress comes behind all that it is about. Before 3.4.25 and 3.5.8 it could
/// overtake changes, and did not wait for ranges that still caught up; from then until 3.4.31 and 3.5.13 there was
/// none after a question while one caught up, until something changed (etcd's change log; its issue 17507).
fn has_fences(version: &str) -> bool {
    let mut numbers = version.split(['.', '-', '+']).map(str::parse::<u32>);
    let mut next = || numbers.next().and_then(std::result::Result::ok);
    match (next(), next(), next()) {
        (Some(3), Some(4), Some(patch)) => patch >= 31,
        (Some(3), Some(5), Some(patch)) => patch >= 13,
        (Some(major), Some(minor), Some(_)) => (major, minor) > (3, 5),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::has_fences;

    #[test]
    fn versions_whose_answers_can_overtake_changes_are_known() {
        for old in ["3.4.23", "3.4.30", "3.5.0", "3.5.12", "3.3.27", "", "not"] {
            assert!(!has_fences(old), "{old}");
        }
        for new in [
            "3.4.31",
            "3.4.34",
            "3.5.13",
            "3.5.21",
            "3.6.0",
            "3.6.0-rc.1",
            "4.0.0",
        ] {
            assert!(has_fences(new), "{new}");
        }
    }
}
