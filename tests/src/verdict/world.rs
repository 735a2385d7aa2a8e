//! One interface with the real programs on it, and the same policy and packets on the host.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::path::Path;
use std::rc::Rc;

use sg_common::filter::filter_by;
use sg_common::guard::guard;
use sg_common::hook::Hook;
use sg_common::layout::counter::Counter;
use sg_common::layout::flow::{Flow, FlowKey};
use sg_common::layout::fragment::FragmentKey;
use sg_common::layout::port::PortKey;
use sg_common::layout::settings::{Settings, Ticks};
use sg_common::memory::Memory;
use sg_common::packet::Opening;
use sg_common::reason::Verdict;
use sg_common::scratch::Run;
use sg_common::wire::frame::Frame;
use sg_common::wire::ip::Fragment;
use sg_userspace::agent::{Datapath, Mode, PolicyTables};
use sg_userspace::compile::{Limits, compile};
use sg_userspace::datapath::{Kernel, KernelLog, Policy, Sizes};
use sg_userspace::evaluate::evaluate;
use sg_userspace::model::{Inventory, Port, PortId, RuleId, Vlan};
use sg_userspace::netlink::Link;
use sg_userspace::plan::{State, plan};
use tempfile::TempDir;
use uuid::Uuid;

use super::observed::{Counts, Observed};
use super::stored::Stored;
use super::untagged::Untagged;
use crate::bpffs::Bpffs;
use crate::leftovers;
use crate::netns::Netns;
use crate::tap::Tap;
use crate::testrun::{self, Program};

const INTERFACE: &str = "tap-world";

/// The kernel's filter at one interface, and the host's beside it.
pub struct World {
    // In the order of dropping.
    kernel: Kernel,
    policy: Policy,
    log: Option<KernelLog>,
    /// By hook, in the order in which they are asked.
    programs: [Vec<Program>; 2],
    mode: Mode,
    stored: Stored,
    memory: Memory,
    state: State,
    next_generation: u32,
    inventory: Inventory,
    port: Option<PortId>,
    ifindex: u32,
    _tap: Tap,
    bpffs: Bpffs,
    _directory: TempDir,
    netns: Netns,
}

/// What became of a packet on both sides.
#[derive(Debug)]
pub struct Step {
    /// What the host's filter says.
    pub verdict: Verdict,
    /// Bytes that are counted: without a tag where that is beside the frame.
    pub length: u32,
    /// What changed on the host.
    pub host: Observed,
    /// What changed in the kernel.
    pub kernel: Observed,
    /// What the packet asks of the rules.
    pub opening: Opening,
    /// What the connection's opening would ask now, if it was judged again.
    pub original: Opening,
    /// Which part of a datagram it is.
    pub fragment: Fragment,
}

impl World {
    /// An interface without a port. `flows`: room for assured connections.
    #[must_use]
    pub fn new(flows: u32) -> Self {
        let netns = Netns::new("world");
        // No packets but those of the test.
        netns.set("ipv6/conf/default/disable_ipv6", "1");
        let tap = Tap::new(&netns, INTERFACE, None);
        netns.ip(&format!("link set {INTERFACE} down"));
        let directory = tempfile::Builder::new()
            .prefix(&leftovers::prefix())
            .tempdir();
        let directory =
            directory.unwrap_or_else(|e| panic!("cannot create a temporary directory: {e}"));
        let bpffs = Bpffs::mount(&directory.path().join("bpf"));

        let limits = Limits {
            ports: 8,
            ..Limits::default()
        };
        let sizes = Sizes {
            limits,
            flows,
            ..Sizes::default()
        };
        let (mut kernel, policy, log) = Kernel::open(bpffs.path(), None, sizes)
            .unwrap_or_else(|e| panic!("cannot open the kernel side: {e}"));
        // A new map holds none; the daemon sets them as well.
        let set = kernel.set_settings(&Settings::DEFAULT);
        set.unwrap_or_else(|e| panic!("cannot write the settings: {e}"));
        let ifindex = netns.ifindex(INTERFACE);
        let mode = Mode::Tc;
        let programs = attach(&netns, &mut kernel, ifindex, mode);
        Self {
            kernel,
            policy,
            log,
            programs,
            mode,
            stored: Stored::open(bpffs.path()),
            memory: Memory::default(),
            state: State::default(),
            next_generation: 1,
            inventory: Inventory::default(),
            port: None,
            ifindex,
            _tap: tap,
            bpffs,
            _directory: directory,
            netns,
        }
    }

