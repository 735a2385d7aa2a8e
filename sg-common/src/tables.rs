//! The tables as the filter sees them: BPF maps in the kernel, ordinary memory elsewhere.

use crate::hook::Direction;
use crate::layout::account::Account;
use crate::layout::events::{Action, Event};
use crate::layout::flow::{Flow, FlowKey};
use crate::layout::fragment::{FragmentKey, FragmentValue};
use crate::layout::hit::HitKey;
use crate::layout::policy::{Grant, GrantKey, Member, MemberKey, Policy, PrefixKey};
use crate::layout::port::{AddressKey, Port, PortKey};
use crate::layout::settings::{Settings, Ticks};
use crate::reason::{Condition, Verdict};

/// All that the filter looks up and writes.
///
/// Each family has two flow tables. Assured connections are in `flows4` and `flows6`, hashes that no
/// packet can evict; all others in `embryos4` and `embryos6`, of which each port has LRUs of its own, as it
/// has of `fragments`: a flood displaces no assured connection, and nothing of other ports.
pub trait Tables {
    /// A stored connection.
    type Entry: FlowEntry;

    /// Looks among the assured connections.
    fn assured(&self, key: &FlowKey) -> Option<Self::Entry>;

    /// Looks among the others.
    fn embryo(&self, key: &FlowKey) -> Option<Self::Entry>;

    /// Whether what was loaded under this key is the key's still. An LRU may give the memory of an entry to
    /// another connection after it was found and before it was loaded: to be asked before something is made of
    /// it that lasts.
    fn is_still(&self, key: &FlowKey, flow: &Flow) -> bool;

    /// Stores a new connection among the others, in the place of one that is over. If another CPU has
    /// just stored one of this key, that one stands. False if neither is so.
    fn create(&self, key: &FlowKey, flow: &Flow) -> bool;

    /// Moves a connection to the assured ones; if another CPU has just done so, that one stands. When it
    /// has to stay where it is, says why: [`Condition::FlowNotPromoted`], or
    /// [`Condition::FlowOverQuota`] when the port has [`Settings::assured_per_port`] there already.
    fn promote(&self, key: &FlowKey, flow: &Flow) -> Result<(), Condition>;

    /// The coarse monotonic clock.
    fn now(&self) -> Ticks;

    /// Random bits.
    fn random(&self) -> u32;

    /// The operator's settings; `None` before the loader has written them.
    fn settings(&self) -> Option<&Settings>;

    /// A port; its tag is the reader's to check, and `key` becomes what that has to be.
    fn port(&self, key: &mut PortKey) -> Option<&Port>;

    /// The same port, whose slot is known by now.
    fn port_again(&self, key: &PortKey, slot: u32) -> Option<&Port>;

    /// The port in force of a slot, of which no packet is at hand; slot 0 if it has none.
    fn port_of(&self, slot: u32) -> Option<&Port>;

    /// Longest match in `addresses`, of the whole address: bits of [`crate::layout::port::kind`].
    fn address(&self, key: &AddressKey) -> Option<u32>;

    /// A policy; its tag is the reader's to check.
    fn policy(&self, id: &u64) -> Option<&Policy>;

    /// A member; its tag is the reader's to check.
    fn member(&self, key: &MemberKey) -> Option<&Member>;

    /// Longest match in `prefixes`, of the whole address: a peer.
    fn prefix(&self, key: &PrefixKey) -> Option<u64>;

    /// A grant; its tag is the reader's to check.
    fn grant(&self, key: &GrantKey) -> Option<&Grant>;

    /// The word of a port set ([`crate::layout::policy::PortSet`]) that has the bit of a port; 0 if there is
    /// no such set.
    fn port_word(&self, id: &u64, port: u16) -> u64;

    /// Whether any of these pairs of ports is of the protocol, the source port and the destination port.
    fn in_port_pairs(&self, id: &u64, protocol: u8, source: u16, destination: u16) -> bool;

    /// What is known of a datagram by its first fragment.
    fn fragment(&self, key: &FragmentKey) -> Option<FragmentValue>;

    /// Remembers a first fragment; false if it could not be stored.
    fn remember_fragment(&self, key: &FragmentKey, value: &FragmentValue) -> bool;

    /// Whether the rules refuse so much of what a port sends that it is a flood
    /// ([`crate::layout::flood::Flood`]).
    fn floods(&self, slot: u32, now: Ticks) -> bool;

    /// Counts a verdict of a port (slot 0: of no port).
    fn count(&self, slot: u32, direction: Direction, verdict: &Verdict, bytes: u32);

    /// Counts a condition, and may tell the operator.
    fn condition(&self, slot: u32, direction: Direction, condition: Condition);

    /// Tells of something of a port, if somebody asked for it and the budget lasts, at a moment in nanoseconds
    /// of `CLOCK_BOOTTIME`; counts it as lost if it does not, or if there is no room. `fill` writes every
    /// field of the record, of which nobody knows what it held.
    fn tell(&self, slot: u32, action: Action, fill: impl FnOnce(&mut Event, u64));

    /// Counts what a row has permitted.
    fn hit(&self, hit: &HitKey, direction: Direction);

    /// Counts a packet of a connection, or the one that opens it, if that is asked for of its port.
    fn account(&self, key: &FlowKey, direction: Direction, bytes: u32, opens: bool);

    /// What was counted of a connection's addresses and ports.
    fn account_of(&self, key: &FlowKey) -> Option<Account>;

    /// Says what the filter found, for `sgctl explain`. Nothing in the kernel.
    #[inline(always)]
    fn note(&self, _: Note) {}
}

/// A connection in its table.
pub trait FlowEntry {
    /// Copies it.
    fn load(&self) -> Flow;

    /// Writes what differs between `before`, as it was loaded, and `flow`, unless the entry's state word
    /// is to change and is no longer that of `before`: then another CPU has moved the connection; or its
    /// memory belongs to another one. Says whether it was written.
    fn store(&self, before: &Flow, flow: &Flow) -> bool;

    /// Marks the connection as over, unless the entry's state word is no longer `before`. The entry
    /// stays until it is swept or replaced: to remove it by its key could hit its successor.
    fn end(&self, before: u64);
}

/// What the filter found on its way, in the order in which it looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Note {
    /// The source address is allowed; bits of [`crate::layout::port::kind`].
    SourceAllowed(u32),
    /// The source needs no look-up: this connection has sent from it before.
    SourceVouched,
    /// The source is one that only an exception for DHCP or neighbor discovery allows.
    SourceExcepted,
    /// The operator lets any source of this family pass, of which the port has no address.
    SourceUnchecked,
    /// No connection is stored.
    NoFlow,
    /// A stored connection was found.
    Flow(Flow),
    /// The connection was judged before the rules changed, and is judged again.
    JudgedAgain,
    /// The packet does not fit its connection, or no connection can begin with it.
    Invalid(crate::reason::DropReason),
    /// A built-in permits it.
    PermittedByBuiltin,
    /// Anyone's row of the policy permits it.
    PermittedToAnyone,
    /// The row of a group's or address group's member permits it.
    PermittedToMember,
    /// The row of a CIDR permits it.
    PermittedToPrefix,
    /// No row permits it.
    NotPermitted,
}
