//! `BPF_PROG_TEST_RUN`: one packet through a program of the kernel, without traffic.
//!
//! The kernel wants Ethernet and a whole IP header of a tc program's packet, and Ethernet of one of XDP, and
//! answers EINVAL otherwise: shorter frames belong to host tests and real taps.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use aya::maps::of_maps::ArrayOfMaps;
use aya::maps::{Array, HashMap, Map, MapData, MapError, PerCpuArray, PerCpuValues};
use aya::programs::tc::{SchedClassifier, TcAttachType};
use aya::programs::{ProgramError, ProgramInfo, Xdp, loaded_programs};
use aya::util::nr_cpus;
use aya::{EbpfLoader, TestRun, TestRunOptions, TestRunResult, VerifierLogLevel};
use aya_obj::generated::bpf_prog_type;
use aya_obj::programs::XdpAttachType;
use bytemuck::{AnyBitPattern, pod_read_unaligned};
use serde_json::Value;
use sg_common::hook::Hook;

use crate::netns::Netns;

/// What a program decided (`include/uapi/linux/pkt_cls.h`, `enum xdp_action`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// `TC_ACT_OK`, or `TC_ACT_UNSPEC`, which leaves it to further programs; `XDP_PASS`.
    Accept,
    /// `TC_ACT_SHOT`, `XDP_DROP`.
    Drop,
}

/// A program of the kernel, at tc or at XDP.
#[derive(Debug)]
pub struct Program {
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Tc(SchedClassifier),
    Xdp(Xdp),
}

impl Program {
    /// Loads a program of an object file, with maps of its own.
    #[must_use]
    pub fn load(object: &Path, name: &str) -> Self {
        // Of a program that is refused, why: the walk up to there is longer than anybody reads.
        let mut object_loaded = EbpfLoader::new()
            .verifier_log_level(VerifierLogLevel::STATS)
            .load_file(object)
            .unwrap_or_else(|e| panic!("cannot read the object {}: {e}", object.display()));
        let program = object_loaded
            .program_mut(name)
            .unwrap_or_else(|| panic!("no program {name} in {}", object.display()));
        let info = match program {
            aya::programs::Program::SchedClassifier(program) => {
                program.load().and_then(|()| program.info())
            }
            aya::programs::Program::Xdp(program) => program.load().and_then(|()| program.info()),
            _ => panic!("{name} is neither of tc nor of XDP"),
        };
        let info = info.unwrap_or_else(|e| panic!("the kernel refuses {name}: {e:#?}"));
        Self::of(info, name)
    }

    /// The program of this number.
    #[must_use]
    pub fn numbered(id: u32) -> Self {
        let mut programs = loaded_programs().flatten();
        let info = programs.find(|info| info.id() == id);
        let info = info.unwrap_or_else(|| panic!("there is no program {id}"));
        Self::of(info, "numbered")
    }

    /// Opens a pinned program.
    #[must_use]
    pub fn pinned(path: &Path) -> Self {
        let classifier = SchedClassifier::from_pin(path)
            .unwrap_or_else(|e| panic!("cannot open the program {}: {e}", path.display()));
        let kind = Kind::Tc(classifier);
        Self { kind }
    }

    /// The one program that is attached to a hook of an interface through tcx, or through clsact where the
    /// kernel has no tcx.
    #[must_use]
    pub fn attached(netns: &Netns, interface: &str, hook: Hook) -> Self {
        let direction = match hook {
            Hook::FromVm => TcAttachType::Ingress,
            Hook::ToVm => TcAttachType::Egress,
        };
        let asked = netns.run(|| SchedClassifier::query_tcx(interface, direction));
        let Ok((_, programs)) = asked else {
            return Self::numbered(clsact_program(netns, interface, hook));
        };
        let count = programs.len();
        let [program] = <[_; 1]>::try_from(programs)
            .unwrap_or_else(|_| panic!("{count} programs at {hook:?} of {interface}, not one"));
        Self::of(program, interface)
    }