    /// Lets what the VM sends be judged elsewhere from now on.
    pub fn move_to(&mut self, mode: Mode) {
        self.programs = attach(&self.netns, &mut self.kernel, self.ifindex, mode);
        self.mode = mode;
    }

    /// Where what the VM sends is judged.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// Where the maps are pinned.
    #[must_use]
    pub fn bpffs(&self) -> &Path {
        self.bpffs.path()
    }

    /// What the programs log.
    pub fn log(&mut self) -> &mut KernelLog {
        let log = self.log.as_mut();
        log.unwrap_or_else(|| panic!("the ring of the kernel's log was not opened"))
    }

    /// Sends a frame through the kernel's programs at a hook, in the namespace that this thread is in.
    #[must_use]
    pub fn run_here(&mut self, hook: Hook, frame: &[u8]) -> testrun::Verdict {
        self.show_flood();
        run(&self.programs[hook as usize], self.ifindex, frame)
    }

    /// As [`World::run_here`], in the namespace of the interface.
    fn run(&mut self, hook: Hook, frame: &[u8]) -> testrun::Verdict {
        self.show_flood();
        let (programs, ifindex) = (&self.programs[hook as usize], self.ifindex);
        self.netns.run(|| run(programs, ifindex, frame))
    }

    /// Lets every port flood from now on, as far as the guard is concerned, or none.
    pub fn set_flood(&mut self, floods: bool) {
        self.memory.floods.set(floods);
    }

    /// Shows the guard in the kernel whether ports flood. It takes that for old soon.
    fn show_flood(&mut self) {
        if self.mode == Mode::Guard {
            for slot in self.slots() {
                let (floods, now) = (self.memory.floods.get(), self.kernel.now());
                self.stored.set_flood(slot, floods, now);
            }
        }
    }

    /// Brings both sides from the last inventory to this one, with the port on the interface, and its
    /// subports if it is the parent of a trunk.
    pub fn apply(&mut self, inventory: Inventory, port: PortId) {
        let limits = self.policy.limits();
        let interface = inventory.ports.get(&port).map(|port| &port.interface);
        let here = |other: &Port| {
            (Some(&other.interface) == interface)
                .then(|| PortKey::new(self.ifindex, other.vlan().map_or(0, Vlan::id)))
        };
        let compiled = compile(&inventory, &here, &limits);
        assert_eq!(compiled.faults, [], "the inventory fits");
        let plan = plan(&self.state, &compiled.image, &limits, self.next_generation);
        let done = self.policy.reserve_generations(plan.next_generation);
        done.and_then(|()| self.policy.apply(&plan.changes, &BTreeSet::new()))
            .unwrap_or_else(|e| panic!("cannot write the tables: {e}"));
        (self.state, self.next_generation) = (plan.state, plan.next_generation);
        let former = std::mem::replace(&mut self.memory, self.state.to_memory());
        self.memory = Memory {
            floods: former.floods,
            flows: former.flows,
            embryos: former.embryos,
            fragments: former.fragments,
            counters: former.counters,
            settings: former.settings,
            ..std::mem::take(&mut self.memory)
        };
        // What a port has of its own goes with it.
        let slots = self.slots();
        let mut embryos = self.memory.embryos.borrow_mut();
        embryos.retain(|key, _| slots.contains(&key.slot()));
        drop(embryos);
        let mut fragments = self.memory.fragments.borrow_mut();
        fragments.retain(|key, _| slots.contains(&key.slot));
        drop(fragments);
        (self.inventory, self.port) = (inventory, Some(port));
    }

    /// Whether this is the inventory in force.
    #[must_use]
    pub fn enforces(&self, inventory: &Inventory) -> bool {
        self.port.is_some() && self.inventory == *inventory
    }

    /// Whether the kernel's tables hold what was planned.
    #[must_use]
    pub fn is_as_planned(&self) -> bool {
        let held = self.policy.state();
        held.unwrap_or_else(|e| panic!("cannot read the tables: {e}"))
            .0
            == self.state
    }

    /// Forgets all connections and fragments, on both sides.
    pub fn forget(&mut self) {
        self.stored.clear();
        self.memory.flows.borrow_mut().clear();
        self.memory.embryos.borrow_mut().clear();
        self.memory.fragments.borrow_mut().clear();
    }

