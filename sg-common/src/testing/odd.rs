//! Tables that are full, or give the memory of an entry to another connection.

use crate::hook::Direction;
use crate::layout::account::Account;
use crate::layout::events::{Action, Event};
use crate::layout::flow::{Flow, FlowKey};
use crate::layout::fragment::{FragmentKey, FragmentValue};
use crate::layout::hit::HitKey;
use crate::layout::policy::{Grant, GrantKey, Member, MemberKey, Policy, PrefixKey};
use crate::layout::port::{AddressKey, Port, PortKey};
use crate::layout::settings::{Settings, Ticks};
use crate::memory::Memory;
use crate::reason::{Condition, Verdict};
use crate::tables::Tables;

/// Reads like the tables within, but for what is wrong with it.
pub(crate) struct Odd<'a> {
    memory: &'a Memory,
    is_full: bool,
    lent: Option<FlowKey>,
}

impl<'a> Odd<'a> {
    /// Stores nothing new: connections, promotions, fragments.
    pub(crate) fn full(memory: &'a Memory) -> Self {
        let (is_full, lent) = (true, None);
        Self {
            memory,
            is_full,
            lent,
        }
    }

    /// Whatever is found among the connections that are not assured has become this one before it is loaded.
    pub(crate) fn lending(memory: &'a Memory, to: FlowKey) -> Self {
        let (is_full, lent) = (false, Some(to));
        Self {
            memory,
            is_full,
            lent,
        }
    }
}

impl Tables for Odd<'_> {
    type Entry = <Memory as Tables>::Entry;

    fn create(&self, key: &FlowKey, flow: &Flow) -> bool {
        !self.is_full && self.memory.create(key, flow)
    }

    fn promote(&self, key: &FlowKey, flow: &Flow) -> Result<(), Condition> {
        match self.is_full {
            true => Err(Condition::FlowNotPromoted),
            false => self.memory.promote(key, flow),
        }
    }

    fn remember_fragment(&self, key: &FragmentKey, value: &FragmentValue) -> bool {
        !self.is_full && self.memory.remember_fragment(key, value)
    }

    fn is_still(&self, key: &FlowKey, flow: &Flow) -> bool {
        self.memory.is_still(key, flow)
    }

    fn assured(&self, key: &FlowKey) -> Option<Self::Entry> {
        self.memory.assured(key)
    }

    fn embryo(&self, key: &FlowKey) -> Option<Self::Entry> {
        let found = self.memory.embryo(key)?;
        match self.lent {
            Some(other) => self.memory.embryo(&other),
            None => Some(found),
        }
    }

    fn now(&self) -> Ticks {
        self.memory.now()
    }

    fn random(&self) -> u32 {
        self.memory.random()
    }

    fn settings(&self) -> Option<&Settings> {
        self.memory.settings()
    }

    fn port(&self, key: &mut PortKey) -> Option<&Port> {
        self.memory.port(key)
    }

    fn port_of(&self, slot: u32) -> Option<&Port> {
        self.memory.port_of(slot)
    }

    fn port_again(&self, key: &PortKey, slot: u32) -> Option<&Port> {
        self.memory.port_again(key, slot)
    }

    fn address(&self, key: &AddressKey) -> Option<u32> {
        self.memory.address(key)
    }

    fn policy(&self, id: &u64) -> Option<&Policy> {
        self.memory.policy(id)
    }

    fn member(&self, key: &MemberKey) -> Option<&Member> {
        self.memory.member(key)
    }

    fn prefix(&self, key: &PrefixKey) -> Option<u64> {
        self.memory.prefix(key)
    }

    fn grant(&self, key: &GrantKey) -> Option<&Grant> {
        self.memory.grant(key)
    }

    fn port_word(&self, id: &u64, port: u16) -> u64 {
        self.memory.port_word(id, port)
    }

    fn in_port_pairs(&self, id: &u64, protocol: u8, source: u16, destination: u16) -> bool {
        self.memory.in_port_pairs(id, protocol, source, destination)
    }

    fn fragment(&self, key: &FragmentKey) -> Option<FragmentValue> {
        self.memory.fragment(key)
    }

    fn floods(&self, slot: u32, now: Ticks) -> bool {
        self.memory.floods(slot, now)
    }

    fn count(&self, slot: u32, direction: Direction, verdict: &Verdict, bytes: u32) {
        self.memory.count(slot, direction, verdict, bytes);
    }

    fn condition(&self, slot: u32, direction: Direction, condition: Condition) {
        self.memory.condition(slot, direction, condition);
    }

    fn tell(&self, slot: u32, action: Action, fill: impl FnOnce(&mut Event, u64)) {
        self.memory.tell(slot, action, fill);
    }

    fn hit(&self, hit: &HitKey, direction: Direction) {
        self.memory.hit(hit, direction);
    }

    fn account(&self, key: &FlowKey, direction: Direction, bytes: u32, opens: bool) {
        self.memory.account(key, direction, bytes, opens);
    }

    fn account_of(&self, key: &FlowKey) -> Option<Account> {
        self.memory.account_of(key)
    }
}