    /// Pins the program, so that it stays when nothing else holds it.
    pub fn pin(&mut self, path: &Path) {
        let pinned = match &mut self.kind {
            Kind::Tc(program) => program.pin(path),
            Kind::Xdp(program) => program.pin(path),
        };
        pinned.unwrap_or_else(|e| panic!("cannot pin {}: {e}", path.display()));
    }

    /// Sends a frame through the program, as if it had come to the interface of this index in
    /// this namespace.
    ///
    /// The maps are the program's own: what it stores, it finds again in the next run.
    #[must_use]
    pub fn run(&self, netns: &Netns, ifindex: u32, frame: &[u8]) -> Verdict {
        self.run_times(netns, ifindex, frame, 1).0
    }

    /// As [`Program::run`], in the namespace that this thread is in.
    #[must_use]
    pub fn run_here(&self, ifindex: u32, frame: &[u8]) -> Verdict {
        self.run_times_here(ifindex, frame, 1).0
    }

    /// Runs the program `count` times over one frame; the last verdict, and the mean time.
    #[must_use]
    pub fn run_times(
        &self,
        netns: &Netns,
        ifindex: u32,
        frame: &[u8],
        count: u32,
    ) -> (Verdict, Duration) {
        netns.run(|| self.run_times_here(ifindex, frame, count))
    }

    fn run_times_here(&self, ifindex: u32, frame: &[u8], count: u32) -> (Verdict, Duration) {
        let result = self.repeat(ifindex, frame, count).unwrap_or_else(|e| {
            panic!(
                "the kernel does not run this: {}: {e:?}",
                crate::packet::describe(frame)
            )
        });
        (self.verdict(&result), result.duration)
    }

    fn repeat(
        &self,
        ifindex: u32,
        frame: &[u8],
        count: u32,
    ) -> Result<TestRunResult, ProgramError> {
        let (skb, xdp) = (skb(ifindex), xdp_md(ifindex, frame));
        let options = TestRunOptions {
            data_in: Some(frame),
            ctx_in: Some(match self.kind {
                Kind::Tc(_) => &skb,
                Kind::Xdp(_) => &xdp,
            }),
            repeat: count,
            ..TestRunOptions::default()
        };
        match &self.kind {
            Kind::Tc(program) => program.test_run(options),
            Kind::Xdp(program) => program.test_run(options),
        }
    }

    fn verdict(&self, result: &TestRunResult) -> Verdict {
        let code = result.return_value.cast_signed();
        match (&self.kind, code) {
            (Kind::Tc(_), -1 | 0) | (Kind::Xdp(_), 2) => Verdict::Accept,
            (Kind::Tc(_), 2) | (Kind::Xdp(_), 1) => Verdict::Drop,
            _ => panic!("{code} is no verdict of ours"),
        }
    }

    /// Sends a frame through the program once for each number, by which it is changed before. Returns
    /// how many were accepted.
    pub fn run_varied(
        &self,
        netns: &Netns,
        ifindex: u32,
        mut frame: Vec<u8>,
        numbers: Range<u32>,
        vary: impl Fn(u32, &mut [u8]) + Sync,
    ) -> u32 {
        netns.run(|| {
            let accepted = |number| {
                vary(number, &mut frame);
                let result = self.repeat(ifindex, &frame, 1);
                let result = result.unwrap_or_else(|e| panic!("the kernel does not run this: {e}"));
                self.verdict(&result) == Verdict::Accept
            };
            numbers.map(accepted).map(u32::from).sum()
        })
    }

    /// How many instructions the verifier walked through to accept it: what a change costs there
    /// shows here first.
    #[must_use]
    pub fn verified_instructions(&self) -> u32 {
        let info = match &self.kind {
            Kind::Tc(program) => program.info(),
            Kind::Xdp(program) => program.info(),
        };
        info.unwrap_or_else(|e| panic!("cannot ask about a program: {e}"))
            .verified_instruction_count()
            .unwrap_or_else(|| panic!("the kernel does not count verified instructions"))
    }

