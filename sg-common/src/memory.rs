//! The tables in ordinary memory: for host tests, for fuzzing, and for `sgctl explain`, which fills them
//! from the kernel's maps and runs the filter over them.

use std::boxed::Box;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::vec::Vec;

use bytemuck::Zeroable;

use crate::hook::Direction;
use crate::layout::account::Account;
use crate::layout::counter::{Counter, counter_index};
use crate::layout::events::{Action, Asked, Budget, Event};
use crate::layout::flow::{Flow, FlowKey, Word};
use crate::layout::fragment::{FragmentKey, FragmentValue};
use crate::layout::hit::{HitKey, Hits};
use crate::layout::maps::name;
use crate::layout::policy::{
    Grant, GrantKey, Member, MemberKey, Policy, PortPairs, PortSet, PrefixKey,
};
use crate::layout::port::{AddressKey, Port, PortKey};
use crate::layout::settings::{Settings, TICK_SHIFT, Ticks};
use crate::reason::{Condition, Verdict, condition_counter, verdict_counter};
use crate::tables::{FlowEntry, Note, Tables};
use crate::wire::addr::{Address, Family};

/// All tables, without limits.
#[derive(Clone, Debug)]
pub struct Memory {
    /// The settings.
    pub settings: Settings,
    /// Ports.
    pub ports: BTreeMap<PortKey, Port>,
    /// Allowed addresses, by prefix length (of the whole key data, in bits) and masked key.
    pub addresses: BTreeMap<(u32, AddressKey), u32>,
    /// Policies.
    pub policies: BTreeMap<u64, Policy>,
    /// Members.
    pub members: BTreeMap<MemberKey, Member>,
    /// Prefixes, by prefix length (of the whole key data, in bits) and masked key.
    pub prefixes: BTreeMap<(u32, PrefixKey), u64>,
    /// Grants.
    pub grants: BTreeMap<GrantKey, Grant>,
    /// Port sets.
    pub port_sets: BTreeMap<u64, Box<PortSet>>,
    /// Pairs of ports.
    pub port_pairs: BTreeMap<u64, Box<PortPairs>>,
    /// Assured connections of both families.
    pub flows: FlowMemory,
    /// All other connections.
    pub embryos: FlowMemory,
    /// Fragments.
    pub fragments: RefCell<BTreeMap<FragmentKey, FragmentValue>>,
    /// Counters by [`counter_index`].
    pub counters: RefCell<BTreeMap<u32, Counter>>,
    /// Whether every port floods.
    pub floods: Cell<bool>,
    /// What is to be told of ports, by slot.
    pub asked: BTreeMap<u32, Asked>,
    /// What was told and not, by slot.
    pub budgets: RefCell<BTreeMap<u32, Budget>>,
    /// What was told.
    pub events: RefCell<Vec<Event>>,
    /// What rows have permitted.
    pub hits: RefCell<BTreeMap<HitKey, Hits>>,
    /// The slots whose connections are counted.
    pub accounted: BTreeSet<u32>,
    /// Packets and bytes by connection.
    pub accounts: RefCell<BTreeMap<FlowKey, Account>>,
    /// For how many events there is room.
    pub events_room: Cell<usize>,
    /// The clock, which only the owner moves.
    pub clock: Cell<Ticks>,
    /// The hashes and tries that were looked into, by name; arrays are only indexed.
    pub looked_up: RefCell<Vec<&'static str>>,
    /// What the filter has noted.
    pub notes: RefCell<Vec<Note>>,
}

/// A flow table.
pub type FlowMemory = RefCell<BTreeMap<FlowKey, Rc<Cell<Flow>>>>;

impl Default for Memory {
    fn default() -> Self {
        Memory {
            settings: Settings::DEFAULT,
            ports: BTreeMap::new(),
            addresses: BTreeMap::new(),
            policies: BTreeMap::new(),
            members: BTreeMap::new(),
            prefixes: BTreeMap::new(),
            grants: BTreeMap::new(),
            port_sets: BTreeMap::new(),
            port_pairs: BTreeMap::new(),
            flows: FlowMemory::default(),
            embryos: FlowMemory::default(),
            fragments: RefCell::default(),
            counters: RefCell::default(),
            floods: Cell::new(false),
            asked: BTreeMap::new(),
            budgets: RefCell::default(),
            events: RefCell::default(),
            hits: RefCell::default(),
            accounted: BTreeSet::new(),
            accounts: RefCell::default(),
            events_room: Cell::new(usize::MAX),
            clock: Cell::new(1),
            looked_up: RefCell::default(),
            notes: RefCell::default(),
        }
    }
}

