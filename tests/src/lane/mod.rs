//! Random entries of connections, and random packets at the edges of what they allow: for the short lane
//! beside the stages that it stands for.

mod dice;

use std::net::IpAddr;

use sg_common::hook::Hook;
use sg_common::layout::flow::{Flow, FlowKey, Side, Whose};
use sg_common::layout::settings::{Settings, Ticks, switch};
use sg_common::wire::addr::{Address, Family, from_ip};
use sg_common::wire::protocol;
use sg_userspace::model::{self, PortId};

pub use self::dice::Dice;
use crate::inventory::{self, Group, Port, group, port, port_id};
use crate::packet::{Packet, TcpFlags, tcp, udp};

/// The VM's address and the peer's, by family.
const ENDS: [(Family, &str, &str); 2] = [
    (Family::V4, "10.0.0.5", "192.0.2.1"),
    (Family::V6, "2001:db8::5", "2001:db8:1::1"),
];

const VM_PORT: u16 = 80;
const PEER_PORT: u16 = 40_000;
const STRANGER: &str = "02:00:00:00:00:66";

/// An entry that may be stored, and a packet.
#[derive(Debug)]
pub struct Case {
    /// The key of the connection.
    pub key: FlowKey,
    /// The entry, among the assured ones; none for a packet of no connection.
    pub flow: Option<Flow>,
    /// Where the packet is met.
    pub hook: Hook,
    /// The packet.
    pub frame: Vec<u8>,
}

/// The port that all cases are about, behind the interface. It may send anything, and take TCP to port 80 by
/// IPv4 and UDP by IPv6.
#[must_use]
pub fn inventory() -> (model::Inventory, PortId) {
    of(web().default_egress())
}

/// As [`inventory`], but it may open nothing.
#[must_use]
pub fn silent_inventory() -> (model::Inventory, PortId) {
    of(web())
}

fn of(group: Group) -> (model::Inventory, PortId) {
    let inventory = inventory::Inventory::new().port(server()).group(group);
    let parsed = model::parse(inventory.json().to_string().as_bytes());
    let parsed = parsed.unwrap_or_else(|e| panic!("no inventory: {e}"));
    (parsed.inventory, PortId(port_id("WEB1")))
}

fn web() -> Group {
    group("WEB")
        .rule("ingress IPv4 tcp 80 from 0.0.0.0/0")
        .rule("ingress IPv6 udp 80 from ::/0")
}

fn server() -> Port {
    port("WEB1")
        .ip("10.0.0.5")
        .ip("2001:db8::5")
        .groups(&["WEB"])
}

/// The settings that the lane and the stages read, thrown.
#[must_use]
pub fn settings(dice: &mut Dice) -> Settings {
    let mut settings = Settings::DEFAULT;
    for bit in [switch::TCP_STRICT, switch::TCP_LOOSE, switch::DROP_INVALID] {
        settings.switch(bit, dice.one_in(2));
    }
    settings
}

impl Case {
    /// A case at a moment, of the port in a slot with a generation.
    pub fn throw(dice: &mut Dice, slot: u32, generation: u32, now: Ticks) -> Self {
        let (family, vm, peer) = ENDS[usize::from(dice.one_in(3))];
        let hook = match dice.one_in(2) {
            true => Hook::FromVm,
            false => Hook::ToVm,
        };
        let vm_port = match dice.one_in(20) {
            true => [67, 547, 68][dice.below(3) as usize],
            false => VM_PORT,
        };
        let is_tcp = !dice.one_in(3);
        let flow = dice.flow(generation, now, is_tcp);
        let number = if is_tcp { protocol::TCP } else { protocol::UDP };
        let whose = Whose::new(slot, number, family, false);
        Self {
            key: FlowKey::new(whose, [vm, peer].map(address), [vm_port, PEER_PORT]),
            flow: (!dice.one_in(12)).then_some(flow),
            hook,
            frame: frame(
                dice,
                hook,
                [(vm, vm_port), (peer, PEER_PORT)],
                &flow,
                is_tcp,
            ),
        }
    }

