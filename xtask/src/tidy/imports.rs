//! The order of the folders of a crate: what stands in one imports from it or from those before it, and in
//! `sg-common` no file imports itself by way of others.

use std::collections::{BTreeMap, BTreeSet};

/// A crate whose folders have an order.
pub struct Order {
    /// Where its files are.
    pub sources: &'static str,
    /// Modules at its root, each built on those before it.
    folders: &'static [&'static str],
    /// Whether the order holds between the files of a folder too.
    within: bool,
}

/// Every such crate.
pub const ORDERS: &[Order] = &[
    Order {
        sources: "sg-common/src",
        folders: COMMON,
        within: true,
    },
    Order {
        sources: "sg-userspace/src",
        folders: USERSPACE,
        within: false,
    },
    Order {
        sources: "sg-api/src",
        folders: API,
        within: false,
    },
];

const API: &[&str] = &[
    // Words and numbers.
    "python",
    "net",
    "exit",
    "error",
    // From a request and a world to an answer and writes.
    "attributes",
    "objects",
    "world",
    "query",
    "resource",
    "openapi",
    "api",
    // The store, the filter of this node, and the doors.
    "node",
    "commit",
    "serve",
    "cli",
];

const USERSPACE: &[&str] = &[
    // Words and numbers.
    "plain",
    "exit",
    "memory", // From Neutron's objects to the writes that the maps need.
    "model",
    "evaluate",
    "compile",
    "plan",
    "packet",
    "flows",
    // What is asked and shown.
    "view", // What the host offers.
    "host",
    "error",
    "named",
    "netlink",
    "ctnetlink",
    "store",
    "settings",
    // What the kernel tells as it happens.
    "events",
    "logs",
    // What Prometheus is told.
    "metrics", // What to do on which event, and what it is done to.
    "agent",
    "datapath", // The doors.
    "service",
    "api",
    "cli",
    // What says what is to be enforced.
    "source",
    "daemon",
    "close",
];

const COMMON: &[&str] = &[
    // Words: where a packet is met, and why it passed or fell.
    "hook",
    "reason",
    // Bytes and protocol numbers.
    "wire",
    // What the maps hold, row by row; nothing that asks.
    "layout",
    "tables",
    "memory",
    "packet",
    "conntrack",
    "sweep",
    // Room for what all of these read.
    "scratch",
    // What asks the tables.
    "stage",
    "filter",
    "guard",
];

/// A module by its path in the crate: `["layout", "flow"]`.
type Module = Vec<String>;

/// What breaks the order in the files of a crate, which are given by their paths from its `src`. Tests
/// and what they share may import anything.
pub fn breaches<'a>(
    order: &Order,
    files: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Vec<String> {
    let place = |module: &Module| order.folders.iter().position(|root| module[0] == *root);
    let files: BTreeMap<Module, (&str, &str)> = files
        .into_iter()
        .filter_map(|(path, text)| Some((module(path)?, (path, text))))
        .collect();
    let imports: BTreeMap<&Module, BTreeSet<&Module>> = files
        .iter()
        .map(|(module, (_, text))| (module, imports(module, text, &files)))
        .collect();
    let mut breaches = Vec::new();
    for (module, imported) in &imports {
        let path = files[*module].0;
        let Some(own) = place(module) else {
            breaches.push(format!(
                "{path}: no place among the folders (xtask/src/tidy/imports.rs)"
            ));
            continue;
        };
        for other in imported {
            if place(other).is_some_and(|other| other > own) {
                breaches.push(format!(
                    "{path}: `crate::{}`: {} is built on {}, not the reverse",
                    other.join("::"),
                    other[0],
                    module[0]
                ));
            }
        }
        if order.within && reaches(module, module, &imports) {
            breaches.push(format!(
                "{path}: imports itself by way of others: imports run one way"
            ));
        }
    }
    breaches
}

/// The module of a file; `None` for the root of the crate, and for tests.
fn module(path: &str) -> Option<Module> {
    let path = path.strip_suffix(".rs")?;
    let mut module: Module = path.split('/').map(str::to_owned).collect();
    if module.last()? == "mod" {
        module.pop();
    }
    let spared = |name: &String| {
        matches!(
            name.as_str(),
            "tests" | "testing" | "double" | "lib" | "bin"
        )
    };
    (!module.is_empty() && !module.iter().any(spared)).then_some(module)
}

/// The other files that a file names: behind `crate::`, `super::` or `self::`, or as a child.
fn imports<'a>(
    of: &Module,
    text: &str,
    files: &'a BTreeMap<Module, (&str, &str)>,
) -> BTreeSet<&'a Module> {
    let code = code(text);
    let mut paths = Vec::new();
    let parent = &of[..of.len() - 1];
    for (root, base) in [("crate::", &[][..]), ("super::", parent), ("self::", of)] {
        for (at, _) in code.match_indices(root) {
            if !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_') {
                tree(&code[at + root.len()..], base.to_vec(), &mut paths);
            }
        }
    }
    let children = files
        .keys()
        .filter(|module| module.len() == of.len() + 1 && module.starts_with(of));
    for child in children {
        let name = format!("{}::", child[of.len()]);
        let named = code.match_indices(&name).any(|(at, _)| {
            !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':')
        });
        if named {
            paths.push(child.clone());
        }
    }
    paths
        .iter()
        .filter_map(|path| file_of(path, files))
        .filter(|module| *module != of)
        .collect()
}

