//! A record of the kernel in words. Headers are read by the code by which the kernel reads them.

use std::time::{Duration, SystemTime};

use sg_common::hook::Hook;
use sg_common::layout::events::{Action, Event};
use sg_common::packet::{self, Body, Opening};
use sg_common::reason::Verdict;
use sg_common::scratch::Scratch;
use sg_common::wire::addr::to_ip;
use sg_common::wire::ethernet;
use sg_common::wire::frame::Frame;
use sg_common::wire::icmp::is_icmp;
use sg_common::wire::ip::{Fragment, Ip};
use sg_common::wire::protocol;
use sg_common::wire::transport::{Tcp, tcp_flags};
use uuid::Uuid;

use crate::{
    host::clock::boottime,
    packet::{Captured, to_hex},
    view::PacketView,
};

/// The VLAN id in a tag.
const VLAN_ID: u16 = 0x0fff;

/// Readings of both clocks that are so near to each other are the same.
const AGREEMENT: Duration = Duration::from_millis(10);

/// A moment by two clocks: that of people, and that of the records.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    /// By that of people.
    pub now: SystemTime,
    /// By that of the records, in nanoseconds.
    pub boottime: u64,
}

impl Clock {
    /// When something was that has this time in its record.
    pub fn moment(&self, time: u64) -> SystemTime {
        let then = match self.boottime.checked_sub(time) {
            Some(age) => self.now.checked_sub(Duration::from_nanos(age)),
            None => self
                .now
                .checked_add(Duration::from_nanos(time - self.boottime)),
        };
        then.unwrap_or(self.now)
    }

    /// Both clocks as they are now. They are read one after the other, so that two readings do not quite agree: one
    /// of before is kept, and each moment has one name, unless somebody has set the clock of people meanwhile.
    pub fn after(former: Option<Clock>) -> Clock {
        let fresh = Clock {
            now: SystemTime::now(),
            boottime: boottime(),
        };
        former
            .filter(|former| former.agrees_with(&fresh))
            .unwrap_or(fresh)
    }

    fn agrees_with(&self, fresh: &Clock) -> bool {
        let here = self.moment(fresh.boottime);
        let apart = here
            .duration_since(fresh.now)
            .unwrap_or_else(|error| error.duration());
        apart < AGREEMENT
    }
}

/// A record of a packet in words; `None` if it is of a kind that this program does not know.
pub fn describe(event: &Event, clock: Clock) -> Option<PacketView> {
    if event.what != Event::VERDICT {
        return None;
    }
    let (verdict, hook) = (event.verdict()?, hook(event.hook)?);
    let mut view = PacketView {
        time: time(clock.moment(event.time)),
        port: Uuid::from_bytes(event.uuid).to_string(),
        ifindex: event.ifindex,
        direction: hook.direction().as_str().into(),
        action: Action::of(&verdict).map(Into::into),
        reason: reason(&verdict).into(),
        length: event.length,
        frame: to_hex(event.frame()),
        ..PacketView::default()
    };
    headers(&captured(event), &mut view);
    Some(view)
}

/// A moment as RFC 3339 has it, in UTC.
pub fn time(at: SystemTime) -> String {
    humantime::format_rfc3339_micros(at).to_string()
}

fn hook(number: u8) -> Option<Hook> {
    Hook::ALL.into_iter().find(|hook| *hook as u8 == number)
}

fn reason(verdict: &Verdict) -> &'static str {
    match verdict {
        Ok(accept) => accept.as_str(),
        Err(reason) => reason.as_str(),
    }
}

/// What of its frame was told.
fn captured(event: &Event) -> Captured<&[u8]> {
    Captured {
        bytes: event.frame(),
        length: event.length,
        tag: (event.flags & Event::TAGGED != 0).then_some(event.tci),
    }
}

/// The connection that a packet of IP opens, as the filter reads it.
pub fn opening(event: &Event) -> Option<Opening> {
    let frame = captured(event);
    let ethernet = ethernet::parse(&frame).ok()?;
    let mut ip = Scratch::EMPTY.ip;
    let Ok(Body::Ip) = packet::body(&frame, &ethernet, &mut ip) else {
        return None;
    };
    let transport = packet::transport(&frame, &ip);
    Some(Opening::new(event.slot, hook(event.hook)?, &ip, transport))
}

/// What can be read of the headers.
fn headers(frame: &Captured<&[u8]>, view: &mut PacketView) {
    let Ok(ethernet) = ethernet::parse(frame) else {
        return;
    };
    let vlan = ethernet.vlan & VLAN_ID;
    view.vlan = (vlan != 0).then_some(vlan);
    let mut ip = Scratch::EMPTY.ip;
    if let Ok(Body::Ip) = packet::body(frame, &ethernet, &mut ip) {
        view.source = Some(to_ip(&ip.source, ip.family).to_string());
        view.destination = Some(to_ip(&ip.destination, ip.family).to_string());
        view.protocol = Some(ip.protocol);
        transport(frame, &ip, view);
    }
}

fn transport(frame: &Captured<&[u8]>, ip: &Ip, view: &mut PacketView) {
    let transport = packet::transport(frame, ip);
    if transport.cut_short || ip.fragment == Fragment::Later {
        return;
    }
    if is_icmp(ip.family, ip.protocol) {
        view.icmp_type = Some(transport.icmp_type());
        view.icmp_code = Some((transport.destination & 0xff) as u8);
    } else if has_ports(ip.protocol) {
        view.source_port = Some(transport.source);
        view.destination_port = Some(transport.destination);
    }
    if ip.protocol == protocol::TCP {
        let header: Option<Tcp> = frame.read(ip.payload);
        view.tcp_flags = header.map(|header| flags(header.flags));
    }
}

/// Whether a protocol has ports.
pub const fn has_ports(protocol: u8) -> bool {
    matches!(
        protocol,
        protocol::TCP | protocol::UDP | protocol::SCTP | protocol::DCCP | protocol::UDPLITE
    )
}

fn flags(flags: u8) -> String {
    const NAMES: [(u8, &str); 8] = [
        (tcp_flags::FIN, "FIN"),
        (tcp_flags::SYN, "SYN"),
        (tcp_flags::RST, "RST"),
        (tcp_flags::PSH, "PSH"),
        (tcp_flags::ACK, "ACK"),
        (tcp_flags::URG, "URG"),
        (tcp_flags::ECE, "ECE"),
        (tcp_flags::CWR, "CWR"),
    ];
    let set = NAMES.iter().filter(|(bit, _)| flags & bit != 0);
    set.map(|(_, name)| *name).collect::<Vec<_>>().join(",")
}
