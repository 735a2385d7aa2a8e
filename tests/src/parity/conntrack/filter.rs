//! This filter's side: the kernel's programs, run over the real maps that a real policy was compiled to.

use std::path::Path;

use bytemuck::{bytes_of, pod_read_unaligned};
use sg_common::hook::Hook;
use sg_common::layout::flow::{Flow, FlowKey, FlowKey4, Side as FlowSide};
use sg_common::layout::maps::name;
use sg_common::layout::settings::{Settings, Ticks, seconds, switch, ticks};
use sg_common::reason::{Accept, DropReason};
use sg_userspace::agent::Mode;
use sg_userspace::model::{self, PortId};

use super::counters::Counters;
use super::frames::{PEERS_OPEN, VM};
use super::notation::{End, Protocol, Setup};
use super::outcome::{Entry, Label};
use super::run::{Sent, Side};
use super::tuple::Tuple;
use crate::inventory::{Inventory, group, port};
use crate::testrun::{PinnedHash, Verdict};
use crate::verdict::{World, map_pin};

/// The table of connections that are not assured.
const OTHERS: usize = 1;

/// Room for the connections of as many peers as there are.
const FLOWS: u32 = 65_536;

const NARROW: usize = size_of::<FlowKey4>();
const WIDE: usize = size_of::<FlowKey>();
const FLOW: usize = size_of::<Flow>();

/// The kernel's programs at a tap.
pub struct Filter {
    world: World,
    /// Assured connections, then [`OTHERS`].
    narrow: [PinnedHash<NARROW, FLOW>; 2],
    wide: [PinnedHash<WIDE, FLOW>; 2],
    counters: Counters,
    protocol: Protocol,
}

impl Filter {
    /// A tap of a VM that may send anything, and whose group lets anything in from some peers. This
    /// thread stays in the namespace of the tap.
    #[must_use]
    pub fn new() -> Self {
        Self::at(Mode::Tc)
    }

    /// As [`Filter::new`], where what the VM sends is judged in this mode.
    #[must_use]
    pub fn at(mode: Mode) -> Self {
        let (inventory, id) = policy();
        let mut world = World::new(FLOWS);
        if mode != world.mode() {
            world.move_to(mode);
        }
        world.apply(inventory, id);
        world.set_flood(true);
        world.netns().stay();
        let pin = |name: &str| map_pin(world.bpffs(), name);
        Self {
            narrow: [
                PinnedHash::open(&pin(name::FLOWS4)),
                own(&pin(name::EMBRYOS4), world.slot()),
            ],
            wide: [
                PinnedHash::open(&pin(name::FLOWS6)),
                own(&pin(name::EMBRYOS6), world.slot()),
            ],
            counters: Counters::open(&pin(name::COUNTERS), world.slot()),
            protocol: Protocol::Tcp,
            world,
        }
    }

    /// The connection of a tuple, and in which table it is. What is over may still lie in another.
    fn living(&self, tuple: &Tuple) -> Option<(usize, Flow)> {
        let (key, now) = (tuple.key(self.world.slot()), self.world.now());
        let read = |place: usize| match tuple.local.is_ipv4() {
            true => self.narrow[place].get(narrow(&key)),
            false => self.wide[place].get(wide(&key)),
        };
        let flows = (0..2).filter_map(|place| Some((place, pod_read_unaligned(&read(place)?))));
        let mut living = flows.filter(|(_, flow): &(usize, Flow)| flow.lives(now));
        living.next()
    }

    /// Writes what a table has for a tuple, or removes it.
    ///
    /// An assured one must not be removed: the sweep of the kernel gives its room back, or a packet of
    /// the same tuple takes its place.
    fn change(&mut self, place: usize, tuple: &Tuple, flow: Option<&Flow>) {
        let key = tuple.key(self.world.slot());
        match tuple.local.is_ipv4() {
            true => self.narrow[place].change(narrow(&key), flow.map(value)),
            false => self.wide[place].change(wide(&key), flow.map(value)),
        }
    }
}

impl Default for Filter {
    fn default() -> Self {
        Self::new()
    }
}

impl Side for Filter {
    fn prepare(&mut self, setup: &Setup) {
        self.protocol = setup.protocol;
        self.world.set_settings(&settings(setup));
    }

    fn send(&mut self, sent: &Sent, before: Option<&Entry>) -> (Option<Label>, bool) {
        let hook = hook(sent.from);
        let verdict = self.world.run_here(hook, &sent.frame);
        let counted = self.counters.moved(hook.direction());
        (label(counted, sent, before), verdict == Verdict::Accept)
    }

    fn entry(&mut self, tuple: &Tuple) -> Option<Entry> {
        let (_, flow) = self.living(tuple)?;
        Some(entry(&flow, self.world.now(), self.protocol))
    }

