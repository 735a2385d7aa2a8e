//! The short lane: what nearly every packet is, judged in one go.
//!
//! It takes whole IPv4 packets without options and IPv6 packets without extension headers, of assured
//! connections that have been answered, have not expired and were judged since the port last changed:
//!
//! - TCP segments that open nothing and fit; their options are none, or need not be read, or are the
//!   timestamp as all stacks align it. At XDP, where the stack is short, only those that acknowledge of
//!   established connections;
//! - UDP datagrams.
//!
//! From the VM, only from its own MAC and of a connection that vouches for its source. Everything else it
//! leaves as it was to the stages behind it, which would say the same of what it takes, and remember the
//! same: they follow the connection by the same functions.

use crate::conntrack::{Terms, tcp, udp};
use crate::hook::Hook;
use crate::layout::flow::{Flow, FlowKey, Side, Whose};
use crate::layout::port::flags;
use crate::layout::settings::{Ticks, switch};
use crate::layout::shared::put_both;
use crate::scratch::Scratch;
use crate::stage::Context;
use crate::stage::connection::{refresh, vouches};
use crate::tables::{FlowEntry, Note, Tables};
use crate::wire::addr::{Address, Family, from_v4};
use crate::wire::ethernet::{self, ethertype};
use crate::wire::frame::Frame;
use crate::wire::transport::{Tcp, Udp};
use crate::wire::{ipv4, ipv6, protocol};

/// What the lane did with a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Lane {
    /// It belongs to its connection, which was followed.
    Taken = 0,
    /// Nothing.
    Left = 1,
    /// Nothing but to see that its connection is not among the assured ones.
    Absent = 2,
}

/// A packet as the lane sees it: where its payload is, and whose it is.
struct Packet {
    family: Family,
    protocol: u8,
    source: Address,
    destination: Address,
    payload: u32,
    payload_length: u32,
}

