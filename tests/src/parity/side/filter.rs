//! The other side: this filter.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::Side;
use crate::node::Node;
use crate::parity::lab::Lab;
use crate::pinned;

/// This filter: `sgd` and the kernel object.
#[derive(Debug)]
pub struct Filter {
    lab: Lab,
    begun: Option<Value>,
    /// Settings that hold all the time.
    always: &'static str,
    settings: &'static str,
    node: Node,
}

impl Filter {
    /// A lab with a daemon, nothing applied.
    #[must_use]
    pub fn new() -> Self {
        Self::with("")
    }

    /// As [`Filter::new`], with these settings all the time.
    #[must_use]
    pub fn with(always: &'static str) -> Self {
        let mut node = Node::new("filter");
        for key in ["iptables", "ip6tables", "arptables"] {
            node.netns()
                .set(&format!("bridge/bridge-nf-call-{key}"), "0");
        }
        let lab = Lab::new(node.netns());
        write(
            &node.inventory_path(),
            "{\"ports\": [], \"security_groups\": [], \"address_groups\": []}",
        );
        let settings = node.directory().join("settings.toml");
        write(&settings, always);
        let file = settings.to_string_lossy();
        node.start_with(&[
            "--max-ports",
            "64",
            "--max-flows",
            "4096",
            "--settings",
            &file,
        ]);
        Self {
            lab,
            begun: None,
            always,
            settings: "",
            node,
        }
    }

    /// Makes these the settings, in the words of a settings file: `key = "value"` a line.
    pub fn set(&mut self, settings: &'static str) {
        if self.settings == settings {
            return;
        }
        let text = format!("{}\n{settings}", self.always);
        write(&self.node.directory().join("settings.toml"), &text);
        // The node may have settings of its own; those that were asked for before must be gone.
        let wanted: Vec<_> = pairs(settings).collect();
        let unwanted: Vec<_> = pairs(self.settings)
            .filter(|(key, _)| wanted.iter().all(|(other, _)| other != key))
            .collect();
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let status = self.node.query("status");
            let set = status["settings"]["settings"].as_array();
            let value = |key: &str| {
                let found = set.into_iter().flatten().find(|set| set["key"] == key);
                found.map(|set| &set["value"])
            };
            let taken = wanted
                .iter()
                .all(|(key, wanted)| value(key).is_some_and(|v| v == wanted));
            if taken && unwanted.iter().all(|(key, _)| value(key).is_none()) {
                break;
            }
            assert!(
                Instant::now() < deadline,
                "sgd does not take the settings {settings}: {status}"
            );
            thread::sleep(Duration::from_millis(20));
        }
        self.settings = settings;
    }

    fn document(&self) -> PathBuf {
        self.node.directory().join("desired.json")
    }
}

impl Default for Filter {
    fn default() -> Self {
        Self::new()
    }
}

impl Side for Filter {
    fn lab(&mut self) -> &mut Lab {
        &mut self.lab
    }

    fn begun(&mut self) -> &mut Option<Value> {
        &mut self.begun
    }

    fn enforce(&mut self, inventory: &Value, _fresh: bool) {
        let document = self.document();
        write(&document, &inventory.to_string());
        let output = self
            .node
            .sgctl_args(&["apply", "-f", &document.to_string_lossy()]);
        // 4: applied, and something was left out, as Neutron's API would have refused it.
        assert!(
            matches!(output.code, 0 | 4),
            "sgctl apply: {}{}",
            output.stdout,
            output.stderr
        );
    }

    fn forget(&mut self) {
        for name in ["flows4", "flows6", "embryos4", "embryos6", "fragments"] {
            pinned::clear(&self.node.map(name));
        }
    }
}

/// The keys and values of a settings file.
fn pairs(settings: &str) -> impl Iterator<Item = (&str, &str)> {
    let lines = settings.lines().filter_map(|line| line.split_once(" = "));
    lines.map(|(key, value)| (key, value.trim_matches('"')))
}

fn write(path: &Path, text: &str) {
    fs::write(path, text).unwrap_or_else(|e| panic!("cannot write {}: {e}", path.display()));
}
