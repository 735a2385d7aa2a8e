//! Which differences `docs/parity.md` expects, told by what its rows say of the frame and the port.
//! Those that a row explains with what iptables would do elsewhere are told by [`super::suppose`].

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::parity::flow::Flow;
use crate::parity::frame::{Frame, Ip, Part};
use crate::parity::plug::Plug;
use crate::parity::scenario::{End, Scenario, Step};

/// A step on which the sides differ, at one end.
struct Question<'a> {
    frames: Vec<Frame<'a>>,
    /// The port of the machine that sends.
    sender: Option<Plug>,
    /// The port of the machine where they differ.
    receiver: Option<Plug>,
    /// This filter dropped what iptables lets through.
    stricter: bool,
    /// The packets of the steps before.
    earlier: Vec<Sent>,
    /// The packets of this step.
    here: Vec<Sent>,
    /// Where they differ.
    end: End,
}

/// A packet of a step.
struct Sent {
    from: End,
    flow: Flow,
    source: IpAddr,
}

/// A row of `docs/parity.md`, and whether it expects the difference.
type Row = (u32, fn(&Question<'_>) -> bool);

/// The rows that a frame and a port can tell.
const ROWS: [Row; 17] = [
    (29, headers_cut_short),
    (28, of_others),
    (24, udplite),
    (27, transport_cut_short),
    (26, behind_authentication),
    (25, malformed),
    (2, tagged),
    (32, behind_llc),
    (4, foreign_mac_without_address),
    (7, foreign_arp),
    (8, foreign_neighbor),
    (12, out_of_order),
    (13, wrong_header_checksum),
    (30, dccp_of_other_ports),
    (20, many_extensions),
    (1, other_family),
    (23, foreign_mac),
];

/// The row that expects the difference at a step, if one does. `stricter`: this filter dropped it.
#[must_use]
pub fn expected(scenario: &Scenario, step: usize, end: End, stricter: bool) -> Option<u32> {
    // What one side drops on its way to a port where the other drops it is seen by nobody, but from then
    // on the sides know of different connections.
    let flows = Flow::of(scenario.steps.get(step)?);
    let unseen = || {
        (0..step).find_map(|earlier| {
            let same = Flow::of(&scenario.steps[earlier])
                .iter()
                .any(|flow| flows.iter().any(|other| flow.meets(other)));
            let either = || {
                let stricter = told(scenario, earlier, end, true);
                stricter.or_else(|| told(scenario, earlier, end, false))
            };
            same.then(either).flatten()
        })
    };
    told(scenario, step, end, stricter).or_else(unseen)
}

/// As [`expected`], for what a step tells by itself.
fn told(scenario: &Scenario, step: usize, end: End, stricter: bool) -> Option<u32> {
    let here = scenario.steps.get(step)?;
    let Step::Send { from, frames } = here else {
        return None;
    };
    let inventory = scenario.inventory_at(step);
    let question = Question {
        frames: frames
            .iter()
            .filter_map(|frame| Frame::read(&frame.0))
            .collect(),
        sender: Plug::at(*from, inventory),
        receiver: Plug::at(end, inventory),
        stricter,
        earlier: scenario.steps[..step].iter().flat_map(sent).collect(),
        end,
        here: sent(here),
    };
    ROWS.into_iter()
        .find(|(_, says)| says(&question))
        .map(|(row, _)| row)
}

/// The packets of a step: where they came from, their connection, and the end of it that they speak for.
fn sent(step: &Step) -> Vec<Sent> {
    let Step::Send { from, .. } = step else {
        return Vec::new();
    };
    let packets = Flow::with_sources(step).into_iter();
    packets
        .map(|(flow, source)| Sent {
            from: *from,
            flow,
            source,
        })
        .collect()
}

/// A packet for a machine about a connection of others, whose other half has come to it too.
fn of_others(q: &Question<'_>) -> bool {
    let of_it = |sent: &&Sent| q.here.iter().any(|here| here.flow.meets(&sent.flow));
    let mut earlier = q.earlier.iter().filter(of_it);
    q.stricter
        && q.end.port().is_some()
        && earlier.clone().all(|sent| sent.from != q.end)
        && earlier.any(|sent| q.here.iter().any(|here| here.source != sent.source))
}

/// UDP-Lite, which nf_conntrack takes for invalid unless its checksum is wrong.
fn udplite(q: &Question<'_>) -> bool {
    q.frames
        .iter()
        .filter_map(Frame::ip)
        .any(|ip| ip.protocol == 136 && ip.sums() == Some(true))
}

/// A packet that ends within its transport header.
fn transport_cut_short(q: &Question<'_>) -> bool {
    let short = |ip: &Ip<'_>| ip.part.is_none() && ip.payload.len() < ip.transport_header();
    !q.stricter && q.frames.iter().filter_map(Frame::ip).any(|ip| short(&ip))
}

/// An IPv6 packet that ends within its extension headers.
fn headers_cut_short(q: &Question<'_>) -> bool {
    let cut =
        |frame: &Frame<'_>| frame.ethertype == 0x86dd && frame.is_sound() && frame.ip().is_none();
    q.stricter && q.frames.iter().any(cut)
}

/// IPv6 behind an authentication header, between addresses that have spoken so over other ports before.
fn behind_authentication(q: &Question<'_>) -> bool {
    q.another_of(51)
}

/// An IP header that contradicts itself or the frame, and no port on its way that is filtered; or
/// hop-by-hop options that do.
fn malformed(q: &Question<'_>) -> bool {
    let mut plugs = q.sender.iter().chain(&q.receiver);
    let header = |frame: &Frame<'_>| frame.is_ip() && !frame.is_sound();
    let unfiltered = !plugs.any(|plug| plug.filtered);
    let options = |frame: &Frame<'_>| !frame.has_sound_options();
    !q.stricter && (unfiltered && q.frames.iter().any(header) || q.frames.iter().any(options))
}

/// A tag, at a port that is filtered.
fn tagged(q: &Question<'_>) -> bool {
    let filtered = |plug: &Option<Plug>| plug.as_ref().is_some_and(|plug| plug.filtered);
    q.stricter
        && q.frames.iter().any(Frame::is_tagged)
        && (filtered(&q.sender) || filtered(&q.receiver))
}

/// IP, ARP or an ethertype behind LLC, at a port that is filtered.
fn behind_llc(q: &Question<'_>) -> bool {
    let filtered = |plug: &Option<Plug>| plug.as_ref().is_some_and(|plug| plug.filtered);
    q.stricter
        && q.frames.iter().any(Frame::is_behind_llc)
        && (filtered(&q.sender) || filtered(&q.receiver))
}

/// What a host without an address asks, from a MAC that is not the port's.
fn foreign_mac_without_address(q: &Question<'_>) -> bool {
    let asks = |ip: &Ip<'_>| match (ip.source, ip.destination) {
        (IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V4(Ipv4Addr::BROADCAST)) => {
            ip.protocol == 17 && ip.ports() == Some((68, 67))
        }
        (IpAddr::V6(Ipv6Addr::UNSPECIFIED), IpAddr::V6(to)) => {
            to.segments()[0] == 0xff02 && matches!(ip.icmp(), Some((131 | 135 | 143, _)))
        }
        _ => false,
    };
    q.filtered_sends(|plug, frame| {
        !plug.has_mac(frame.source) && frame.ip().as_ref().is_some_and(asks)
    })
}

/// ARP for an address that does not go with the frame's MAC, or in a form of its own.
fn foreign_arp(q: &Question<'_>) -> bool {
    let own = |plug: &Plug, frame: &Frame<'_>| match frame.arp() {
        _ if plug.has_all_of_v4() => plug.has_mac(frame.source),
        Some(arp) => {
            let speaks_for = match arp.sender {
                Ipv4Addr::UNSPECIFIED => arp.target,
                sender => sender,
            };
            arp.sender_mac == frame.source && plug.has(speaks_for.into(), frame.source)
        }
        None => false,
    };
    q.filtered_sends(|plug, frame| frame.ethertype == 0x0806 && !own(plug, frame))
}