    /// The entry, as if it had been thrown at this moment instead of at 0.
    #[must_use]
    pub fn at(&self, now: Ticks) -> Option<Flow> {
        self.flow.map(|mut flow| {
            flow.expires = flow.expires.wrapping_add(now);
            if self.key.protocol() == protocol::UDP {
                flow.end[0] = flow.end[0].wrapping_add(now);
            }
            flow
        })
    }
}

fn address(text: &str) -> Address {
    let ip: IpAddr = text.parse().unwrap_or_else(|e| panic!("{text}: {e}"));
    from_ip(&ip)
}

/// A frame of the connection, nearly always; a few are damaged or cut.
fn frame(
    dice: &mut Dice,
    hook: Hook,
    ends: [(&str, u16); 2],
    flow: &Flow,
    is_tcp: bool,
) -> Vec<u8> {
    let [vm, peer] = ends.map(|(ip, port)| match ip.contains(':') {
        true => format!("[{ip}]:{port}"),
        false => format!("{ip}:{port}"),
    });
    let own = server().mac_address();
    let (from, to) = match hook {
        Hook::FromVm => (&vm, &peer),
        Hook::ToVm => (&peer, &vm),
    };
    let mut packet = match is_tcp {
        true => segment(dice, tcp(from, to), flow, flow.side(hook)),
        false => udp(from, to).payload(&vec![0; dice.below(20) as usize]),
    };
    packet = match hook == Hook::FromVm && !dice.one_in(10) {
        true => packet.from_mac(own),
        false => packet.from_mac(STRANGER),
    };
    if dice.one_in(12) {
        packet = packet.vlan(0);
    }
    let mut frame = packet.bytes();
    if dice.one_in(5) {
        let at = dice.below(frame.len().min(90) as u32) as usize;
        frame[at] ^= 1 << dice.below(8);
    }
    if dice.one_in(20) {
        let shortest = SHORTEST[usize::from(ends[0].0.contains(':'))];
        frame.truncate(shortest + dice.below((frame.len() - shortest) as u32) as usize);
    }
    frame
}

/// Ethernet, a tag and an IP header: the kernel runs its programs on nothing shorter.
const SHORTEST: [usize; 2] = [14 + 4 + 20, 14 + 4 + 40];

fn segment(dice: &mut Dice, packet: Packet, flow: &Flow, side: Side) -> Packet {
    const RARE: [TcpFlags; 7] = [
        TcpFlags::SYN,
        TcpFlags(TcpFlags::SYN.0 | TcpFlags::ACK.0),
        TcpFlags(TcpFlags::FIN.0 | TcpFlags::ACK.0),
        TcpFlags::RST,
        TcpFlags(TcpFlags::RST.0 | TcpFlags::ACK.0),
        TcpFlags(0),
        TcpFlags::FIN,
    ];
    let flags = match dice.below(12) {
        0 => RARE[dice.below(7) as usize],
        1 => TcpFlags::ACK | TcpFlags::URG,
        2..6 => TcpFlags::ACK | TcpFlags::PSH,
        _ => TcpFlags::ACK,
    };
    let (sender, receiver) = (side as usize, side.other() as usize);
    let (sequence, acknowledgement, window) = match dice.one_in(4) {
        // The last one once more.
        true => (flow.last_sequence, flow.last_ack, flow.last_window),
        false => {
            let from = match dice.below(3) {
                0 => flow.max_end[sender],
                1 => flow.end[sender].wrapping_sub(flow.max_window[receiver]),
                _ => flow.end[sender],
            };
            let sequence = dice.edge(from);
            let acknowledgement = dice.edge(flow.end[receiver]);
            (sequence, acknowledgement, dice.window() as u16)
        }
    };
    let packet = packet
        .flags(flags)
        .sequence(sequence, acknowledgement)
        .window(window);
    let packet = match dice.below(8) {
        0 => packet.tcp_options(&[1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2]),
        1 => {
            let [a, b, c, d] = dice.edge(flow.end[receiver]).to_be_bytes();
            packet.tcp_options(&[1, 1, 5, 10, 0, 0, 0, 0, a, b, c, d])
        }
        2 => packet.tcp_options(&[8, 10, 0, 0, 0, 1, 0, 0, 0, 2, 1, 1]),
        _ => packet,
    };
    packet.payload(&vec![0; dice.below(30) as usize])
}
