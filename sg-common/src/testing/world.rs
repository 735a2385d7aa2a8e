//! A port, its policies, and the filter over them.

use std::boxed::Box;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::vec::Vec;

use super::packet::{PEER_MAC, Packet};
use crate::filter::filter;
use crate::guard::guard;
use crate::hook::{Direction, Hook};
use crate::layout::counter::{Counter, counter_index};
use crate::layout::flow::Flow;
use crate::layout::policy::{
    Grant, GrantKey, Member, MemberKey, PREFIX_KEY_BITS, Permits, Policy, PortGrant, PrefixKey,
    ask, port_protocol,
};
use crate::layout::port::{
    ADDRESS_KEY_BITS, ANY_FAMILY, ANY_MAC, AddressKey, OWN, Port, PortKey, flags, kind,
    policy_index,
};
use crate::layout::settings::ticks;
use crate::memory::{FlowMemory, Memory, mask};
use crate::reason::{COUNTERS, DropReason, Verdict, verdict_counter};
use crate::scratch::Run;
use crate::wire::addr::{
    Address, Family, Mac, NO_MAC, V4_PREFIX_BITS, V6_UNSPECIFIED, from_ip, link_local, to_ip,
};

pub(crate) const VM_MAC: Mac = Mac::new([0xfa, 0x16, 0x3e, 0, 0, 5]);
pub(crate) const VM: &str = "10.0.0.5";
pub(crate) const VM6: &str = "2001:db8::5";
const KEY: PortKey = PortKey::new(7, 0);
const SLOT: u32 = 1;

/// A port on interface 7 with one address of each family, and no rules.
pub(crate) struct World {
    pub(crate) memory: Memory,
    run: Box<Run>,
}

/// What a rule permits.
#[derive(Clone, Copy)]
pub(crate) enum Service {
    Everything,
    Protocol(u8),
    /// Ports, or `type << 8 | code`, from first to last.
    Ports(u8, u16, u16),
}

impl World {
    pub(crate) fn new() -> World {
        let mut world = World::bare();
        for address in [VM, VM6] {
            world.may_send(VM_MAC, address, 128, kind::FIXED);
        }
        let own = to_ip(&link_local(&VM_MAC), Family::V6).to_string();
        world.may_send(VM_MAC, &own, 128, kind::LINK_LOCAL);
        world.port().flags |= flags::FIXED_V6;
        world
    }

    /// Without any address.
    pub(crate) fn bare() -> World {
        let mut memory = Memory::default();
        memory.clock.set(1000);
        let mut policies = [0; 4];
        for direction in Direction::ALL {
            for family in Family::ALL {
                let index = policy_index(direction, family);
                let id = 100 + index as u64;
                policies[index] = id;
                memory.policies.insert(
                    id,
                    Policy {
                        id,
                        sources: 10 + family as u64,
                        cidrs: id,
                        ask: ask::MEMBERS | ask::SOURCE_PREFIXES | ask::CIDRS,
                        anyone: Permits::NOTHING,
                    },
                );
            }
        }
        let port = Port {
            key: KEY,
            slot: SLOT,
            generation: 1,
            mac: VM_MAC,
            flags: 0,
            policies,
            uuid: [0; 16],
            own: [[V6_UNSPECIFIED; OWN]; 2],
            own_kinds: [[0; OWN]; 2],
            reserved: 0,
        };
        memory.ports.insert(KEY, port);
        World {
            memory,
            run: Box::new(Run::EMPTY),
        }
    }

    pub(crate) fn port(&mut self) -> &mut Port {
        self.memory.ports.get_mut(&KEY).unwrap()
    }

    /// A pair of the port. `bits`: of the mapped form.
    pub(crate) fn may_send(&mut self, mac: Mac, address: &str, bits: u32, kind: u32) {
        self.slot_may_send(SLOT, mac, address, bits, kind);
    }