/// A neighbor advertisement for an address that does not go with the frame's MAC.
fn foreign_neighbor(q: &Question<'_>) -> bool {
    q.filtered_sends(|plug, frame| {
        let Some(ip) = frame.ip().filter(|ip| matches!(ip.icmp(), Some((136, _)))) else {
            return false;
        };
        let target = ip.payload.get(8..24);
        let target = target.and_then(|bytes| <[u8; 16]>::try_from(bytes).ok());
        target.is_none_or(|target| !plug.has(IpAddr::from(target), frame.source))
    })
}

/// Fragments that are not a whole datagram in order.
fn out_of_order(q: &Question<'_>) -> bool {
    let parts: Vec<Part> = q
        .frames
        .iter()
        .filter_map(|frame| frame.ip()?.part)
        .collect();
    let (Some(first), Some(last)) = (parts.first(), parts.last()) else {
        return false;
    };
    let joined = parts
        .windows(2)
        .all(|pair| pair[0].end == pair[1].start && pair[0].id == pair[1].id && pair[0].more);
    !(joined && first.start == 0 && !last.more)
}

/// An IPv4 header whose checksum is wrong.
fn wrong_header_checksum(q: &Question<'_>) -> bool {
    let wrong = |frame: &Frame<'_>| frame.ip().is_some_and(|ip| !ip.sum_right);
    !q.stricter && q.frames.iter().any(wrong)
}

