//! The ports and their states, as the kernel says them.

use std::collections::BTreeMap;

use sg_common::layout::port::flags;

use super::{
    Agent, Attachment, Look, Mode, Trouble, Troubles,
    lookup::{self, AnyPort},
    phrase, readers,
    state::Facts,
};
use crate::{
    model::{Effect, Fault, Interface, Mac, Port, PortId, Security, Vlan},
    netlink::Link,
    view::{PortState, PortTally, PortView},
};

/// What the kernel said when it was last asked.
#[derive(Debug, Default)]
pub struct Seen {
    /// Interfaces that we have attached to, and what became of it.
    attached: BTreeMap<u32, Attachment>,
    /// What is wrong at interfaces, besides what keeps the programs from their places.
    pub(super) troubles: Troubles,
    /// What the tables have entries for.
    written: BTreeMap<(u32, u16), Written>,
    /// What could not be asked.
    pub(super) errors: Vec<String>,
}

/// An entry of a port in the tables.
#[derive(Debug, Clone, Copy)]
struct Written {
    uuid: [u8; 16],
    audited: bool,
}

/// A port of the inventory and where it is; or an interface whose port has left the inventory.
#[derive(Debug, Clone, Copy)]
pub struct Spot<'a> {
    /// The port.
    pub port: Option<AnyPort<'a>>,
    /// Its interface, if that is here.
    pub link: Option<&'a Link>,
}

impl Spot<'_> {
    /// The name of the interface that the port has or would have.
    pub fn interface(&self) -> Option<&str> {
        let wanted = self.port.and_then(AnyPort::interface);
        let there = self.link.map(|link| link.name.as_str());
        wanted.map(Interface::as_str).or(there)
    }
}

impl Agent {
    /// Asks the kernel what is attached, written and read; says in the log what has changed for worse or
    /// for better. What it does not tell is taken for missing.
    pub fn look(&mut self) {
        if !self.desired.is_known() {
            return;
        }
        let mut errors = Vec::new();
        let look = self.datapath.look().unwrap_or_else(|error| {
            errors.push(format!("it is not known what is attached: {error}"));
            Look::default()
        });
        self.tell_pins(&look);
        let readers = self.datapath.readers().unwrap_or_else(|error| {
            errors.push(error.to_string());
            Vec::new()
        });
        let written = match &self.holding {
            Ok(holding) => {
                let ports = holding.ports.iter();
                let entry = ports.map(|(key, port)| {
                    let written = Written {
                        uuid: port.uuid,
                        audited: port.has(flags::AUDIT),
                    };
                    ((key.ifindex, key.vlan), written)
                });
                entry.collect()
            }
            Err(error) => {
                errors.push(format!("it is not known what the tables hold: {error}"));
                BTreeMap::new()
            }
        };
        let before = std::mem::take(&mut self.seen);
        self.seen = Seen {
            attached: look.attached,
            troubles: Troubles::default(),
            written,
            errors,
        };
        // At XDP frames are judged before anybody reads them.
        let is_read_first = |link: &&Link| look.modes.get(&link.ifindex) != Some(&Mode::Xdp);
        let is_ours = |link: &&Link| {
            let inventory = &self.desired.inventory;
            inventory.has_interface(&link.name) || self.seen.attached.contains_key(&link.ifindex)
        };
        let links = self.links.all().filter(is_ours).filter(is_read_first);
        let mut troubles = readers::troubles(&readers, links);
        for (ifindex, trouble) in look.troubles {
            // One that is being deleted looks like one that was moved until netlink has told.
            let is_here = |name: &String| self.links.name(ifindex) == Some(name);
            if !matches!(&trouble, Trouble::Moved { interface, .. } if is_here(interface)) {
                troubles.insert(ifindex, trouble);
            }
        }
        self.seen.troubles = troubles;
        self.tell_troubles(&before.troubles, &self.seen.troubles);
    }

    /// Every port, and the filtered interfaces whose ports have left the inventory; as of the last look.
    pub fn ports(&self) -> Vec<PortView> {
        self.spots().map(|spot| self.view_at(spot)).collect()
    }

