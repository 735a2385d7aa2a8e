//! The process that turns inventories into Neutron's iptables rules.

use std::env;
use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

/// A running `tests/oracle/oracle.py`, ended on drop.
#[derive(Debug)]
pub struct Oracle {
    child: Child,
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Oracle {
    /// Starts it for a namespace.
    ///
    /// # Panics
    /// If `SG_ORACLE_PYTHON` does not name a Python that has Neutron: `cargo xtask parity` sees to it.
    #[must_use]
    pub fn start(netns: &str) -> Self {
        Self::run(netns, &env::var_os("PATH").unwrap_or_default())
    }

    /// The same, with the programs in this folder instead of the system's where it has some.
    ///
    /// # Panics
    /// As [`Oracle::start`].
    #[must_use]
    pub fn with_programs(netns: &str, folder: &Path) -> Self {
        let system = env::var_os("PATH").unwrap_or_default();
        let folders = [folder.to_owned()].into_iter();
        let path = env::join_paths(folders.chain(env::split_paths(&system)));
        let path = path.unwrap_or_else(|e| panic!("PATH cannot have {}: {e}", folder.display()));
        Self::run(netns, &path)
    }

    fn run(netns: &str, path: &OsStr) -> Self {
        let python = env::var_os("SG_ORACLE_PYTHON").unwrap_or_else(|| {
            panic!("SG_ORACLE_PYTHON is not set: run this through `cargo xtask parity`")
        });
        let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("oracle/oracle.py");
        let mut child = Command::new(&python)
            .arg(script)
            .arg(netns)
            .env("PATH", path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // What Neutron's libraries say of themselves; an error comes as an answer.
            .stderr(Stdio::null())
            // Ctrl-C is for us, who then end it in order.
            .process_group(0)
            .spawn()
            .unwrap_or_else(|e| panic!("cannot start {}: {e}", python.display()));
        let (Some(orders), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
            unreachable!("both were asked for")
        };
        Self {
            child,
            orders: Some(orders),
            answers: BufReader::new(answers),
        }
    }

    /// Brings the rules to an inventory; the rules of it that Neutron's API refuses.
    pub fn apply(&mut self, inventory: &Value, local: &[String], fresh: bool) -> Vec<Value> {
        let answer = self.ask(&json!({ "fresh": fresh, "local": local, "inventory": inventory }));
        answer["refused"].as_array().cloned().unwrap_or_default()
    }

    /// The rules, sets and connections of the namespace as their tools print them.
    pub fn dump(&mut self) -> Value {
        self.ask(&json!({ "dump": true }))
    }

    fn ask(&mut self, order: &Value) -> Value {
        let orders = self
            .orders
            .as_mut()
            .unwrap_or_else(|| unreachable!("taken only on drop"));
        writeln!(orders, "{order}").unwrap_or_else(|e| panic!("the oracle has ended: {e}"));
        let mut line = String::new();
        self.answers
            .read_line(&mut line)
            .unwrap_or_else(|e| panic!("the oracle does not answer: {e}"));
        let answer: Value = serde_json::from_str(&line)
            .unwrap_or_else(|e| panic!("the oracle answers no JSON ({e}): {line}"));
        assert!(
            answer["error"].is_null(),
            "Neutron fails on {order}:\n{}",
            answer["error"].as_str().unwrap_or_default()
        );
        answer
    }
}

impl Drop for Oracle {
    fn drop(&mut self) {
        // The end of its input is the order to stop.
        drop(self.orders.take());
        let _ = self.child.wait();
    }
}