    /// A pair of another port.
    pub(crate) fn slot_may_send(
        &mut self,
        slot: u32,
        mac: Mac,
        address: &str,
        bits: u32,
        kind: u32,
    ) {
        let address: IpAddr = address.parse().unwrap();
        let row = |mac, family, address| AddressKey {
            slot,
            mac,
            family,
            reserved: 0,
            address,
        };
        let (family, masked) = (
            Family::of(&address).number(),
            mask(&from_ip(&address), bits),
        );
        let addresses = &mut self.memory.addresses;
        addresses.insert((ADDRESS_KEY_BITS + bits, row(mac, family, masked)), kind);
        if mac != VM_MAC {
            let any_mac = row(NO_MAC, family | ANY_MAC, masked);
            addresses.insert((ADDRESS_KEY_BITS + bits, any_mac), kind);
        }
        let mac_row = row(mac, ANY_FAMILY, V6_UNSPECIFIED);
        addresses.insert((ADDRESS_KEY_BITS + 128, mac_row), kind::MAC);
    }

    /// Takes an address from the port; the daemon then bumps the generation.
    pub(crate) fn may_not_send(&mut self, address: &str) {
        let address = from_ip(&address.parse().unwrap());
        let addresses = &mut self.memory.addresses;
        addresses.retain(|(_, key), _| key.address != address);
        self.port().generation += 1;
    }

    /// Adds a rule for anyone.
    pub(crate) fn permit(mut self, direction: Direction, family: Family, service: Service) -> Self {
        add(&mut self.policy(direction, family).anyone, service);
        self
    }

    /// Adds both families' rule that everything may leave: what a group has at first.
    pub(crate) fn permit_egress(self) -> Self {
        self.permit(Direction::Egress, Family::V4, Service::Everything)
            .permit(Direction::Egress, Family::V6, Service::Everything)
    }

    /// Takes all rules for anyone of a direction away; the daemon then bumps the generation.
    pub(crate) fn forbid(&mut self, direction: Direction) {
        for family in Family::ALL {
            self.policy(direction, family).anyone = Permits::NOTHING;
        }
        self.port().generation += 1;
    }

    /// Adds a rule for a member of a remote group.
    pub(crate) fn permit_member(
        mut self,
        direction: Direction,
        member: &str,
        service: Service,
    ) -> Self {
        let member: IpAddr = member.parse().unwrap();
        let family = Family::of(&member);
        let index = self.policy(direction, family).sources;
        let address = from_ip(&member);
        let key = MemberKey { index, address };
        self.memory.members.insert(key, Member { key, peer: 77 });
        self.grant(direction, family, 77, service);
        self
    }

    /// Adds a rule for a CIDR. `bits`: of the mapped form.
    pub(crate) fn permit_cidr(
        mut self,
        direction: Direction,
        cidr: (&str, u32),
        service: Service,
    ) -> Self {
        let address: IpAddr = cidr.0.parse().unwrap();
        let family = Family::of(&address);
        let index = self.policy(direction, family).cidrs;
        let masked: Address = mask(&from_ip(&address), cidr.1);
        let key = PrefixKey {
            index,
            address: masked,
        };
        self.memory
            .prefixes
            .insert((PREFIX_KEY_BITS + cidr.1, key), 88);
        self.grant(direction, family, 88, service);
        self
    }

    fn grant(&mut self, direction: Direction, family: Family, peer: u64, service: Service) {
        let policy = self.policy(direction, family).id;
        let key = GrantKey { policy, peer };
        let nothing = Permits::NOTHING;
        let grants = &mut self.memory.grants;
        let grant = grants.entry(key).or_insert(Grant {
            key,
            permits: nothing,
        });
        add(&mut grant.permits, service);
    }

    fn policy(&mut self, direction: Direction, family: Family) -> &mut Policy {
        let id = 100 + policy_index(direction, family) as u64;
        self.memory.policies.get_mut(&id).unwrap()
    }

    /// The VM sends a packet.
    pub(crate) fn send(&mut self, packet: &Packet) -> Verdict {
        self.judge(Hook::FromVm, &packet.frame(VM_MAC))
    }

    /// A packet is on its way to the VM.
    pub(crate) fn receive(&mut self, packet: &Packet) -> Verdict {
        self.judge(Hook::ToVm, &packet.frame(PEER_MAC))
    }

    /// What the guard refuses of a packet that the VM sends.
    pub(crate) fn guard(&self, packet: &Packet) -> Result<(), DropReason> {
        self.guard_frame(&packet.frame(VM_MAC))
    }

