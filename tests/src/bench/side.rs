//! Who is measured: nodes with the same port on the same wire, each filtered in another way.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use sg_common::hook::Hook;
use tempfile::TempDir;

use super::empty;
use super::kernel::{Link, Program};
use super::rules::{self, Size};
use crate::events::Listener;
use crate::inventory::Port;
use crate::netns::Netns;
use crate::node::Node;
use crate::parity::oracle::Oracle;

/// Room for connections of the measured port that are not proven yet, in builds that have it for each port: what
/// others have for all.
pub const UNPROVEN: u32 = 65_536;

/// The options that give it to the build of a node.
#[must_use]
pub fn room(node: &Node) -> Vec<String> {
    let option = "--max-unproven";
    match node.knows(option) {
        true => vec![option.to_owned(), UNPROVEN.to_string()],
        false => Vec::new(),
    }
}

/// `TC_ACT_SHOT`.
const DROP: i32 = 2;

/// A way of filtering.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Who {
    /// None, and no netfilter on the bridge.
    Nobody,
    /// A tc program at each hook that does nothing.
    Empty,
    /// A tc program at each hook that drops everything.
    Drop,
    /// The build to compare with.
    Base,
    /// This build, with all of it at tc.
    Ours,
    /// This build, with what VMs send filtered at XDP.
    Xdp,
    /// This build at tc, with a guard at XDP.
    Guard,
    /// This build at tc, with somebody who is told of a thousand refused packets a second.
    Told,
    /// Neutron's iptables, as its own code writes them.
    Neutron,
    /// nftables with sets and verdict maps.
    Sets,
}

/// What sides are built from.
#[derive(Clone, Debug)]
pub struct Workshop {
    /// The programs of the build to compare with.
    pub base: Option<PathBuf>,
    /// How many connections of IPv4 there is to be room for.
    pub flows: u32,
}

/// How the measured port is plugged in.
pub trait Wiring {
    /// Plugs it in, in a node's namespace.
    fn new(node: &Netns) -> Self;

    /// The index of the port's interface.
    fn ifindex(&self) -> u32;
}

/// A node whose measured port is filtered in some way.
pub struct Side<W> {
    /// In which.
    pub who: Who,
    /// By how many rules, for how many ports.
    pub size: Size,
    // In the order of dropping: links before the namespace.
    swap: Option<Swap>,
    /// The port's wire.
    pub wire: W,
    /// Whoever is told.
    _listener: Option<Listener>,
    foundation: Foundation,
}

/// What a side stands on; all of it goes with it.
enum Foundation {
    Bare(Netns),
    Filtered(Box<Node>),
    Neutron {
        oracle: Oracle,
        netns: Netns,
        _programs: TempDir,
    },
}

/// The programs at the hooks that have one, and the empty one to be put in their places.
struct Swap {
    places: Vec<(Link, Program)>,
    empty: Program,
}

impl Who {
    /// Whether a name is that of this build, however it is attached.
    #[must_use]
    pub fn is_ours(name: &str) -> bool {
        name.starts_with("ours")
    }

    /// The settings file of its daemon. The one port may have as many connections as there is room for: what a
    /// port has beyond its share is never established.
    fn settings(self) -> &'static str {
        match self {
            Self::Ours | Self::Told => "assured_per_port = \"unlimited\"\nfrom_vm = \"tc\"\n",
            Self::Xdp => "assured_per_port = \"unlimited\"\nfrom_vm = \"xdp\"\n",
            Self::Guard => "assured_per_port = \"unlimited\"\nfrom_vm = \"guard\"\n",
            _ => "assured_per_port = \"unlimited\"\n",
        }
    }

    /// Whether it accepts what rules refuse.
    #[must_use]
    pub fn is_open(self) -> bool {
        matches!(self, Self::Nobody | Self::Empty)
    }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Nobody => "no filter",
            Self::Empty => "empty program",
            Self::Drop => "tc drop",
            Self::Base => "base",
            Self::Ours => "ours, tc",
            Self::Xdp => "ours, xdp",
            Self::Guard => "ours, guard",
            Self::Told => "ours, told",
            Self::Neutron => "Neutron's iptables",
            Self::Sets => "nftables' sets",
        })
    }
}

