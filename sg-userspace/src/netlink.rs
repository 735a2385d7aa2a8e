//! The interfaces of the network namespace the daemon works in, as they come and go.

use std::{io, time::Duration};

use futures_util::{FutureExt, StreamExt, TryStreamExt, stream::BoxStream};
use rtnetlink::{
    Handle, MulticastGroup, new_multicast_connection,
    packet_core::{NetlinkMessage, NetlinkPayload},
    packet_route::{
        AddressFamily, RouteNetlinkMessage,
        link::{LinkAttribute, LinkMessage},
        tc::TcHandle,
    },
};

use tokio::time::{self, Instant};

use crate::error::{Error, Result};

/// How long to wait before what failed is tried again.
const PAUSE: Duration = Duration::from_secs(1);

/// An interface.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Link {
    /// Its number in the kernel, never used twice while a namespace lives.
    pub ifindex: u32,
    /// Its name.
    pub name: String,
    /// The interface that it is a port of, if any: a bridge, or Open vSwitch's datapath in the kernel.
    pub master: Option<u32>,
}

/// What happened to the interfaces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkEvent {
    /// These are all: at the start, and after messages were lost.
    All(Vec<Link>),
    /// One is new, or was given another name or another master.
    Present(Link),
    /// The one with this number is gone.
    Gone(u32),
    /// Somebody has changed what hangs on a qdisc with filters, clsact or `ingress`.
    Stirred,
}

/// Watches the interfaces of the namespace that the calling thread was in when it started.
pub struct Links {
    handle: Handle,
    messages: BoxStream<'static, NetlinkMessage<RouteNetlinkMessage>>,
    /// All have to be asked for: at the start, and after messages were lost. It is a field, and not a
    /// step of the waiting, because the waiting may be given up at any step.
    stale: bool,
    /// When to subscribe again, after an error.
    again: Option<Instant>,
}

impl Links {
    /// Subscribes. The first thing to be told is all that there is.
    pub async fn watch() -> Result<Self> {
        let (connection, handle, messages) =
            new_multicast_connection(&[MulticastGroup::Link, MulticastGroup::Tc])
                .map_err(failed)?;
        tokio::spawn(connection);
        Ok(Self {
            handle,
            messages: messages.map(|(message, _)| message).boxed(),
            stale: true,
            again: None,
        })
    }

    /// What happened next, and all that is known to have happened since; the first is
    /// [`LinkEvent::All`]. Safe to cancel.
    ///
    /// # Errors
    ///
    /// The kernel cannot be asked. The next call tries again, after a pause, and then tells
    /// [`LinkEvent::All`].
    pub async fn next(&mut self) -> Result<Vec<LinkEvent>> {
        if let Some(again) = self.again {
            time::sleep_until(again).await;
            self.again = Some(Instant::now() + PAUSE);
            *self = Self::watch().await?;
        }
        let news = self.news().await;
        if news.is_err() {
            self.again = Some(Instant::now() + PAUSE);
        }
        news
    }

    async fn news(&mut self) -> Result<Vec<LinkEvent>> {
        loop {
            if self.stale {
                let all = self.all().await?;
                self.stale = false;
                return Ok(vec![LinkEvent::All(all)]);
            }
            let ended = || failed(io::Error::from(io::ErrorKind::UnexpectedEof));
            let first = self.messages.next().await.ok_or_else(ended)?;
            // No waiting from here on: what was taken from the stream must be told.
            let mut events = self.meaning(first);
            while let Some(Some(message)) = self.messages.next().now_or_never() {
                events.extend(self.meaning(message));
            }
            if !events.is_empty() && !self.stale {
                return Ok(events);
            }
        }
    }

    /// The event of a message, if it is one. All of them are asked for if it says that others were lost.
    fn meaning(&mut self, message: NetlinkMessage<RouteNetlinkMessage>) -> Vec<LinkEvent> {
        match Meaning::of(message.payload) {
            Meaning::Event(event) => vec![event],
            Meaning::Lost => {
                tracing::info!("messages about interfaces were lost; asking for all of them");
                self.stale = true;
                Vec::new()
            }
            Meaning::Nothing => Vec::new(),
        }
    }

    async fn all(&self) -> Result<Vec<Link>> {
        let answers = self.handle.link().get().execute();
        let links = answers
            .try_filter_map(async |answer| Ok(link(answer)))
            .try_collect()
            .await;
        links.map_err(|error| failed(io::Error::other(error)))
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
            NetlinkPayload::InnerMessage(
                RouteNetlinkMessage::NewQueueDiscipline(message)
                | RouteNetlinkMessage::DelQueueDiscipline(message)
                | RouteNetlinkMessage::NewTrafficFilter(message)
                | RouteNetlinkMessage::DelTrafficFilter(message),
            ) if has_filters(message.header.parent) => Self::Event(LinkEvent::Stirred),
            _ => Self::Nothing,
        }
    }
}

/// Whether something hangs on a qdisc with filters, or is one; the other qdiscs only order what leaves.
fn has_filters(parent: TcHandle) -> bool {
    parent == TcHandle::CLSACT
        || parent.major == TcHandle::CLSACT.major
            && [TcHandle::MIN_INGRESS, TcHandle::MIN_EGRESS].contains(&parent.minor)
}

/// The interface of a message. A bridge reports its ports under its own family: a `DelLink` of
/// that kind says that a tap left a bridge, not that it is gone (`br_ifinfo_notify`).
fn link(message: LinkMessage) -> Option<Link> {
    if message.header.interface_family != AddressFamily::Unspec {
        return None;
    }
    let (mut name, mut master) = (None, None);
    for attribute in message.attributes {
        match attribute {
            LinkAttribute::IfName(is) => name = Some(is),
            LinkAttribute::Controller(is) => master = Some(is),
            _ => {}
        }
    }
    Some(Link {
        ifindex: message.header.index,
        name: name?,
        master,
    })
}

#[cfg(test)]
mod tests;
