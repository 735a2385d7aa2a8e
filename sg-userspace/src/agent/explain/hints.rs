//! What the verdict on a packet does not say by itself.

use std::net::IpAddr;

use sg_common::{
    hook::Hook,
    reason::DropReason,
    wire::{
        addr::{self, Family, is_link_local, to_ip},
        ethernet::{self, ethertype},
        frame::Frame as _,
    },
};

use super::{Frame, Walk};
use crate::{
    agent::{Agent, lookup::AnyPort, phrase},
    evaluate::evaluate_for_others,
    model::{GroupId, Mac, Port, Remote},
};

impl Agent {
    /// Sentences for the one who asked.
    pub(super) fn hints(&self, port: AnyPort<'_>, frame: &Frame, walk: &Walk) -> Vec<String> {
        let hint = port.read().and_then(|port| match walk.verdict {
            Err(
                DropReason::SpoofedAddress | DropReason::SpoofedArp | DropReason::LinkLocalSource,
            ) => other_mac(port, frame, walk),
            Err(DropReason::NoRule) => self.link_local(port, walk),
            _ => None,
        });
        hint.into_iter().collect()
    }

    /// A rule would permit the packet if its remote group held link-local addresses.
    fn link_local(&self, port: &Port, walk: &Walk) -> Option<String> {
        let opening = &walk.scratch.opening;
        let (family, peer) = (opening.family(), opening.key.remote);
        if !is_link_local(&peer) {
            return None;
        }
        let mut rules = evaluate_for_others(&self.desired.inventory, port, opening);
        let group = rules.find_map(|rule| match rule.remote {
            Remote::Group(group) => Some(group),
            _ => None,
        })?;
        let address = to_ip(&peer, family);
        let name = phrase::group(&self.desired.inventory, group);
        let whose = match self.member_with(group, address) {
            Some(member) => format!("{address} is the link-local address of {member}, but"),
            None => format!("{address} is link-local:"),
        };
        let end = match opening.hook {
            Hook::ToVm => "from",
            Hook::FromVm => "to",
        };
        Some(format!(
            "{whose} the remote group {name} holds only fixed addresses and allowed address pairs of its \
             members, as in Neutron; a rule that permits it {end} fe80::/10 does what is wanted"
        ))
    }

    /// The member of a group that makes this link-local address from one of its MACs.
    fn member_with(&self, group: GroupId, address: IpAddr) -> Option<String> {
        let mut members = self.desired.inventory.ports.values();
        let member = members.find(|port| {
            let pairs = port.pairs.iter().map(|pair| pair.mac);
            let mut macs = std::iter::once(port.mac).chain(pairs);
            port.groups.contains(&group)
                && macs.any(|mac| {
                    to_ip(&addr::link_local(&addr::Mac::new(mac.0)), Family::V6) == address
                })
        })?;
        Some(match member.name.as_str() {
            "" => format!("port {}", member.id),
            name => format!("port {name}"),
        })
    }
}

/// The address is the port's with another MAC.
fn other_mac(port: &Port, frame: &Frame, walk: &Walk) -> Option<String> {
    const SOURCE_MAC: u32 = 6;
    /// Of ARP, RFC 826.
    const SENDER: u32 = 14;
    let used = Mac(frame.read(SOURCE_MAC)?);
    let ethernet = ethernet::parse(frame).ok()?;
    let source = match ethernet.ethertype {
        ethertype::ARP => frame.read::<[u8; 4]>(ethernet.payload + SENDER)?.into(),
        _ => to_ip(&walk.scratch.ip.source, walk.scratch.ip.family),
    };
    let mut pairs = port.pairs.iter();
    let mac = pairs.find(|pair| pair.net.contains(&source))?.mac;
    (mac != used).then(|| format!("{source} is allowed with the source MAC {mac}: --src-mac {mac}"))
}