impl<W: Wiring> Side<W> {
    /// Sets it up.
    ///
    /// # Panics
    /// If anything of it fails; the base without a build of it.
    #[must_use]
    pub fn new(who: Who, size: Size, workshop: &Workshop) -> Self {
        let inventory = rules::inventory(size);
        let mut listener = None;
        let (foundation, wire) = match who {
            Who::Nobody | Who::Empty | Who::Drop => {
                let netns = Netns::new("bare");
                bridge_netfilter(&netns, false);
                let wire = W::new(&netns);
                others(&netns, size);
                (Foundation::Bare(netns), wire)
            }
            Who::Base | Who::Ours | Who::Xdp | Who::Guard | Who::Told => {
                let node = Node::new(if who == Who::Base { "base" } else { "ours" });
                let mut node = match (who, &workshop.base) {
                    (Who::Base, Some(programs)) => node.with_programs(programs),
                    (Who::Base, None) => panic!("there is no build to compare with"),
                    _ => node,
                };
                bridge_netfilter(node.netns(), false);
                let wire = W::new(node.netns());
                others(node.netns(), size);
                node.write(&inventory);
                let (flows, room) = (workshop.flows.to_string(), room(&node));
                let mut options = vec!["--max-flows", flows.as_str()];
                let file = node.directory().join("settings.toml");
                let file = file.to_string_lossy().into_owned();
                fs::write(&file, who.settings())
                    .unwrap_or_else(|e| panic!("cannot write {file}: {e}"));
                options.extend(["--settings", &file]);
                // Each port has its own: with many it would be gigabytes, and they open few.
                if size.ports == 1 {
                    options.extend(room.iter().map(String::as_str));
                }
                node.start_with(&options);
                let told = json!({"all": ["drop"], "rate": 1000, "burst": 25});
                listener = (who == Who::Told).then(|| Listener::start(&node, &told));
                (Foundation::Filtered(Box::new(node)), wire)
            }
            Who::Neutron => {
                let netns = Netns::new("neutron");
                bridge_netfilter(&netns, true);
                let wire = W::new(&netns);
                others(&netns, size);
                let legacy = legacy();
                let mut oracle = Oracle::with_programs(netns.name(), legacy.path());
                let ports = rules::ports(size.ports);
                let local: Vec<_> = ports.iter().map(|port| port.id().to_string()).collect();
                let refused = oracle.apply(&inventory.json(), &local, true);
                assert!(refused.is_empty(), "Neutron refuses rules: {refused:?}");
                let foundation = Foundation::Neutron {
                    oracle,
                    netns,
                    _programs: legacy,
                };
                (foundation, wire)
            }
            Who::Sets => {
                let netns = Netns::new("nftables");
                bridge_netfilter(&netns, true);
                let wire = W::new(&netns);
                others(&netns, size);
                nft(&netns, &rules::nftables(size));
                (Foundation::Bare(netns), wire)
            }
        };
        let mut side = Self {
            who,
            size,
            swap: None,
            wire,
            foundation,
            _listener: listener,
        };
        side.swap = side.swap();
        side
    }

    /// The node's namespace.
    #[must_use]
    pub fn netns(&self) -> &Netns {
        match &self.foundation {
            Foundation::Bare(netns) | Foundation::Neutron { netns, .. } => netns,
            Foundation::Filtered(node) => node.netns(),
        }
    }

    /// Whether it can stand in for its own reference: programs can be swapped for empty ones.
    #[must_use]
    pub fn swaps(&self) -> bool {
        self.swap.is_some()
    }

    /// Puts empty programs in place of its own, where it has some.
    pub fn bypass(&self) {
        for (swap, (link, _)) in self.places() {
            link.put(&swap.empty);
        }
    }