/// The file in which an item is: the longest beginning of its path that is one.
fn file_of<'a>(path: &Module, files: &'a BTreeMap<Module, (&str, &str)>) -> Option<&'a Module> {
    (1..=path.len())
        .rev()
        .find_map(|length| files.get_key_value(&path[..length].to_vec()))
        .map(|(module, _)| module)
}

/// Reads the paths of a `use` after its root, with braces; returns what stands behind them.
fn tree<'a>(mut rest: &'a str, mut path: Module, paths: &mut Vec<Module>) -> &'a str {
    loop {
        rest = rest.trim_start();
        if let Some(mut inner) = rest.strip_prefix('{') {
            while !inner.trim_start().starts_with('}') && !inner.is_empty() {
                let next = tree(inner, path.clone(), paths);
                let behind = next.find([',', '}']).unwrap_or(next.len());
                inner = next[behind..].strip_prefix(',').unwrap_or(&next[behind..]);
            }
            return inner.trim_start().strip_prefix('}').unwrap_or("");
        }
        let end = rest
            .find(|c: char| !(c.is_alphanumeric() || c == '_'))
            .unwrap_or(rest.len());
        let (name, behind) = rest.split_at(end);
        if !name.is_empty() && name != "self" {
            path.push(name.to_owned());
        }
        match behind.strip_prefix("::") {
            Some(next) => rest = next,
            None => {
                paths.push(path);
                return behind;
            }
        }
    }
}

/// The code of a file: without comments, and without the tests at its end.
fn code(text: &str) -> String {
    text.lines()
        .take_while(|line| *line != "mod tests {")
        .map(|line| line.split("//").next().unwrap_or(line))
        .collect::<Vec<_>>()
        .join("\n")
}

/// Whether a file imports another one, itself or through others.
fn reaches(from: &Module, to: &Module, imports: &BTreeMap<&Module, BTreeSet<&Module>>) -> bool {
    let mut seen = BTreeSet::new();
    let mut next: Vec<&Module> = imports[from].iter().copied().collect();
    while let Some(module) = next.pop() {
        if module == to {
            return true;
        }
        if seen.insert(module) {
            next.extend(imports[module].iter().copied());
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_common<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Vec<String> {
        breaches(&ORDERS[0], files)
    }

    const FLOW: (&str, &str) = ("layout/flow.rs", "");
    const STAGE: (&str, &str) = ("stage/mod.rs", "");

    #[test]
    fn a_folder_may_import_from_those_before_it_and_from_itself() {
        let files = [
            FLOW,
            ("layout/maps.rs", "use crate::layout::flow::Flow;"),
            ("stage/port.rs", "use crate::layout::{flow::{Flow}, maps};"),
            ("filter.rs", "use crate::stage::port;"),
            STAGE,
        ];
        assert_eq!(in_common(files), [""; 0]);
    }

    #[test]
    fn a_folder_may_not_import_from_those_behind_it() {
        for import in [
            "use crate::stage::Context;",
            "use crate::{hook::Hook, stage::{Context}};",
            "use super::super::stage::Context;\nuse crate::stage;",
            "    pub at: crate::stage::Context,",
            "use crate::{\n    hook::Hook,\n    stage,\n};",
        ] {
            let breaches = in_common([("layout/flow.rs", import), STAGE]);
            assert_eq!(breaches.len(), 1, "{import}: {breaches:?}");
            assert!(breaches[0].contains("layout/flow.rs"), "{breaches:?}");
        }
    }

    #[test]
    fn no_file_imports_itself_by_way_of_others() {
        let files = [
            (
                "conntrack/mod.rs",
                "mod tcp;\npub struct Room(tcp::Segment);",
            ),
            ("conntrack/tcp.rs", "use crate::conntrack::Room;"),
            ("conntrack/udp.rs", "use super::tcp::Segment;"),
        ];
        let breaches = in_common(files);
        assert_eq!(breaches.len(), 2, "{breaches:?}");
        assert!(breaches.iter().all(|breach| !breach.contains("udp.rs")));
    }

    #[test]
    fn comments_and_tests_import_nothing() {
        let text =
            "/// See [`crate::stage::Context`].\nmod tests {\n    use crate::stage::Context;\n}";
        assert_eq!(in_common([("layout/flow.rs", text), STAGE]), [""; 0]);
        let tests = ("layout/flow/tests.rs", "use crate::stage::Context;");
        assert_eq!(in_common([tests, FLOW, STAGE]), [""; 0]);
    }

    #[test]
    fn what_is_shown_knows_neither_the_agent_nor_the_interface() {
        let (agent, api) = ("agent/mod.rs", "api/mod.rs");
        let files = [
            ("view/mod.rs", "use crate::agent::Agent;"),
            (
                agent,
                "mod views;\nuse crate::{view::StatusView, api::Client};",
            ),
            ("agent/views.rs", "use super::Agent;"),
            (api, "use crate::{agent::Agent, view::StatusView};"),
        ];
        let breaches = breaches(&ORDERS[1], files);
        assert_eq!(breaches.len(), 2, "{breaches:?}");
        assert!(breaches[0].contains("agent/mod.rs"), "{breaches:?}");
        assert!(breaches[1].contains("view/mod.rs"), "{breaches:?}");
    }

    #[test]
    fn a_new_module_needs_a_place() {
        assert_eq!(in_common([("novel.rs", "")]).len(), 1);
    }
}
