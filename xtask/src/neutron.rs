//! Neutron itself, whose own code writes the iptables rules that are compared with.

use std::path::PathBuf;

use anyhow::Result;

use crate::{debian::Program, python::Environment, workspace::Workspace};

/// The release of Neutron that is compared with.
pub const RELEASE: &str = "neutron==29.0.0";

const ALONE: Environment = Environment {
    name: "oracle",
    packages: &[RELEASE],
};

/// What Neutron's firewall runs beside the programs of the tests, and what its Python needs.
pub const PROGRAMS: [Program; 3] = [
    Program {
        name: "ipset",
        package: "ipset",
    },
    Program {
        name: "ebtables",
        package: "ebtables",
    },
    Program {
        name: "python3",
        package: "python3",
    },
];

/// The Python of an environment that has Neutron, made on first use.
///
/// # Errors
/// As [`Environment::programs`].
pub fn python(workspace: &Workspace) -> Result<PathBuf> {
    Ok(ALONE.programs(workspace)?.join("python"))
}