    fn set_lifetime(&mut self, tuple: &Tuple, seconds: u32) {
        if let Some((place, flow)) = self.living(tuple) {
            let flow = lifetime(flow, seconds, self.world.now());
            self.change(place, tuple, Some(&flow));
        }
    }

    fn forget(&mut self, tuple: &Tuple) {
        self.set_lifetime(tuple, 0);
        self.change(OTHERS, tuple, None);
    }
}

/// The table that a port has of its own.
fn own<const K: usize>(pin: &Path, slot: u32) -> PinnedHash<K, FLOW> {
    let own = PinnedHash::within(pin).remove(&slot);
    own.unwrap_or_else(|| panic!("no table of slot {slot} in {}", pin.display()))
}

/// The inventory that is enforced, and the port of the VM: it may send anything, and some peers too.
pub(super) fn policy() -> (model::Inventory, PortId) {
    let [open4, open6] = PEERS_OPEN;
    let vm = VM.iter().fold(port("VM"), |port, address| port.ip(address));
    let vm = vm.groups(&["OPEN"]);
    let id = PortId(vm.id());
    let open = group("OPEN")
        .default_egress()
        .rule(&format!("ingress IPv4 from {open4}"))
        .rule(&format!("ingress IPv6 from {open6}"));
    let document = Inventory::new().port(vm).group(open).json().to_string();
    let parsed = model::parse(document.as_bytes());
    (
        parsed
            .unwrap_or_else(|e| panic!("no inventory: {e}"))
            .inventory,
        id,
    )
}

pub(super) fn settings(setup: &Setup) -> Settings {
    let mut settings = Settings::DEFAULT;
    settings.switch(switch::TCP_STRICT, setup.strict);
    settings.switch(switch::TCP_LOOSE, !setup.tight);
    settings.switch(switch::TCP_IGNORE_INVALID_RST, setup.any_reset);
    settings
}

pub(super) fn hook(from: End) -> Hook {
    match from {
        End::Vm => Hook::FromVm,
        End::Peer => Hook::ToVm,
    }
}

/// How rules would have seen a packet whose verdict has this name.
pub(super) fn label(name: &str, sent: &Sent, before: Option<&Entry>) -> Option<Label> {
    let is = |accept: Accept| name == accept.as_str();
    // Here, a packet of a connection that nobody has answered yet counts as one of the connection.
    let unanswered = before.is_some_and(|entry| !entry.replied && entry.opened_by == sent.from);
    if is(Accept::Established) {
        Some(if unanswered {
            Label::New
        } else {
            Label::Established
        })
    } else if is(Accept::Related) {
        Some(Label::Related)
    } else if is(Accept::New) {
        Some(Label::New)
    } else if name == DropReason::NoRule.as_str() {
        // What no rule permits is dropped, tracked or not.
        sent.tuple.map(|_| Label::New)
    } else if is(Accept::Stateless) {
        Some(Label::Untracked)
    } else if name.starts_with("invalid_") {
        // Dropped for one of the reasons, or permitted by a rule all the same.
        Some(Label::Invalid)
    } else {
        // What is built in permits packets whatever they are seen as.
        None
    }
}

/// What is known of a connection that is not over.
pub(super) fn entry(flow: &Flow, now: Ticks, protocol: Protocol) -> Entry {
    let word = flow.word();
    let opened_by = match flow.side(Hook::FromVm) {
        FlowSide::Original => End::Vm,
        FlowSide::Reply => End::Peer,
    };
    let has_states = matches!(protocol, Protocol::Tcp | Protocol::Sctp);
    Entry {
        opened_by,
        state: if has_states { word.state() } else { 0 },
        replied: word.seen_reply(),
        assured: word.assured(),
        seconds: u32::try_from(seconds(flow.expires.wrapping_sub(now))).unwrap_or(u32::MAX),
    }
}

/// A flow with so many seconds left; none, if none.
pub(super) fn lifetime(mut flow: Flow, seconds: u32, now: Ticks) -> Flow {
    // A moment more, so that whole seconds are shown.
    let moment = if seconds == 0 { 0 } else { ticks(1) / 2 };
    flow.expires = now.wrapping_add(ticks(seconds.into()) + moment);
    flow
}

fn narrow(key: &FlowKey) -> [u8; NARROW] {
    pod_read_unaligned(bytes_of(&key.narrow()))
}

fn wide(key: &FlowKey) -> [u8; WIDE] {
    pod_read_unaligned(bytes_of(key))
}

fn value(flow: &Flow) -> [u8; FLOW] {
    pod_read_unaligned(bytes_of(flow))
}