    fn of(info: ProgramInfo, name: &str) -> Self {
        let (label, attach) = (name.to_owned().into(), XdpAttachType::Interface);
        let kind = match info.program_type() {
            bpf_prog_type::BPF_PROG_TYPE_XDP => {
                Xdp::from_program_info(info, label, attach).map(Kind::Xdp)
            }
            _ => SchedClassifier::from_program_info(info, label).map(Kind::Tc),
        };
        let kind = kind.unwrap_or_else(|e| panic!("cannot open the program of {name}: {e}"));
        Self { kind }
    }
}

/// The number of the first program at a hook of clsact.
fn clsact_program(netns: &Netns, interface: &str, hook: Hook) -> u32 {
    let direction = match hook {
        Hook::FromVm => "ingress",
        Hook::ToVm => "egress",
    };
    let mut tc = Command::new("tc");
    tc.args(["-j", "filter", "show", "dev", interface, direction]);
    let shown = netns.run(|| tc.output());
    let shown = shown
        .unwrap_or_else(|e| panic!("cannot run tc: {e}"))
        .stdout;
    let filters: Value = serde_json::from_slice(&shown).unwrap_or_default();
    let mut filters = filters.as_array().into_iter().flatten();
    filters
        .find_map(|filter| filter.pointer("/options/prog/id")?.as_u64())
        .and_then(|id| u32::try_from(id).ok())
        .unwrap_or_else(|| panic!("no program at {hook:?} of {interface}"))
}

/// The elements of a pinned array, in their order.
#[must_use]
pub fn elements<const V: usize>(pin: &Path) -> Vec<[u8; V]> {
    let map = MapData::from_pin(pin).and_then(Map::from_map_data);
    let map = map.and_then(Array::<MapData, [u8; V]>::try_from);
    let map = map.unwrap_or_else(|e| panic!("cannot open the map {}: {e}", pin.display()));
    let elements: Result<Vec<_>, _> = map.iter().collect();
    elements.unwrap_or_else(|e| panic!("cannot read the map {}: {e}", pin.display()))
}

/// A pinned hash map, of keys of `K` and values of `V` bytes.
#[derive(Debug)]
pub struct PinnedHash<const K: usize, const V: usize> {
    map: HashMap<MapData, [u8; K], [u8; V]>,
}

impl<const K: usize, const V: usize> PinnedHash<K, V> {
    /// Opens it.
    #[must_use]
    pub fn open(pin: &Path) -> Self {
        let map = MapData::from_pin(pin).and_then(Map::from_map_data);
        let map = map.and_then(HashMap::try_from);
        Self {
            map: map.unwrap_or_else(|e| panic!("cannot open the map {}: {e}", pin.display())),
        }
    }

    /// Opens those within a pinned map of maps, by their slots.
    #[must_use]
    pub fn within(pin: &Path) -> BTreeMap<u32, Self> {
        let map = MapData::from_pin(pin).and_then(Map::from_map_data);
        let map = map.and_then(ArrayOfMaps::<MapData, _>::try_from);
        let map = map.unwrap_or_else(|e| panic!("cannot open the map {}: {e}", pin.display()));
        let slots = (0..map.len()).filter_map(|slot| match map.get(&slot, 0) {
            Ok(map) => Some((slot, Self { map })),
            Err(MapError::KeyNotFound) => None,
            Err(e) => panic!(
                "cannot open what is in slot {slot} of {}: {e}",
                pin.display()
            ),
        });
        slots.collect()
    }

    /// Its keys, as what they are.
    #[must_use]
    pub fn keys<T: AnyBitPattern>(&self) -> Vec<T> {
        self.raw_keys()
            .iter()
            .map(|key| pod_read_unaligned(key))
            .collect()
    }

