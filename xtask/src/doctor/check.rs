//! The checks: one row for each thing building or running the filter needs.

use std::path::Path;

use caps::Capability;
use serde::Serialize;

use crate::{
    debian::{self, Apt, PROGRAMS},
    host::{self, Kernel},
    toolchain::{self, Facts, Step, Toolchain},
    workspace::Workspace,
};

/// One thing looked at.
#[derive(Debug, Serialize)]
pub struct Check {
    /// What was looked at.
    pub name: String,
    /// How it is.
    pub state: State,
    /// What was found, in words.
    pub found: String,
    /// What to do about it; empty when there is nothing to do.
    pub next: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// There, and fit.
    Ok,
    /// Missing; the verbs that need it install it.
    Installable,
    /// Missing, and the filter runs without.
    Optional,
    /// Missing, needed, and not ours to install.
    Missing,
}

/// What building needs.
pub fn building(workspace: &Workspace) -> Vec<Check> {
    let (facts, decision) = toolchain::look(workspace);
    let [compiler, linker] = toolchain_checks(&facts, &decision);
    let mut checks = vec![compiler, linker];
    checks.extend(facts.unfit.iter().map(|unfit| {
        Check::new(
            "found, but unfit",
            Err((State::Optional, unfit.clone(), String::new())),
        )
    }));
    checks.push(Check::new("packages", Ok(facts.apt.words().to_owned())));
    let programs = debian::needed_protoc().iter().chain(&PROGRAMS);
    checks.extend(programs.map(|program| {
        let found = program
            .find(workspace)
            .map(|path| path.display().to_string());
        let missing = match facts.apt {
            Apt::Usable => (State::Installable, INSTALLED_BY_VERBS.to_owned()),
            Apt::NotRoot if program.is_unpacked() => {
                (State::Installable, INSTALLED_BY_VERBS.to_owned())
            }
            Apt::NotRoot => {
                let package = program.package;
                let command = format!("apt-get install -y --no-install-recommends {package}");
                (State::Missing, command)
            }
            Apt::Absent => (
                State::Missing,
                "install it with your system's packages".to_owned(),
            ),
        };
        Check::new(
            program.name,
            found.ok_or_else(|| (missing.0, "no".to_owned(), missing.1)),
        )
    }));
    checks
}

const INSTALLED_BY_VERBS: &str = "nothing: the command that needs it installs it";

/// The compiler and the linker; the first that is missing carries the next step.
fn toolchain_checks(facts: &Facts, decision: &Result<Toolchain, Step>) -> [Check; 2] {
    let step = match decision {
        Ok(Toolchain { compiler, linker }) => {
            return [
                Check::new("compiler", Ok(compiler.to_string())),
                Check::new("bpf-linker", Ok(linker.to_string())),
            ];
        }
        Err(step) => step,
    };
    let missing = |found: String| {
        Err(if step.possible(facts.apt) {
            (State::Installable, found, INSTALLED_BY_VERBS.to_owned())
        } else {
            (State::Missing, found, step.commands(facts.apt).join("\n"))
        })
    };
    let compilers: Vec<String> = facts.compilers.iter().map(ToString::to_string).collect();
    if compilers.is_empty() {
        let waits = (
            State::Optional,
            "not looked for".to_owned(),
            "the compiler first".to_owned(),
        );
        [
            Check::new("compiler", missing(format!("missing: {}", step.missing()))),
            Check::new("bpf-linker", Err(waits)),
        ]
    } else {
        [
            Check::new("compiler", Ok(compilers.join("\n"))),
            Check::new(
                "bpf-linker",
                missing(format!("missing: {}", step.missing())),
            ),
        ]
    }
}

/// What the kernel has.
pub fn kernel() -> Vec<Check> {
    let kernel = Kernel::running();
    let feature = |feature: host::Feature, otherwise, without: &str| {
        let (major, minor) = feature.since;
        let next = format!("{without} (Linux {major}.{minor})");
        Check::present(feature.name, kernel.has(feature), otherwise, &next)
    };
    vec![
        Check::new("kernel", Ok(kernel.release.clone())),
        Check::present(
            "BTF",
            host::has_btf(),
            State::Optional,
            "no /sys/kernel/btf/vmlinux: dumps of kernel types lack names",
        ),
        feature(
            host::TCX,
            State::Optional,
            "without it programs are attached through clsact",
        ),
        feature(
            host::RING_BUFFER,
            State::Missing,
            "a newer kernel is needed",
        ),
        feature(
            host::TIMER,
            State::Optional,
            "without it the daemon removes expired connections, as long as it runs",
        ),
        feature(host::LOOP, State::Missing, "a newer kernel is needed"),
        Check::present(
            "bpf file system",
            host::is_bpffs("/sys/fs/bpf"),
            State::Optional,
            "for the daemon: mount -t bpf bpf /sys/fs/bpf",
        ),
        Check::present(
            "/dev/net/tun",
            Path::new("/dev/net/tun").exists(),
            State::Missing,
            "modprobe tun, or: mkdir -p /dev/net && mknod /dev/net/tun c 10 200",
        ),
    ]
}

/// What this process may.
pub fn rights() -> Vec<Check> {
    let needed = [Capability::CAP_NET_ADMIN, Capability::CAP_SYS_ADMIN];
    let mut checks = vec![Check::present(
        "root",
        host::is_root(),
        State::Missing,
        "run as root (sudo)",
    )];
    checks.extend(needed.map(|capability| {
        Check::present(
            &capability.to_string(),
            host::has_capability(capability),
            State::Missing,
            "run as root, outside a container or in a privileged one",
        )
    }));
    checks
}

impl State {
    /// For people.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Installable => "to install",
            Self::Optional => "optional",
            Self::Missing => "MISSING",
        }
    }
}

impl Check {
    fn new(name: impl Into<String>, found: Result<String, (State, String, String)>) -> Self {
        let name = name.into();
        match found {
            Ok(found) => Self {
                name,
                state: State::Ok,
                found,
                next: String::new(),
            },
            Err((state, found, next)) => Self {
                name,
                state,
                found,
                next,
            },
        }
    }

    /// A check of something that is there or not.
    fn present(name: &str, present: bool, otherwise: State, next: &str) -> Self {
        let found = present
            .then(|| "yes".to_owned())
            .ok_or_else(|| (otherwise, "no".to_owned(), next.to_owned()));
        Self::new(name, found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn states(facts: &Facts, step: Step) -> [State; 2] {
        toolchain_checks(facts, &Err(step)).map(|check| check.state)
    }

    #[test]
    fn a_compiler_that_is_missing_is_not_called_ok() {
        let step = || Step::Packages(vec!["rustc-web".to_owned()]);
        let root = Facts {
            apt: Apt::Usable,
            ..Facts::default()
        };
        assert_eq!(states(&root, step()), [State::Installable, State::Optional]);
        let user = Facts {
            apt: Apt::NotRoot,
            ..Facts::default()
        };
        assert_eq!(states(&user, step()), [State::Missing, State::Optional]);
    }
}
