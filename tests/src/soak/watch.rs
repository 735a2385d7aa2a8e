//! What a node takes.

use std::fmt;
use std::fs;
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use serde_json::Value;

use crate::node::Node;

/// Time in which the daemon gives back what it does not need, and the kernel frees what is gone.
const SETTLING: Duration = Duration::from_secs(3);

/// The tables of the policy, which hold what the inventory says and nothing else.
const POLICY: [&str; 8] = [
    "ports",
    "addresses",
    "policies",
    "members",
    "prefixes",
    "grants",
    "port_sets",
    "port_pairs",
];

/// What there is at a moment.
#[derive(Clone, Debug)]
pub struct Sample {
    after: Duration,
    /// MiB that the daemon has in memory.
    pub memory: u64,
    /// Files that it has open.
    pub files: usize,
    /// Rows of the tables of the policy.
    pub rows: Vec<u64>,
    /// Links that are pinned.
    pub links: usize,
    /// Programs in the kernel that work on the node's maps.
    pub programs: usize,
    /// MiB that the maps take.
    pub maps: u64,
    ports: String,
    flows: u64,
    put_back: u64,
}

/// Looks at a node.
pub struct Watch;

impl Watch {
    /// When all has settled.
    #[must_use]
    pub fn settled(node: &Node) -> Sample {
        sleep(SETTLING);
        Self::now(node, Duration::ZERO)
    }

    /// Now, so long after the beginning.
    #[must_use]
    pub fn now(node: &Node, after: Duration) -> Sample {
        let process = format!("/proc/{}", node.daemon_pid());
        let status = fs::read_to_string(format!("{process}/status")).unwrap_or_default();
        let memory = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let memory = memory.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
        let count = |directory: &str| fs::read_dir(directory).map_or(0, Iterator::count);
        let status = node.query("status");
        let used = |name: &str| {
            let mut tables = status["tables"].as_array().into_iter().flatten();
            let table = tables.find(|table| table["name"] == name);
            table.and_then(|table| table["used"].as_u64()).unwrap_or(0)
        };
        let links = node.map("ports");
        let links = links
            .ancestors()
            .nth(2)
            .map(|version| version.join("links"));
        let ports = &status["ports"];
        Sample {
            after,
            memory: memory.unwrap_or(0) / 1024,
            files: count(&format!("{process}/fd")),
            rows: POLICY.map(used).into(),
            links: links.map_or(0, |links| count(&links.to_string_lossy())),
            programs: programs(node),
            maps: status["memory"].as_u64().unwrap_or(0) >> 20,
            ports: format!("{}+{}", ports["enforcing"], ports["elsewhere"]),
            flows: used("flows4") + used("embryos4"),
            put_back: ["restored", "retaken"]
                .map(|count| status[count].as_u64().unwrap_or(0))
                .iter()
                .sum(),
        }
    }
}

impl Sample {
    /// What its line says.
    pub const HEADER: &str =
        "   AFTER  PORTS  FLOWS  ROWS  MIB  FILES  LINKS  PROGRAMS  MAPS MIB  PUT BACK";
}

impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.after.as_secs();
        write!(
            f,
            "{:>5}:{:02}  {:>5}  {:>5}  {:>4}  {:>3}  {:>5}  {:>5}  {:>8}  {:>8}  {:>8}",
            seconds / 60,
            seconds % 60,
            self.ports,
            self.flows,
            self.rows.iter().sum::<u64>(),
            self.memory,
            self.files,
            self.links,
            self.programs,
            self.maps,
            self.put_back
        )
    }
}

/// How many programs there are in the kernel that work on the ports of a node.
fn programs(node: &Node) -> usize {
    let map = node.map("slot_ports");
    let map = bpftool(&["map", "show", "pinned", &map.to_string_lossy()]);
    let programs = bpftool(&["prog", "show"]);
    let has = |program: &&Value| {
        let maps = program["map_ids"].as_array().into_iter().flatten();
        maps.into_iter().any(|id| *id == map["id"])
    };
    programs
        .as_array()
        .into_iter()
        .flatten()
        .filter(has)
        .count()
}

fn bpftool(arguments: &[&str]) -> Value {
    let shown = Command::new("bpftool").arg("-j").args(arguments).output();
    let shown = shown
        .ok()
        .and_then(|out| serde_json::from_slice(&out.stdout).ok());
    shown.unwrap_or(Value::Null)
}