    /// The connections and the datagrams in fragments that are stored.
    #[must_use]
    pub fn stored(&self) -> (BTreeSet<FlowKey>, BTreeSet<FragmentKey>) {
        let fragments = self.memory.fragments.borrow().keys().copied().collect();
        (self.host_flows().map(|(key, _)| key).collect(), fragments)
    }

    /// Sends a frame through both filters.
    #[must_use]
    pub fn send(&mut self, hook: Hook, frame: &[u8]) -> Step {
        let before = (self.host_counts(), self.kernel_counts());
        let mut run = Run::EMPTY;
        self.memory.clock.set(self.kernel.now());
        let (verdict, length) = self.judge::<true>(hook, frame, &mut run);
        let ran = self.run(hook, frame);
        Step {
            verdict,
            length,
            host: Observed {
                passes: verdict.is_ok(),
                counted: self.host_counts().since(&before.0),
                flows: super::observed::flows(self.host_flows()),
                fragments: self.memory.fragments.borrow().keys().copied().collect(),
            },
            kernel: Observed {
                passes: ran == testrun::Verdict::Accept,
                counted: self.kernel_counts().since(&before.1),
                flows: super::observed::flows(self.kernel_flows()),
                fragments: self.stored.fragments(),
            },
            opening: run.scratch.opening,
            original: run.scratch.original,
            fragment: run.scratch.ip.fragment,
        }
    }

    /// Puts an assured connection, or none, in the place of what is stored under a key, on both sides.
    fn put(&mut self, key: &FlowKey, flow: Option<&Flow>) {
        let mut flows = self.memory.flows.borrow_mut();
        flows.remove(key);
        self.memory.embryos.borrow_mut().remove(key);
        self.stored.forget(key);
        if let Some(flow) = flow {
            flows.insert(*key, Rc::new(Cell::new(*flow)));
            self.stored.put(key, flow);
        }
    }

    /// What is stored of an assured connection, on the host and in the kernel.
    #[must_use]
    pub fn assured(&self, key: &FlowKey) -> [Option<Flow>; 2] {
        let host = self.memory.flows.borrow().get(key).map(|flow| flow.get());
        [host, self.stored.assured(key)]
    }

    /// Sends a frame through the host's filter the long way and through the kernel's, until no tick of the
    /// clock falls between; before each attempt the connection is put there. Returns the host's verdict and
    /// the bytes it counts, whether the kernel's filter let the frame pass, and by how much its counter of that
    /// verdict moved.
    pub fn send_the_long_way(
        &mut self,
        hook: Hook,
        frame: &[u8],
        mut connection: impl FnMut(Ticks) -> (FlowKey, Option<Flow>),
    ) -> (Verdict, u32, bool, Counter) {
        loop {
            let now = self.kernel.now();
            let (key, flow) = connection(now);
            self.put(&key, flow.as_ref());
            self.memory.clock.set(now);
            let (verdict, length) = self.judge::<false>(hook, frame, &mut Run::EMPTY.clone());
            let slot = self.slot();
            let before = self.stored.counted(slot, hook, &verdict);
            let ran = self.run(hook, frame);
            if self.kernel.now() == now {
                let after = self.stored.counted(slot, hook, &verdict);
                let counted = Counter {
                    packets: after.packets - before.packets,
                    bytes: after.bytes - before.bytes,
                };
                return (verdict, length, ran == testrun::Verdict::Accept, counted);
            }
            self.forget();
        }
    }

    /// What the host's filter says of a frame, with the short lane or without, and the bytes that it counts.
    ///
    /// XDP takes a tag out as the kernel does on the way to tc, and the kernel runs programs of tc on what is
    /// given.
    fn judge<const LANE: bool>(&self, hook: Hook, frame: &[u8], run: &mut Run) -> (Verdict, u32) {
        let (ifindex, memory) = (self.ifindex, &self.memory);
        let (untagged, length) = (Untagged::new(frame), frame.len() as u32);
        match (hook, self.mode) {
            (Hook::FromVm, Mode::Xdp) => {
                let verdict = filter_by::<_, _, LANE>(hook, ifindex, &untagged, memory, run);
                return (verdict, untagged.len());
            }
            (Hook::FromVm, Mode::Guard) => {
                if let Err(reason) = guard(ifindex, &untagged, memory, run) {
                    return (Err(reason), untagged.len());
                }
            }
            _ => {}
        }
        let verdict = filter_by::<_, _, LANE>(hook, ifindex, frame, memory, run);
        (verdict, length)
    }

