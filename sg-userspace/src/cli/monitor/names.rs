//! What the ports of events are called.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use crate::{api::Client, error::Result, plain::plain, view::PortView};

/// A port that is not known is asked for no sooner than this after the last one.
const AGAIN: Duration = Duration::from_secs(1);

/// The ports by their ids.
#[derive(Default)]
pub struct Names {
    ports: BTreeMap<String, PortView>,
    asked: Option<Instant>,
}

impl Names {
    /// Has the name of a port here, if the daemon knows it.
    pub async fn learn(&mut self, client: &Client, port: &str) -> Result<()> {
        let asked = self.asked.is_some_and(|asked| asked.elapsed() < AGAIN);
        if asked || self.ports.contains_key(port) {
            return Ok(());
        }
        self.take(client.ports().await?);
        self.asked = Some(Instant::now());
        Ok(())
    }

    /// Takes what the ports are called.
    pub fn take(&mut self, ports: Vec<PortView>) {
        self.ports = ports
            .into_iter()
            .map(|port| (port.id.clone(), port))
            .collect();
    }

    /// A port in one word: its name, or else its interface, or else its id; as it may be shown.
    pub fn port(&self, id: &str) -> String {
        let interface = self.interface(id);
        let name = self.ports.get(id).map(|port| plain(&port.name));
        let mut words = [name, interface, Some(plain(id))].into_iter().flatten();
        words.find(|word| !word.is_empty()).unwrap_or_default()
    }

    /// The interface of a port, a subport's as `INTERFACE.VLAN`.
    pub fn interface(&self, id: &str) -> Option<String> {
        let port = self.ports.get(id)?;
        let interface = plain(&port.interface);
        match port.vlan {
            _ if interface.is_empty() => None,
            Some(vlan) => Some(format!("{interface}.{vlan}")),
            None => Some(interface),
        }
    }

    /// The length of the longest word that there is for any of these ports, or for all.
    pub fn longest<'a>(&self, ids: impl Iterator<Item = &'a String>) -> usize {
        let lengths = ids.map(|id| self.port(id).chars().count()).max();
        let all = || self.ports.keys().map(|id| self.port(id).chars().count());
        lengths.or_else(|| all().max()).unwrap_or_default()
    }
}