impl Memory {
    fn look_up(&self, map: &'static str) {
        self.looked_up.borrow_mut().push(map);
    }

    /// A counter of a port.
    pub fn counter(&self, slot: u32, direction: Direction, verdict: &Verdict) -> Counter {
        let index = counter_index(slot, direction, verdict_counter(verdict));
        self.counters
            .borrow()
            .get(&index)
            .copied()
            .unwrap_or(Counter {
                packets: 0,
                bytes: 0,
            })
    }

    fn add(&self, slot: u32, direction: Direction, counter: u32, bytes: u32) {
        let mut counters = self.counters.borrow_mut();
        let index = counter_index(slot, direction, counter);
        let counter = counters.entry(index).or_insert(Counter {
            packets: 0,
            bytes: 0,
        });
        counter.packets += 1;
        counter.bytes += u64::from(bytes);
    }
}

/// An address with only its first bits left.
pub fn mask(address: &Address, bits: u32) -> Address {
    let mask = u128::MAX.checked_shl(128 - bits.min(128)).unwrap_or(0);
    Address::new((u128::from_be_bytes(address.octets()) & mask).to_be_bytes())
}

/// Looks up the longest prefix of an address: `get` answers for an address of so many bits.
fn longest<V>(address: &Address, get: impl Fn(u32, Address) -> Option<V>) -> Option<V> {
    (0..=128)
        .rev()
        .find_map(|bits| get(bits, mask(address, bits)))
}

impl Tables for Memory {
    type Entry = Rc<Cell<Flow>>;

    fn assured(&self, key: &FlowKey) -> Option<Self::Entry> {
        self.look_up(match key.family() {
            Family::V4 => name::FLOWS4,
            Family::V6 => name::FLOWS6,
        });
        self.flows.borrow().get(key).cloned()
    }

    fn embryo(&self, key: &FlowKey) -> Option<Self::Entry> {
        self.look_up(match key.family() {
            Family::V4 => name::EMBRYOS4,
            Family::V6 => name::EMBRYOS6,
        });
        self.embryos.borrow().get(key).cloned()
    }

    fn create(&self, key: &FlowKey, flow: &Flow) -> bool {
        self.embryos
            .borrow_mut()
            .insert(*key, Rc::new(Cell::new(*flow)));
        true
    }

    fn promote(&self, key: &FlowKey, flow: &Flow) -> Result<(), Condition> {
        let mut flows = self.flows.borrow_mut();
        let of_port = flows
            .keys()
            .filter(|other| other.slot() == key.slot())
            .count();
        if !flows.contains_key(key) && of_port >= self.settings.assured_per_port as usize {
            return Err(Condition::FlowOverQuota);
        }
        self.embryos.borrow_mut().remove(key);
        flows.insert(*key, Rc::new(Cell::new(*flow)));
        Ok(())
    }

    fn now(&self) -> Ticks {
        self.clock.get()
    }

    fn is_still(&self, key: &FlowKey, flow: &Flow) -> bool {
        let nonce = flow.word().nonce();
        let has_it = |entry: Self::Entry| entry.load().word().nonce() == nonce;
        self.embryo(key).is_some_and(has_it) || self.assured(key).is_some_and(has_it)
    }

    fn random(&self) -> u32 {
        0x5eed
    }

    fn settings(&self) -> Option<&Settings> {
        Some(&self.settings)
    }

    fn port(&self, key: &mut PortKey) -> Option<&Port> {
        self.look_up(name::PORTS);
        self.ports.get(key)
    }

    fn port_of(&self, slot: u32) -> Option<&Port> {
        self.ports.values().find(|port| port.slot == slot)
    }

    fn port_again(&self, key: &PortKey, _: u32) -> Option<&Port> {
        self.ports.get(key)
    }

    fn address(&self, key: &AddressKey) -> Option<u32> {
        self.look_up(name::ADDRESSES);
        longest(&key.address, |bits, address| {
            let key = (
                crate::layout::port::ADDRESS_KEY_BITS + bits,
                AddressKey { address, ..*key },
            );
            self.addresses.get(&key).copied()
        })
    }

    fn policy(&self, id: &u64) -> Option<&Policy> {
        self.look_up(name::POLICIES);
        self.policies.get(id)
    }