    /// Shows a frame to the guard. Whatever it is, nothing is left of it but the count of a refusal.
    fn guard_frame(&self, frame: &[u8]) -> Result<(), DropReason> {
        let memory = self.memory.clone();
        let mut run = Box::new(Run::EMPTY);
        let guarded = guard(KEY.ifindex, frame, &memory, &mut run);
        let stored = |memory: &Memory| (memory.flows.clone(), memory.embryos.clone());
        assert_eq!(stored(&memory), stored(&self.memory));
        assert_eq!(memory.fragments, self.memory.fragments);
        let packets = |memory: &Memory| -> u64 {
            let counters = memory.counters.borrow();
            counters.values().map(|counter| counter.packets).sum()
        };
        let counted = packets(&memory) - packets(&self.memory);
        assert_eq!(counted, u64::from(guarded.is_err()));
        guarded
    }

    /// Judges a frame. Whatever it is: one verdict is counted once, with its bytes, a frame that is refused
    /// leaves nothing behind, and a guard would have refused it for no other reason.
    pub(crate) fn judge(&mut self, hook: Hook, frame: &[u8]) -> Verdict {
        let (before, stored) = (self.memory.counters.borrow().clone(), self.stored());
        let guarded = [false, true].map(|floods| {
            self.memory.floods.set(floods);
            match hook {
                Hook::FromVm => self.guard_frame(frame),
                Hook::ToVm => Ok(()),
            }
        });
        let verdict = filter(hook, KEY.ifindex, frame, &self.memory, &mut self.run);
        for refused in guarded.iter().filter_map(|guarded| guarded.err()) {
            assert_eq!(verdict, Err(refused), "the guard says otherwise");
        }
        let after = self.memory.counters.borrow().clone();
        let grown: Vec<u32> = after
            .keys()
            .filter(|index| before.get(index) != after.get(index))
            .map(|index| index % (2 * COUNTERS))
            .collect();
        let expected = counter_index(0, hook.direction(), verdict_counter(&verdict));
        assert_eq!(grown, [expected], "one counter counts, that of {verdict:?}");
        let sum = |counters: &BTreeMap<u32, Counter>| {
            counters.values().fold((0, 0), |(packets, bytes), counter| {
                (packets + counter.packets, bytes + counter.bytes)
            })
        };
        let (packets, bytes) = sum(&before);
        assert_eq!(sum(&after), (packets + 1, bytes + frame.len() as u64));
        if verdict.is_err() {
            let left = self.stored();
            let kept = left.0 <= stored.0 && left.1 <= stored.1 && left.2 <= stored.2;
            assert!(kept, "a refused frame left something behind");
        }
        verdict
    }

    /// How many connections are assured, how many are not, and how many datagrams are in fragments.
    pub(crate) fn stored(&self) -> (usize, usize, usize) {
        let memory = &self.memory;
        (
            self.living(&memory.flows).len(),
            self.living(&memory.embryos).len(),
            memory.fragments.borrow().len(),
        )
    }

    /// The only connection there is.
    pub(crate) fn flow(&self) -> Option<Flow> {
        let (flows, embryos) = (&self.memory.flows, &self.memory.embryos);
        let all = [self.living(flows), self.living(embryos)].concat();
        assert!(all.len() <= 1, "more than one connection");
        all.first().copied()
    }

    fn living(&self, table: &FlowMemory) -> Vec<Flow> {
        let now = self.memory.clock.get();
        let flows = table.borrow();
        let living = flows.values().map(|flow| flow.get());
        living.filter(|flow| flow.lives(now)).collect()
    }

    /// Seconds that the only connection has left, rounded.
    pub(crate) fn lifetime(&self) -> u64 {
        let left = self
            .flow()
            .unwrap()
            .expires
            .wrapping_sub(self.memory.clock.get());
        ((u64::from(left) << 20) + 500_000_000) / 1_000_000_000
    }

    /// Time passes.
    pub(crate) fn wait(&mut self, seconds: u64) {
        let clock = &self.memory.clock;
        clock.set(clock.get().wrapping_add(ticks(seconds)));
    }
}

fn add(permits: &mut Permits, service: Service) {
    match service {
        Service::Everything => permits.protocols = [u64::MAX; 4],
        Service::Protocol(number) => permits.protocols[number as usize / 64] |= 1 << (number % 64),
        Service::Ports(protocol, low, high) => {
            permits.ports[port_protocol(protocol).unwrap()] = PortGrant {
                set: 0,
                low,
                high,
                reserved: 0,
            }
        }
    }
}

/// Bits of an IPv4 prefix in the mapped form.
pub(crate) const fn v4(bits: u32) -> u32 {
    V4_PREFIX_BITS + bits
}
