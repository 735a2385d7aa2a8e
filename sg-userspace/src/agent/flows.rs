//! The tracked connections, read from the flow tables.

use std::collections::BTreeMap;

use sg_common::{
    addr::to_ip,
    conntrack::tcp,
    flow::{Flow, FlowKey},
    packet::Opening,
    policy::protocol,
    settings::{Ticks, passed, seconds},
};

use super::{Agent, phrase};
use crate::{
    api::FlowView,
    error::Result,
    evaluate::evaluate,
    model::{Port, PortId, RuleId},
};

/// A live connection of a port of the inventory.
pub struct Tracked {
    /// The port.
    pub port: PortId,
    key: FlowKey,
    flow: Flow,
    now: Ticks,
}

impl Agent {
    /// Every tracked connection that has not expired.
    pub fn flows(&mut self) -> Result<Vec<FlowView>> {
        Ok(self.tracked()?.iter().map(Tracked::view).collect())
    }

    /// How many live connections each rule of a port holds: those whose first packet it is the
    /// first to permit.
    pub(super) fn held(&mut self, port: PortId) -> Result<BTreeMap<RuleId, u64>> {
        let tracked = self.tracked()?;
        let mut held = BTreeMap::new();
        if let Some(port) = self.desired.inventory.ports.get(&port) {
            for connection in tracked
                .iter()
                .filter(|connection| connection.port == port.id)
            {
                if let Some(rule) = self.holder(port, connection) {
                    *held.entry(rule).or_default() += 1;
                }
            }
        }
        Ok(held)
    }

    fn holder(&self, port: &Port, connection: &Tracked) -> Option<RuleId> {
        let word = connection.flow.word();
        let opening = Opening::of_flow(&connection.key, word.from_vm());
        let rule = evaluate(&self.desired.inventory, port, &opening);
        rule.filter(|_| !word.revoked()).map(|rule| rule.id)
    }

    fn tracked(&mut self) -> Result<Vec<Tracked>> {
        let now = self.datapath.now();
        let ports = self.tables.state(&*self.datapath)?.ports.values();
        let slots: BTreeMap<u32, PortId> = ports
            .map(|port| (port.slot, PortId(uuid::Uuid::from_bytes(port.uuid))))
            .collect();
        let flows = self.datapath.flows()?.into_iter();
        let live = flows.filter(|(_, flow)| !passed(flow.expires, now));
        let tracked = live.filter_map(|(key, flow)| {
            Some(Tracked {
                port: *slots.get(&key.slot)?,
                key,
                flow,
                now,
            })
        });
        Ok(tracked.collect())
    }
}

impl Tracked {
    fn view(&self) -> FlowView {
        let Self { key, flow, .. } = self;
        let word = flow.word();
        let opening = Opening::of_flow(key, word.from_vm());
        let address = |address| to_ip(address, key.family());
        FlowView {
            port: self.port.to_string(),
            protocol: phrase::protocol_name(key.protocol),
            local: address(&key.local),
            local_port: key.local_port,
            remote: address(&key.remote),
            // An ICMP query has a code here, which nobody takes for a port.
            remote_port: if key.icmp_request == 0 {
                key.remote_port
            } else {
                0
            },
            direction: opening.hook.direction().into(),
            state: state(key.protocol, flow).into(),
            assured: word.assured(),
            revoked: word.revoked(),
            expires: seconds(flow.expires.wrapping_sub(self.now)),
        }
    }
}

/// The state as `conntrack -L` says it.
pub fn state(transport: u8, flow: &Flow) -> &'static str {
    match transport {
        protocol::TCP => tcp::State::from_number(flow.word().state()).as_str(),
        _ if flow.word().seen_reply() => "",
        _ => "UNREPLIED",
    }
}