    /// Where the interface is.
    #[must_use]
    pub fn netns(&self) -> &Netns {
        &self.netns
    }

    /// The index of the interface.
    #[must_use]
    pub fn ifindex(&self) -> u32 {
        self.ifindex
    }

    /// Puts settings in force on both sides.
    pub fn set_settings(&mut self, settings: &Settings) {
        let set = self.kernel.set_settings(settings);
        set.unwrap_or_else(|e| panic!("cannot write the settings: {e}"));
        self.memory.settings = *settings;
    }

    /// What the programs take for the present.
    #[must_use]
    pub fn now(&self) -> Ticks {
        self.kernel.now()
    }

    /// The first rule that permits a packet, by scanning all of them.
    #[must_use]
    pub fn rule(&self, opening: &Opening) -> Option<RuleId> {
        let mut ports = self.state.ports.values();
        let port = ports.find(|port| port.slot == opening.key.slot())?;
        let id = PortId(Uuid::from_bytes(port.uuid));
        evaluate(&self.inventory, self.inventory.ports.get(&id)?, opening).map(|rule| rule.id)
    }

    /// The slots of the ports.
    #[must_use]
    pub fn slots(&self) -> BTreeSet<u32> {
        self.state.ports.values().map(|port| port.slot).collect()
    }

    /// The slot of the first port, 0 without one.
    #[must_use]
    pub fn slot(&self) -> u32 {
        self.slots().first().copied().unwrap_or_default()
    }

    /// The generation in which the first port's connections were judged, 0 without one.
    #[must_use]
    pub fn generation(&self) -> u32 {
        let mut ports = self.state.ports.values();
        ports.next().map_or(0, |port| port.generation)
    }

    /// The host's tables.
    #[must_use]
    pub fn memory(&self) -> &Memory {
        &self.memory
    }

    fn host_flows(&self) -> impl Iterator<Item = (FlowKey, Flow)> {
        let of = |table: &sg_common::memory::FlowMemory| -> Vec<_> {
            let table = table.borrow();
            table.iter().map(|(key, flow)| (*key, flow.get())).collect()
        };
        of(&self.memory.flows)
            .into_iter()
            .chain(of(&self.memory.embryos))
    }

    fn kernel_flows(&self) -> impl Iterator<Item = (FlowKey, Flow)> {
        let flows = self.kernel.flow_tables().all();
        flows
            .unwrap_or_else(|e| panic!("cannot read the flow tables: {e}"))
            .into_iter()
    }

    fn host_counts(&self) -> Counts {
        let counters = self.memory.counters.borrow();
        Counts::of(self.counted(), |slot| Counts::from_memory(&counters, slot))
    }

    fn kernel_counts(&self) -> Counts {
        let read = |slot| {
            let counts = self.kernel.counters(slot);
            counts.unwrap_or_else(|e| panic!("cannot read the counters: {e}"))
        };
        Counts::of(self.counted(), read)
    }

    /// What counters belong to: the ports, and 0 for nobody.
    fn counted(&self) -> impl Iterator<Item = u32> {
        std::iter::once(0).chain(self.slots())
    }
}

/// Sends a frame through programs until one drops it.
fn run(programs: &[Program], ifindex: u32, frame: &[u8]) -> testrun::Verdict {
    let passes = |program: &Program| program.run_here(ifindex, frame) == testrun::Verdict::Accept;
    match programs.iter().all(passes) {
        true => testrun::Verdict::Accept,
        false => testrun::Verdict::Drop,
    }
}

/// Attaches to the interface; the programs that judge there, by hook.
fn attach(netns: &Netns, kernel: &mut Kernel, ifindex: u32, mode: Mode) -> [Vec<Program>; 2] {
    let link = Link {
        ifindex,
        name: INTERFACE.to_owned(),
        master: None,
    };
    netns
        .run(|| kernel.attach(&link, mode))
        .unwrap_or_else(|e| panic!("cannot attach: the interface {}", e.problem()));
    let hooked = netns.run(|| kernel.hooks(ifindex));
    let expected = match mode {
        Mode::Tc => "from_vm to_vm",
        Mode::Xdp => "from_vm_xdp to_vm",
        Mode::Guard => "guard from_vm to_vm",
    };
    let names: Vec<_> = hooked.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names.join(" "), expected);
    Hook::ALL.map(|hook| {
        let hooked = hooked.iter().filter(|one| one.hook == hook);
        hooked.map(|one| Program::numbered(one.program)).collect()
    })
}