/// Takes a frame, or leaves it.
#[inline(always)]
pub fn take<F, T>(tables: &T, context: &Context<'_>, frame: &F, scratch: &mut Scratch) -> Lane
where
    F: Frame + ?Sized,
    T: Tables,
{
    if context.has(flags::STATELESS) || context.ethernet.payload != IP {
        return Lane::Left;
    }
    match context.ethernet.ethertype {
        ethertype::IPV4 => take4(tables, context, frame, scratch),
        ethertype::IPV6 => take6(tables, context, frame, scratch),
        _ => Lane::Left,
    }
}

/// A subprogram of its own in the kernel, for its stack, like [`take6`]: all that follows is compiled for
/// each family, whose offsets are then constants.
#[inline(always)]
fn take4<F: Frame + ?Sized, T: Tables>(
    tables: &T,
    context: &Context<'_>,
    frame: &F,
    scratch: &mut Scratch,
) -> Lane {
    match v4(frame) {
        Some(packet) => of_packet(tables, context, frame, scratch, &packet),
        None => Lane::Left,
    }
}

#[inline(always)]
fn take6<F: Frame + ?Sized, T: Tables>(
    tables: &T,
    context: &Context<'_>,
    frame: &F,
    scratch: &mut Scratch,
) -> Lane {
    match v6(frame) {
        Some(packet) => of_packet(tables, context, frame, scratch, &packet),
        None => Lane::Left,
    }
}

/// Where the IP header is: no tag stands in the frame.
const IP: u32 = size_of::<ethernet::Header>() as u32;

#[inline(always)]
fn v4<F: Frame + ?Sized>(frame: &F) -> Option<Packet> {
    const WITHOUT_OPTIONS: u8 = 0x45;
    const HEADER: u32 = size_of::<ipv4::Header>() as u32;
    let header: ipv4::Header = frame.read(IP)?;
    let length = u16::from_be_bytes(header.total_length) as u32;
    let whole = header.version_length == WITHOUT_OPTIONS
        && u16::from_be_bytes(header.fragment) & ipv4::FRAGMENT == 0
        && length >= HEADER
        && length <= frame.len().saturating_sub(IP);
    whole.then_some(Packet {
        family: Family::V4,
        protocol: header.protocol,
        source: from_v4(header.source),
        destination: from_v4(header.destination),
        payload: IP + HEADER,
        payload_length: length.wrapping_sub(HEADER),
    })
}

#[inline(always)]
fn v6<F: Frame + ?Sized>(frame: &F) -> Option<Packet> {
    const HEADER: u32 = size_of::<ipv6::Header>() as u32;
    let header: ipv6::Header = frame.read(IP)?;
    let length = u16::from_be_bytes(header.payload_length) as u32;
    let whole = header.version_class_label[0] >> 4 == 6
        && length <= frame.len().saturating_sub(IP + HEADER);
    whole.then_some(Packet {
        family: Family::V6,
        protocol: header.next_header,
        source: Address::new(header.source),
        destination: Address::new(header.destination),
        payload: IP + HEADER,
        payload_length: length,
    })
}

#[inline(always)]
fn of_packet<F, T>(
    tables: &T,
    context: &Context<'_>,
    frame: &F,
    scratch: &mut Scratch,
    packet: &Packet,
) -> Lane
where
    F: Frame + ?Sized,
    T: Tables,
{
    match packet.protocol {
        protocol::TCP => of_tcp(tables, context, frame, scratch, packet),
        protocol::UDP => of_udp(tables, context, frame, scratch, packet),
        _ => Lane::Left,
    }
}

#[inline(always)]
fn of_tcp<F, T>(
    tables: &T,
    context: &Context<'_>,
    frame: &F,
    scratch: &mut Scratch,
    packet: &Packet,
) -> Lane
where
    F: Frame + ?Sized,
    T: Tables,
{
    let Some(header) = frame.read::<Tcp>(packet.payload) else {
        return Lane::Left;
    };
    let Some(segment) = tcp::Segment::later(&header, packet.payload_length) else {
        return Lane::Left;
    };
    let ports = [header.ports.source, header.ports.destination];
    let key = key(context, packet, ports);
    let entry = match stored(tables, context, &key, scratch) {
        Ok(entry) => entry,
        Err(lane) => return lane,
    };
    let Scratch {
        before, flow, room, ..
    } = scratch;
    let side = flow.side(context.hook);
    if flow.word().sack_permitted(side.other())
        && segment.has_options()
        && !tcp::has_only_timestamp(frame, packet.payload, &segment)
    {
        return Lane::Left;
    }
    // Compiled for each side, whose elements of arrays are then at constant places.
    let next = match (
        tcp::is_established(before) && segment.only_acknowledges(),
        side,
    ) {
        (true, Side::Original) => {
            tcp::acknowledged(flow, Side::Original, &segment, context.settings)
        }
        (true, Side::Reply) => tcp::acknowledged(flow, Side::Reply, &segment, context.settings),
        (false, _) if !F::LEAVES_STACK => return Lane::Left,
        (false, _) => {
            let terms = Terms {
                settings: context.settings,
                now: context.now,
            };
            let place = (packet.payload, packet.payload_length);
            tcp::followed(flow, &mut room.tcp, side, frame, place, &terms)
        }
    };
    match next {
        Some(lifetime) => {
            account(tables, context, frame, &key);
            follow(tables, context, &entry, before, flow, lifetime)
        }
        None => Lane::Left,
    }
}

#[inline(always)]
fn of_udp<F, T>(
    tables: &T,
    context: &Context<'_>,
    frame: &F,
    scratch: &mut Scratch,
    packet: &Packet,
) -> Lane
where
    F: Frame + ?Sized,
    T: Tables,
{
    let Some(header) = frame.read::<Udp>(packet.payload) else {
        return Lane::Left;
    };
    let server = match packet.family {
        Family::V4 => 67,
        Family::V6 => 547,
    };
    let source = u16::from_be_bytes(header.ports.source);
    if !udp::has_sound_length(&header, packet.payload_length, false)
        || context.is_from_vm() && source == server
    {
        return Lane::Left;
    }
    let ports = [header.ports.source, header.ports.destination];
    let key = key(context, packet, ports);
    let entry = match stored(tables, context, &key, scratch) {
        Ok(entry) => entry,
        Err(lane) => return lane,
    };
    account(tables, context, frame, &key);
    let Scratch { before, flow, .. } = scratch;
    let lifetime = context.settings.udp_stream;
    follow(tables, context, &entry, before, flow, lifetime)
}

/// The connection of a packet, in `before` and `flow`, if nothing has to be asked about it.
#[inline(always)]
fn stored<T: Tables>(
    tables: &T,
    context: &Context<'_>,
    key: &FlowKey,
    scratch: &mut Scratch,
) -> Result<T::Entry, Lane> {
    let entry = tables.assured(key).ok_or(Lane::Absent)?;
    let Scratch { before, flow, .. } = scratch;
    put_both([before, flow], entry.load());
    match is_current(context, before) {
        true => Ok(entry),
        false => Err(Lane::Left),
    }
}

#[inline(always)]
fn key(context: &Context<'_>, packet: &Packet, ports: [[u8; 2]; 2]) -> FlowKey {
    let [source, destination] = ports.map(u16::from_be_bytes);
    let (addresses, ports) = match context.hook {
        Hook::FromVm => ([packet.source, packet.destination], [source, destination]),
        Hook::ToVm => ([packet.destination, packet.source], [destination, source]),
    };
    let whose = Whose::new(context.slot, packet.protocol, packet.family, false);
    FlowKey::new(whose, addresses, ports)
}

/// Counts a packet by its connection, if somebody asked for that.
#[inline(always)]
fn account<F, T>(tables: &T, context: &Context<'_>, frame: &F, key: &FlowKey)
where
    F: Frame + ?Sized,
    T: Tables,
{
    if context.settings.has(switch::ACCOUNTS) {
        tables.account(key, context.hook.direction(), frame.len(), false);
    }
}

/// Whether nothing has to be asked about a connection: it lives, has been answered, and was judged since
/// the port last changed; and what the VM sends on it needs no look-up of its source.
#[inline(always)]
fn is_current(context: &Context<'_>, flow: &Flow) -> bool {
    let word = flow.word();
    flow.lives(context.now)
        && flow.generation == context.generation
        && word.seen_reply()
        && !word.revoked()
        && (!context.is_from_vm() || vouches(context, flow))
}

#[inline(always)]
fn follow<T: Tables>(
    tables: &T,
    context: &Context<'_>,
    entry: &T::Entry,
    before: &Flow,
    flow: &mut Flow,
    lifetime: Ticks,
) -> Lane {
    tables.note(Note::Flow(*before));
    refresh(flow, lifetime, context.now);
    entry.store(before, flow);
    Lane::Taken
}