    /// The ports by state, as of the last look.
    pub fn tally(&self) -> PortTally {
        let inventory = &self.desired.inventory;
        let here = self.links.all().flat_map(|link| {
            let ports = inventory.ports_at(&link.name).map(AnyPort::Read);
            ports.map(|port| Spot {
                port: Some(port),
                link: Some(link),
            })
        });
        let here: Vec<_> = here.collect();
        // Most of a hundred thousand ports are elsewhere, and need not be looked at.
        let elsewhere = inventory.ports.len() - here.len();
        let closed = inventory.closed.iter().map(AnyPort::Closed);
        let closed = closed.map(|port| self.spot_of(port));
        let spots = here.into_iter().chain(closed).chain(self.left_behind());
        let mut tally: PortTally = spots.map(|spot| self.state(spot)).collect();
        tally.elsewhere += elsewhere;
        tally
    }

    pub(super) fn view(&self, port: AnyPort<'_>) -> PortView {
        self.view_at(self.spot_of(port))
    }

    pub(super) fn spots(&self) -> impl Iterator<Item = Spot<'_>> {
        let ports = lookup::all(&self.desired.inventory).map(|port| self.spot_of(port));
        ports.chain(self.left_behind())
    }

    pub(super) fn spot_of<'a>(&'a self, port: AnyPort<'a>) -> Spot<'a> {
        let interface = port.interface();
        Spot {
            port: Some(port),
            link: interface.and_then(|name| self.links.get(self.ifindex(name.as_str())?)),
        }
    }

    /// Interfaces that we have attached to and that no port of the inventory has any more: they stay
    /// closed, because a shortened inventory must not open anything.
    fn left_behind(&self) -> impl Iterator<Item = Spot<'_>> {
        let links = self.seen.attached.keys();
        let links = links.filter_map(|ifindex| self.links.get(*ifindex));
        let links = links.filter(|link| !self.desired.inventory.has_interface(&link.name));
        links.map(|link| Spot {
            port: None,
            link: Some(link),
        })
    }

    fn view_at(&self, spot: Spot<'_>) -> PortView {
        let state = self.state(spot);
        let port = spot.port;
        let read = port.and_then(AnyPort::read);
        let interface = spot.interface().unwrap_or_default();
        let groups = read.into_iter().flat_map(|port| &port.groups);
        PortView {
            id: port.map(AnyPort::id).unwrap_or_default(),
            name: port.map(AnyPort::name).unwrap_or_default().into(),
            interface: interface.into(),
            vlan: port.and_then(AnyPort::vlan).map(Vlan::id),
            ifindex: spot.link.map(|link| link.ifindex),
            mac_address: read.map(|port| port.mac).filter(|mac| *mac != Mac::UNKNOWN),
            addresses: read.map(phrase::addresses).unwrap_or_default(),
            security_groups: groups
                .map(|id| phrase::group(&self.desired.inventory, *id))
                .collect(),
            state,
            note: self.note(spot, state),
            troubles: self.troubles_at(spot.link.map(|link| link.ifindex)),
        }
    }

    /// What the filter does at a spot.
    pub(super) fn state(&self, spot: Spot<'_>) -> PortState {
        self.facts(spot).state()
    }

    fn facts(&self, spot: Spot<'_>) -> Facts {
        let read = spot.port.and_then(AnyPort::read);
        let left_out = read.is_none_or(|port| self.enforced.closed.contains(&port.id));
        let mut facts = Facts {
            here: false,
            attached: false,
            written: false,
            current: self.failures.enforce.is_none(),
            unfiltered: read.is_some_and(|port| port.security != Security::Filtered),
            left_out,
            bypassed: false,
            audited: false,
        };
        if let Some(link) = spot.link {
            let attachment = self.attachment(link);
            facts.here = !matches!(attachment, Some(Attachment::Gone | Attachment::Moved));
            let is_open = self.opening(link).is_some();
            let is_earlier = attachment == Some(Attachment::Earlier);
            facts.attached = (attachment == Some(Attachment::InForce) || is_earlier) && !is_open;
            facts.written = is_earlier || self.is_written(spot.port, link.ifindex, facts.current);
            facts.audited = self.is_written_audited(spot.port, link.ifindex);
            // It goes on by what it was told, whatever our tables say by now.
            facts.current &= !is_earlier;
            facts.bypassed = self.bypass(link).is_some();
        }
        facts
    }

    /// Whether the tables have an entry that applies to the frames of a port. Until they hold the newest
    /// inventory, that may be one of a port that was there before.
    fn is_written(&self, port: Option<AnyPort<'_>>, ifindex: u32, current: bool) -> bool {
        let Some(port) = port else {
            return self.seen.written.keys().any(|(at, _)| *at == ifindex);
        };
        let vlan = port.vlan().map_or(0, Vlan::id);
        let Some(written) = self.seen.written.get(&(ifindex, vlan)) else {
            return false;
        };
        let is_its_own = |PortId(id)| *id.as_bytes() == written.uuid;
        !current || port.id().parse().is_ok_and(is_its_own)
    }

    /// Whether what no rule permits passes there, as the tables say.
    fn is_written_audited(&self, port: Option<AnyPort<'_>>, ifindex: u32) -> bool {
        let vlan = port.and_then(AnyPort::vlan).map_or(0, Vlan::id);
        let written = self.seen.written.get(&(ifindex, vlan));
        written.is_some_and(|written| written.audited)
    }

    fn attachment(&self, link: &Link) -> Option<Attachment> {
        self.seen.attached.get(&link.ifindex).copied()
    }

    /// What lets frames pass at the hooks of an interface.
    fn opening(&self, link: &Link) -> Option<&Trouble> {
        let tried = self.troubles.of(link.ifindex);
        let mut troubles = tried.chain(self.seen.troubles.of(link.ifindex));
        troubles.find(|trouble| trouble.opens() && !trouble.is_bypass())
    }

    /// What carries the frames of an interface past the filter.
    fn bypass(&self, link: &Link) -> Option<&Trouble> {
        let mut troubles = self.seen.troubles.of(link.ifindex);
        troubles.find(|trouble| trouble.is_bypass())
    }

    /// Why the state is no better one.
    pub(super) fn note(&self, spot: Spot<'_>, state: PortState) -> Option<String> {
        let refused = self.failures.enforce.clone();
        match state {
            PortState::Enforcing => None,
            PortState::Audit => Some("what no rule permits passes, and is counted as audit".into()),
            PortState::Unfiltered => spot.port.and_then(AnyPort::read).map(why_unfiltered),
            PortState::Closed => self.why_left_out(spot),
            PortState::Pending => Some(refused.unwrap_or("about to be written".into())),
            PortState::Outdated => {
                let earlier = "the filter of before is in force until this one is written";
                Some(refused.unwrap_or(earlier.into()))
            }
            PortState::Bypassed => {
                let link = spot.link?;
                self.bypass(link).map(|trouble| told(link, trouble))
            }
            PortState::Open => Some(self.why_open(spot.link?)),
            PortState::Elsewhere => {
                let fault = self.why_left_out(spot).map(|why| format!("; {why}"));
                Some("its interface is not here".to_owned() + &fault.unwrap_or_default())
            }
        }
    }

    fn why_open(&self, link: &Link) -> String {
        match (self.opening(link), self.attachment(link)) {
            (Some(trouble), _) => told(link, trouble),
            (None, Some(_)) => "the filter was taken off, and is about to be put back".into(),
            (None, None) => "the filter is about to be put on".into(),
        }
    }

    fn why_left_out(&self, spot: Spot<'_>) -> Option<String> {
        let Some(port) = spot.port else {
            return Some("its port is not in the inventory".into());
        };
        let id = port.id();
        let closing = |fault: &&Fault| fault.effect == Effect::PortClosed && fault.object.id == id;
        let mut faults = self.desired.faults.iter().chain(&self.enforced.faults);
        let fault = faults.find(closing)?;
        Some(format!("{} {}", fault.field, fault.problem))
    }
}

fn told(link: &Link, trouble: &Trouble) -> String {
    format!("{} {}", link.name, trouble.problem())
}

fn why_unfiltered(port: &Port) -> String {
    match port.security {
        Security::Trusted if port.device_owner.is_empty() => "trusted".into(),
        Security::Trusted => format!("trusted: {}", port.device_owner),
        Security::PortSecurityOff | Security::Filtered => "port security is off".into(),
    }
}