    /// The value of a key.
    #[must_use]
    pub fn get(&self, key: [u8; K]) -> Option<[u8; V]> {
        match self.map.get(&key, 0) {
            Ok(value) => Some(value),
            Err(MapError::KeyNotFound) => None,
            Err(e) => panic!("cannot read an entry: {e}"),
        }
    }

    /// Gives a key a value.
    pub fn insert(&mut self, key: [u8; K], value: [u8; V]) {
        let inserted = self.map.insert(key, value, 0);
        inserted.unwrap_or_else(|e| panic!("cannot write an entry: {e}"));
    }

    /// Gives a key that has a value another one, or none. A key that has none is left alone.
    pub fn change(&mut self, key: [u8; K], value: Option<[u8; V]>) {
        if self.get(key).is_none() {
            return;
        }
        let changed = match value {
            Some(value) => self.map.insert(key, value, 0),
            None => self.map.remove(&key),
        };
        changed.unwrap_or_else(|e| panic!("cannot change an entry: {e}"));
    }

    /// Removes all entries.
    pub fn clear(&mut self) {
        for key in self.raw_keys() {
            self.map
                .remove(&key)
                .unwrap_or_else(|e| panic!("cannot remove an entry: {e}"));
        }
    }

    /// Its keys, as bytes.
    #[must_use]
    pub fn raw_keys(&self) -> Vec<[u8; K]> {
        let keys: Result<_, _> = self.map.keys().collect();
        keys.unwrap_or_else(|e| panic!("cannot read a map: {e}"))
    }
}

/// A pinned array with a value of `V` bytes for each CPU.
pub struct PinnedPerCpu<const V: usize> {
    map: PerCpuArray<MapData, [u8; V]>,
}

impl<const V: usize> PinnedPerCpu<V> {
    /// Opens it.
    #[must_use]
    pub fn open(pin: &Path) -> Self {
        let map = MapData::from_pin(pin).and_then(Map::from_map_data);
        let map = map.and_then(PerCpuArray::try_from);
        Self {
            map: map.unwrap_or_else(|e| panic!("cannot open the map {}: {e}", pin.display())),
        }
    }

    /// The values of an index, as what they are.
    #[must_use]
    pub fn get<T: AnyBitPattern>(&self, index: u32) -> Vec<T> {
        let values = self.map.get(&index, 0);
        let values = values.unwrap_or_else(|e| panic!("cannot read an element: {e}"));
        values
            .iter()
            .map(|value| pod_read_unaligned(value))
            .collect()
    }
}

impl<const V: usize> PinnedPerCpu<V> {
    /// Writes an element on every CPU.
    pub fn set(&mut self, index: u32, value: [u8; V]) {
        let cpus = nr_cpus().unwrap_or_else(|(file, e)| panic!("cannot read {file}: {e}"));
        let values = PerCpuValues::try_from(vec![value; cpus]);
        let set = values.map_err(MapError::from);
        let set = set.and_then(|values| self.map.set(index, values, 0));
        set.unwrap_or_else(|e| panic!("cannot write an element: {e}"));
    }
}

/// A `struct __sk_buff` (`include/uapi/linux/bpf.h`) that is zero but for the interface.
fn skb(ifindex: u32) -> [u8; 192] {
    const IFINDEX: usize = 40;

    let mut context = [0; 192];
    context[IFINDEX..IFINDEX + 4].copy_from_slice(&ifindex.to_ne_bytes());
    context
}

/// A `struct xdp_md` (`include/uapi/linux/bpf.h`) of a frame that has come to the interface.
fn xdp_md(ifindex: u32, frame: &[u8]) -> [u8; 24] {
    let (data, data_end, data_meta, queue, egress) = (0, frame.len() as u32, 0, 0, 0);
    bytemuck::cast([data, data_end, data_meta, ifindex, queue, egress].map(u32::to_ne_bytes))
}
