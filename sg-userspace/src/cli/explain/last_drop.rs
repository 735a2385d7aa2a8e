//! The last packet of a port that was refused.

use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use crate::{
    cli::Context,
    error::{Error, Result},
    view::{EventAction, EventLine, EventsRequest, PacketView},
};

/// The last refused packet of a port that the daemon has told, or else the next, which is waited for.
pub async fn last_drop(context: &Context, port: &str, wait: Duration) -> Result<PacketView> {
    let deadline = Instant::now() + wait;
    let id = context.client.port(port).await?.port.id;
    let request = EventsRequest {
        ports: [(id, vec![EventAction::Drop, EventAction::Audit])].into(),
        last: true,
        ..EventsRequest::default()
    };
    let mut lines = context.client.events(&request).await?;
    loop {
        let line = match lines.here() {
            Some(line) => line,
            None => match timeout_at(deadline, lines.next()).await {
                Ok(line) => line?,
                Err(_) => {
                    return Err(Error::NoDrop {
                        port: port.into(),
                        wait: humantime::format_duration(wait).to_string(),
                    });
                }
            },
        };
        if let Ok(EventLine::Packet(packet)) = serde_json::from_str(&line) {
            return Ok(*packet);
        }
    }
}
