//! The end of a connection in words, and how long it has lived.

use std::collections::BTreeMap;

use sg_common::conntrack::{sctp, tcp};
use sg_common::hook::Direction;
use sg_common::layout::events::{Action, Cause, Ended, Event};
use sg_common::packet::Opening;
use sg_common::reason::Ending;
use sg_common::wire::addr::to_ip;
use sg_common::wire::icmp::is_icmp;
use sg_common::wire::protocol;
use uuid::Uuid;

use super::describe::{Clock, has_ports, opening, time};
use crate::view::{Count, CountedView, EventAction, PacketView};

/// A record of an end in words; `opened` is when the connection was, if that is known.
pub fn describe_end(ended: &Ended, opened: Option<u64>, clock: Clock) -> Option<PacketView> {
    let (key, flow) = (ended.key(), &ended.flow);
    let from_vm = flow.word().from_vm();
    let opening = Opening::of_flow(&key, from_vm);
    let (source, destination) = match from_vm {
        true => (key.local, key.remote),
        false => (key.remote, key.local),
    };
    let family = key.family();
    let ports = has_ports(key.protocol()).then_some(opening.transport);
    let icmp = is_icmp(family, key.protocol()).then_some(opening.transport);
    Some(PacketView {
        time: time(clock.moment(ended.time)),
        port: Uuid::from_bytes(ended.uuid).to_string(),
        direction: opening.hook.direction().as_str().into(),
        action: Some(EventAction::End),
        reason: ending(ended)?.as_str().into(),
        source: Some(to_ip(&source, family).to_string()),
        destination: Some(to_ip(&destination, family).to_string()),
        protocol: Some(key.protocol()),
        source_port: ports.map(|ports| ports.source),
        destination_port: ports.map(|ports| ports.destination),
        icmp_type: icmp.map(|query| query.icmp_type()),
        icmp_code: icmp.map(|query| (query.destination & 0xff) as u8),
        counted: (ended.counted != 0).then(|| counted(ended)),
        opened: opened.map(|opened| time(clock.moment(opened))),
        lived_ms: opened.map(|opened| ended.time.saturating_sub(opened) / 1_000_000),
        ..PacketView::default()
    })
}

fn counted(ended: &Ended) -> CountedView {
    let of = |direction: Direction| Count {
        packets: ended.packets[direction as usize],
        bytes: ended.frame_bytes[direction as usize],
    };
    CountedView {
        ingress: of(Direction::Ingress),
        egress: of(Direction::Egress),
    }
}

/// How it ended, as far as its last state says.
fn ending(ended: &Ended) -> Option<Ending> {
    let (cause, word) = (Cause::from_number(ended.cause)?, ended.flow.word());
    if word.revoked() {
        return Some(Ending::Revoked);
    }
    let number = ended.key().protocol();
    let told = match number {
        protocol::TCP => match tcp::State::from_number(word.state()) {
            tcp::State::TimeWait => Some(Ending::Closed),
            tcp::State::Close => Some(Ending::Reset),
            // What nobody has answered is forgotten with its reset.
            _ if cause == Cause::Packet => Some(Ending::Reset),
            _ => None,
        },
        protocol::SCTP => match sctp::State::from_number(word.state()) {
            sctp::State::Closed | sctp::State::ShutdownAckSent => Some(Ending::Closed),
            _ => None,
        },
        _ => None,
    };
    Some(told.unwrap_or(match cause {
        Cause::GaveWay => Ending::GaveWay,
        Cause::Expired | Cause::Packet => Ending::TimedOut,
    }))
}

/// When connections were opened whose ends are asked for. Of so many at least it is known; then the
/// older half is forgotten.
#[derive(Default)]
pub struct Openings {
    young: BTreeMap<[u64; 5], Opened>,
    old: BTreeMap<[u64; 5], Opened>,
}

/// When, and at which port: a slot may have another by now.
#[derive(Clone, Copy)]
struct Opened {
    uuid: [u8; 16],
    time: u64,
}

/// The half of what is known.
const HALF: usize = 32_768;

impl Openings {
    /// Notes the opening of a connection, if the record is of one.
    pub fn note(&mut self, event: &Event) {
        if event.action() != Some(Action::Accept) {
            return;
        }
        let Some(opening) = opening(event) else {
            return;
        };
        if self.young.len() >= HALF {
            self.old = std::mem::take(&mut self.young);
        }
        let opened = Opened {
            uuid: event.uuid,
            time: event.time,
        };
        self.young.insert(bytemuck::must_cast(opening.key), opened);
    }

    /// When the connection was opened that has ended.
    pub fn take(&mut self, ended: &Ended) -> Option<u64> {
        let (young, old) = (self.young.remove(&ended.key), self.old.remove(&ended.key));
        let opened = young.or(old).filter(|opened| opened.uuid == ended.uuid)?;
        Some(opened.time)
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        *self = Self::default();
    }
}
