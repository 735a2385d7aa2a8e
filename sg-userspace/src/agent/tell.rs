//! What the agent logs of the interfaces: each thing once.

use super::{
    Agent, Attachment, Look, Trouble,
    trouble::{EVERY_INTERFACE, Troubles},
};
use crate::netlink::Link;

impl Agent {
    /// Logs the troubles that are new and those that are over.
    pub(super) fn tell_troubles(&self, before: &Troubles, now: &Troubles) {
        for (ifindex, trouble) in now.since(before) {
            let (interface, kind) = (self.interface_of(ifindex, trouble), trouble.as_str());
            let (problem, remedy) = (trouble.problem(), trouble.remedy(interface));
            match trouble.opens() {
                true => tracing::error!(kind, ifindex, "{interface} {problem}. {remedy}"),
                false => tracing::warn!(kind, ifindex, "{interface} {problem}. {remedy}"),
            }
        }
        for (ifindex, trouble) in before.since(now) {
            let (interface, kind) = (self.interface_of(ifindex, trouble), trouble.as_str());
            tracing::info!(interface, ifindex, kind, "this trouble is over");
        }
    }

    /// The interface of a trouble as it is called in the log and in answers.
    pub(super) fn interface_of<'a>(&'a self, ifindex: u32, trouble: &'a Trouble) -> &'a str {
        match trouble {
            // The number may be another one's here by now.
            Trouble::Moved { interface, .. } if !interface.is_empty() => interface,
            Trouble::Moved { .. } => "?",
            _ if ifindex == EVERY_INTERFACE => "every interface",
            _ => self.links.name(ifindex).unwrap_or("?"),
        }
    }

    /// Counts and logs that the programs are on an interface, where before there was this.
    pub(super) fn tell_attached(&mut self, link: &Link, before: Option<Attachment>) {
        let (interface, ifindex) = (&link.name, link.ifindex);
        let what = match before {
            None => {
                tracing::info!(interface, ifindex, "attached");
                return;
            }
            Some(Attachment::Earlier) => {
                tracing::info!(
                    interface,
                    ifindex,
                    "attached, in the place of the filter that was there before"
                );
                return;
            }
            Some(Attachment::Behind) => {
                self.put_back.places += 1;
                "another program was before the filter, which is first again; until now what that let pass \
                 was not filtered: find out who attached it"
            }
            Some(_) => {
                self.put_back.filters += 1;
                "the filter was gone and is back; until now the interface was open: find out who took it off"
            }
        };
        // In a contest this goes on, and is told once.
        match self.contests.is_on(ifindex) {
            true => tracing::debug!(interface, ifindex, "{what}"),
            false => tracing::warn!(interface, ifindex, "{what}"),
        }
        self.contests.note(ifindex);
    }

    /// Takes note of pins that are back, and of those that cannot be put back.
    pub(super) fn tell_pins(&mut self, look: &Look) {
        if look.pinned_again > 0 {
            self.put_back.pins += 1;
            let pins = look.pinned_again;
            tracing::warn!(
                pins,
                "pins were removed and are back; the filters were in force all the time"
            );
        }
        if look.unpinned != self.failures.pins {
            match &look.unpinned {
                Some(error) => tracing::error!("{}", unpinned(error)),
                None => tracing::info!("all is pinned again"),
            }
            self.failures.pins.clone_from(&look.unpinned);
        }
    }
}

/// What it means that pins cannot be put back.
pub fn unpinned(error: &str) -> String {
    format!(
        "pins were removed and cannot be put back, so the filters end when this daemon does: {error}"
    )
}