    /// Puts its own programs in place.
    pub fn engage(&self) {
        for (_, (link, own)) in self.places() {
            link.put(own);
        }
    }

    fn places(&self) -> impl Iterator<Item = (&Swap, &(Link, Program))> {
        let swap = self.swap.iter();
        swap.flat_map(|swap| swap.places.iter().map(move |place| (swap, place)))
    }

    /// Brings it to an inventory, which is given as text as well; returns when that is enforced.
    ///
    /// # Panics
    /// If it is refused, or there is nobody to enforce it.
    pub fn apply(&mut self, document: &Value, text: &str) {
        match &mut self.foundation {
            Foundation::Filtered(node) => node.put(text),
            Foundation::Neutron { oracle, .. } => {
                let ports = rules::ports(self.size.ports);
                let plugged: BTreeSet<_> = ports.iter().map(|port| port.id().to_string()).collect();
                let listed = document["ports"].as_array().into_iter().flatten();
                let listed = listed.filter_map(|port| port["id"].as_str().map(str::to_owned));
                let local: Vec<_> = listed.filter(|id| plugged.contains(id)).collect();
                oracle.apply(document, &local, false);
            }
            Foundation::Bare(_) => panic!("{} takes no inventories", self.who),
        }
    }

    fn swap(&self) -> Option<Swap> {
        let empty = empty::saying(empty::NEXT);
        let (who, ifindex) = (self.who, self.wire.ifindex());
        let place = |hook| match who {
            Who::Empty | Who::Drop => {
                let code = if who == Who::Drop { DROP } else { empty::NEXT };
                let own = empty::saying(code);
                Some((Link::tcx(&own, ifindex, hook), own))
            }
            _ => Link::of(ifindex, hook),
        };
        let places = self.netns().run(|| Hook::ALL.map(place));
        let places: Vec<_> = places.into_iter().flatten().collect();
        (!places.is_empty()).then_some(Swap { places, empty })
    }
}

/// Whether frames on bridges of the namespace go through iptables.
fn bridge_netfilter(netns: &Netns, on: bool) {
    for key in ["iptables", "ip6tables"] {
        netns.set(
            &format!("bridge/bridge-nf-call-{key}"),
            if on { "1" } else { "0" },
        );
    }
    netns.set("bridge/bridge-nf-call-arptables", "0");
}

/// Makes the interfaces of the other ports, which nothing is sent through: in pairs, for that is quick.
fn others(netns: &Netns, size: Size) {
    let ports = rules::ports(size.ports);
    for pair in ports[1..].chunks(2) {
        let name = |at: usize| pair.get(at).map(Port::interface);
        let one = name(0).unwrap_or_default();
        let other = name(1).unwrap_or_else(|| "unused".to_owned());
        netns.ip(&format!("link add {one} type veth peer name {other}"));
    }
}

fn nft(netns: &Netns, rules: &str) {
    let file = tempfile::NamedTempFile::new().unwrap_or_else(|e| panic!("no temporary file: {e}"));
    fs::write(file.path(), rules).unwrap_or_else(|e| panic!("cannot write rules: {e}"));
    let output = netns.run(|| Command::new("nft").arg("-f").arg(file.path()).output());
    let output = output.unwrap_or_else(|e| panic!("cannot run nft (package nftables): {e}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "nft takes no rules: {said}");
}

/// A folder in which iptables is the one of x_tables, where the system has both: the cheaper one for packets.
fn legacy() -> TempDir {
    let folder = tempfile::tempdir().unwrap_or_else(|e| panic!("no temporary folder: {e}"));
    for family in ["iptables", "ip6tables"] {
        for verb in ["", "-save", "-restore"] {
            let real = Path::new("/usr/sbin").join(format!("{family}-legacy{verb}"));
            if real.exists() {
                let name = folder.path().join(format!("{family}{verb}"));
                std::os::unix::fs::symlink(&real, &name)
                    .unwrap_or_else(|e| panic!("cannot link {}: {e}", real.display()));
            }
        }
    }
    folder
}