    fn member(&self, key: &MemberKey) -> Option<&Member> {
        self.look_up(name::MEMBERS);
        self.members.get(key)
    }

    fn prefix(&self, key: &PrefixKey) -> Option<u64> {
        self.look_up(name::PREFIXES);
        longest(&key.address, |bits, address| {
            let key = (
                crate::layout::policy::PREFIX_KEY_BITS + bits,
                PrefixKey { address, ..*key },
            );
            self.prefixes.get(&key).copied()
        })
    }

    fn grant(&self, key: &GrantKey) -> Option<&Grant> {
        self.look_up(name::GRANTS);
        self.grants.get(key)
    }

    fn port_word(&self, id: &u64, port: u16) -> u64 {
        self.look_up(name::PORT_SETS);
        self.port_sets.get(id).map_or(0, |set| set.word(port))
    }

    fn in_port_pairs(&self, id: &u64, protocol: u8, source: u16, destination: u16) -> bool {
        self.look_up(name::PORT_PAIRS);
        let pairs = self.port_pairs.get(id);
        pairs.is_some_and(|pairs| pairs.contains(protocol, source, destination))
    }

    fn fragment(&self, key: &FragmentKey) -> Option<FragmentValue> {
        self.look_up(name::FRAGMENTS);
        self.fragments.borrow().get(key).copied()
    }

    fn remember_fragment(&self, key: &FragmentKey, value: &FragmentValue) -> bool {
        self.fragments.borrow_mut().insert(*key, *value);
        true
    }

    fn floods(&self, _: u32, _: Ticks) -> bool {
        self.floods.get()
    }

    fn count(&self, slot: u32, direction: Direction, verdict: &Verdict, bytes: u32) {
        self.add(slot, direction, verdict_counter(verdict), bytes);
    }

    fn condition(&self, slot: u32, direction: Direction, condition: Condition) {
        self.add(slot, direction, condition_counter(condition), 0);
    }

    fn tell(&self, slot: u32, action: Action, fill: impl FnOnce(&mut Event, u64)) {
        let asked = self.asked.get(&slot).filter(|asked| asked.wants(action));
        let Some(asked) = asked else { return };
        let now = u64::from(self.clock.get()) << TICK_SHIFT;
        let (mut budgets, mut events) = (self.budgets.borrow_mut(), self.events.borrow_mut());
        let budget = budgets.entry(slot).or_insert(Budget::zeroed());
        let spent = asked.spend(action, budget.due[action as usize], now);
        if let Some(due) = spent {
            budget.due[action as usize] = due;
        }
        if spent.is_none() || events.len() >= self.events_room.get() {
            budget.lost[action as usize] += 1;
            return;
        }
        let mut event = Event::zeroed();
        fill(&mut event, now);
        events.push(event);
    }

    fn hit(&self, hit: &HitKey, _: Direction) {
        let last = u64::from(self.clock.get()) << TICK_SHIFT;
        let mut hits = self.hits.borrow_mut();
        let hits = hits.entry(*hit).or_insert(Hits { count: 0, last });
        (hits.count, hits.last) = (hits.count + 1, last);
    }

    fn account(&self, key: &FlowKey, direction: Direction, bytes: u32, opens: bool) {
        if !self.accounted.contains(&key.slot()) {
            return;
        }
        let mut accounts = self.accounts.borrow_mut();
        let account = accounts.entry(*key).or_insert(Account::zeroed());
        if opens {
            account.former_packets = account.packets;
            account.former_bytes = account.bytes;
        }
        account.packets[direction as usize] += 1;
        account.bytes[direction as usize] += u64::from(bytes);
    }

    fn account_of(&self, key: &FlowKey) -> Option<Account> {
        self.accounts.borrow().get(key).copied()
    }

    fn note(&self, note: Note) {
        self.notes.borrow_mut().push(note);
    }
}

impl FlowEntry for Rc<Cell<Flow>> {
    fn load(&self) -> Flow {
        self.get()
    }

    fn store(&self, before: &Flow, flow: &Flow) -> bool {
        let current = self.get().word == before.word;
        if current {
            self.set(*flow);
        }
        current
    }

    fn end(&self, before: u64) {
        let flow = self.get();
        if flow.word == before {
            self.set(Flow {
                word: Word::ENDED.0,
                ..flow
            });
        }
    }
}
