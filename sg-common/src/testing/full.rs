//! Tables that are full.

use crate::hook::Direction;
use crate::layout::events::{Action, Event};
use crate::layout::flow::{Flow, FlowKey};
use crate::layout::fragment::{FragmentKey, FragmentValue};
use crate::layout::policy::{Grant, GrantKey, Member, MemberKey, Policy, PrefixKey};
use crate::layout::port::{AddressKey, Port, PortKey};
use crate::layout::settings::{Settings, Ticks};
use crate::memory::Memory;
use crate::reason::{Condition, Verdict};
use crate::tables::Tables;

/// Reads like the tables within, but stores nothing new: connections, promotions, fragments.
pub(crate) struct Full<'a>(pub(crate) &'a Memory);

impl Tables for Full<'_> {
    type Entry = <Memory as Tables>::Entry;

    fn create(&self, _: &FlowKey, _: &Flow) -> bool {
        false
    }

    fn promote(&self, _: &FlowKey, _: &Flow) -> Result<(), Condition> {
        Err(Condition::FlowNotPromoted)
    }

    fn remember_fragment(&self, _: &FragmentKey, _: &FragmentValue) -> bool {
        false
    }

    fn assured(&self, key: &FlowKey) -> Option<Self::Entry> {
        self.0.assured(key)
    }

    fn embryo(&self, key: &FlowKey) -> Option<Self::Entry> {
        self.0.embryo(key)
    }

    fn now(&self) -> Ticks {
        self.0.now()
    }

    fn random(&self) -> u32 {
        self.0.random()
    }

    fn settings(&self) -> Option<&Settings> {
        self.0.settings()
    }

    fn port(&self, key: &mut PortKey) -> Option<&Port> {
        self.0.port(key)
    }

    fn port_again(&self, key: &PortKey, slot: u32) -> Option<&Port> {
        self.0.port_again(key, slot)
    }

    fn address(&self, key: &AddressKey) -> Option<u32> {
        self.0.address(key)
    }

    fn policy(&self, id: &u64) -> Option<&Policy> {
        self.0.policy(id)
    }

    fn member(&self, key: &MemberKey) -> Option<&Member> {
        self.0.member(key)
    }

    fn prefix(&self, key: &PrefixKey) -> Option<u64> {
        self.0.prefix(key)
    }

    fn grant(&self, key: &GrantKey) -> Option<&Grant> {
        self.0.grant(key)
    }

    fn in_port_set(&self, id: &u64, port: u16) -> bool {
        self.0.in_port_set(id, port)
    }

    fn in_port_pairs(&self, id: &u64, protocol: u8, source: u16, destination: u16) -> bool {
        self.0.in_port_pairs(id, protocol, source, destination)
    }

    fn fragment(&self, key: &FragmentKey) -> Option<FragmentValue> {
        self.0.fragment(key)
    }

    fn floods(&self, slot: u32, now: Ticks) -> bool {
        self.0.floods(slot, now)
    }

    fn count(&self, slot: u32, direction: Direction, verdict: &Verdict, bytes: u32) {
        self.0.count(slot, direction, verdict, bytes);
    }

    fn condition(&self, slot: u32, direction: Direction, condition: Condition) {
        self.0.condition(slot, direction, condition);
    }

    fn tell(&self, slot: u32, action: Action, fill: impl FnOnce(&mut Event, u64)) {
        self.0.tell(slot, action, fill);
    }
}