/// DCCP between two addresses that have spoken DCCP over other ports before, which is one connection to
/// nf_conntrack of Linux 6.18.
fn dccp_of_other_ports(q: &Question<'_>) -> bool {
    q.stricter && q.another_of(33)
}

/// More extension headers than are followed.
fn many_extensions(q: &Question<'_>) -> bool {
    let many = |frame: &Frame<'_>| frame.ip().is_some_and(|ip| ip.extensions > 7);
    q.stricter && q.frames.iter().any(many)
}

/// A family that the port has no address of: what the VM sends, or an answer to what it sent while the
/// port could still send anything.
fn other_family(q: &Question<'_>) -> bool {
    let of_other = |plug: &Plug, frame: &Frame<'_>| {
        frame.is_ip() && !plug.has_family(frame.ethertype == 0x86dd)
    };
    let answered =
        |sent: &Sent| sent.from == q.end && q.here.iter().any(|here| here.flow.meets(&sent.flow));
    let answers = q
        .receiver
        .as_ref()
        .is_some_and(|plug| plug.filtered && q.frames.iter().any(|frame| of_other(plug, frame)));
    q.filtered_sends(of_other) || q.stricter && answers && q.earlier.iter().any(answered)
}

/// Neither IP nor ARP, from a MAC that is not the port's.
fn foreign_mac(q: &Question<'_>) -> bool {
    q.filtered_sends(|plug, frame| {
        !frame.is_ip() && frame.ethertype != 0x0806 && !plug.has_mac(frame.source)
    })
}

impl Question<'_> {
    /// Whether another connection of a protocol between the same addresses was there before.
    fn another_of(&self, protocol: u8) -> bool {
        let of_protocol = |sent: &&Sent| sent.flow.protocol() == protocol;
        self.here.iter().filter(of_protocol).any(|here| {
            let mut earlier = self.earlier.iter().filter(of_protocol);
            earlier.any(|sent| sent.flow.addresses() == here.flow.addresses())
        })
    }

    /// Whether a filtered VM sent a frame of that kind, and only this filter dropped it.
    fn filtered_sends(&self, kind: impl Fn(&Plug, &Frame<'_>) -> bool) -> bool {
        let Some(plug) = self.sender.as_ref().filter(|plug| plug.filtered) else {
            return false;
        };
        self.stricter && self.frames.iter().any(|frame| kind(plug, frame))
    }
}

#[cfg(test)]
mod tests;
