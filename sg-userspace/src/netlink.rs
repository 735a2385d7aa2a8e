//! The interfaces of the network namespace the daemon works in, as they come and go.

use std::{collections::VecDeque, io};

use futures_util::{StreamExt, TryStreamExt, stream::BoxStream};
use rtnetlink::{
    Handle, MulticastGroup, new_multicast_connection,
    packet_core::{NetlinkMessage, NetlinkPayload},
    packet_route::{
        AddressFamily, RouteNetlinkMessage,
        link::{LinkAttribute, LinkMessage},
    },
};

use crate::error::{Error, Result};

/// An interface.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Link {
    /// Its number in the kernel, never used twice while a namespace lives.
    pub ifindex: u32,
    /// Its name.
    pub name: String,
}

/// What happened to the interfaces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkEvent {
    /// These are all: at the start, and after messages were lost.
    All(Vec<Link>),
    /// One is new, or was given another name.
    Present(Link),
    /// The one with this number is gone.
    Gone(u32),
}

/// Watches the interfaces of the namespace that the calling thread was in when it started.
pub struct Links {
    handle: Handle,
    messages: BoxStream<'static, NetlinkMessage<RouteNetlinkMessage>>,
    waiting: VecDeque<LinkEvent>,
}

impl Links {
    /// Subscribes, then asks for all, so that nothing is missed in between.
    pub async fn watch() -> Result<Self> {
        let (connection, handle, messages) =
            new_multicast_connection(&[MulticastGroup::Link]).map_err(failed)?;
        tokio::spawn(connection);
        let messages = messages.map(|(message, _)| message).boxed();
        let mut links = Self {
            handle,
            messages,
            waiting: VecDeque::new(),
        };
        links.ask().await?;
        Ok(links)
    }

    /// The next event; the first is [`LinkEvent::All`]. Safe to cancel.
    pub async fn next(&mut self) -> Result<LinkEvent> {
        loop {
            if let Some(event) = self.waiting.pop_front() {
                return Ok(event);
            }
            let ended = || failed(io::Error::from(io::ErrorKind::UnexpectedEof));
            let message = self.messages.next().await.ok_or_else(ended)?;
            match Meaning::of(message.payload) {
                Meaning::Event(event) => return Ok(event),
                Meaning::Lost => {
                    tracing::info!("messages about interfaces were lost; asking for all of them");
                    self.ask().await?;
                }
                Meaning::Nothing => {}
            }
        }
    }

    async fn ask(&mut self) -> Result<()> {
        let answers = self.handle.link().get().execute();
        let links = answers
            .try_filter_map(async |answer| Ok(link(answer)))
            .try_collect()
            .await;
        let links = links.map_err(|error| failed(io::Error::other(error)))?;
        self.waiting.push_back(LinkEvent::All(links));
        Ok(())
    }
}

fn failed(source: io::Error) -> Error {
    Error::System {
        action: "watching the interfaces",
        source,
    }
}

/// What a message says about interfaces.
#[derive(Debug, PartialEq, Eq)]
enum Meaning {
    Event(LinkEvent),
    /// The socket's buffer was full and the kernel dropped messages.
    Lost,
    Nothing,
}

impl Meaning {
    fn of(payload: NetlinkPayload<RouteNetlinkMessage>) -> Self {
        match payload {
            NetlinkPayload::Overrun(_) => Self::Lost,
            NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewLink(message)) => {
                link(message).map_or(Self::Nothing, |link| Self::Event(LinkEvent::Present(link)))
            }
            NetlinkPayload::InnerMessage(RouteNetlinkMessage::DelLink(message)) => {
                let gone = link(message);
                gone.map_or(Self::Nothing, |link| {
                    Self::Event(LinkEvent::Gone(link.ifindex))
                })
            }
            _ => Self::Nothing,
        }
    }
}

/// The interface of a message. A bridge reports its ports under its own family: a `DelLink` of
/// that kind says that a tap left a bridge, not that it is gone (`br_ifinfo_notify`).
fn link(message: LinkMessage) -> Option<Link> {
    if message.header.interface_family != AddressFamily::Unspec {
        return None;
    }
    let name = message
        .attributes
        .into_iter()
        .find_map(|attribute| match attribute {
            LinkAttribute::IfName(name) => Some(name),
            _ => None,
        })?;
    Some(Link {
        ifindex: message.header.index,
        name,
    })
}

#[cfg(test)]
mod tests;
