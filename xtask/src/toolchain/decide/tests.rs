use std::path::PathBuf;

use super::*;
use crate::toolchain::compiler::{Core, Version};

fn debian(llvm: u32) -> Compiler {
    Compiler {
        rustc: PathBuf::from("/usr/bin/rustc"),
        cargo: None,
        version: Version {
            release: (1, 96),
            llvm,
        },
        core: Core::Prebuilt,
    }
}

fn nightly(llvm: u32) -> Compiler {
    Compiler {
        rustc: PathBuf::from("/home/me/.rustup/toolchains/nightly/bin/rustc"),
        cargo: Some(PathBuf::from(
            "/home/me/.rustup/toolchains/nightly/bin/cargo",
        )),
        version: Version {
            release: (1, 97),
            llvm,
        },
        core: Core::Source,
    }
}

fn linker(llvm: u32) -> Linker {
    Linker {
        path: PathBuf::from("/somewhere/bpf-linker"),
        llvm,
    }
}

fn packages(names: &[&str]) -> Result<Toolchain, Step> {
    Err(Step::Packages(
        names.iter().map(|&name| name.to_owned()).collect(),
    ))
}

#[test]
fn a_bare_machine_gets_debians_compiler() {
    assert_eq!(
        decide(&Facts::default()),
        packages(&["rustc-web", "libstd-rust-web-dev-bpf"])
    );
}

#[test]
fn the_llvm_package_is_that_of_the_compiler() {
    let facts = Facts {
        compilers: vec![debian(23)],
        ..Facts::default()
    };
    assert_eq!(decide(&facts), packages(&["llvm-23-dev"]));
}

#[test]
fn the_linker_is_built_with_an_llvm_of_at_least_the_compilers() {
    let facts = Facts {
        compilers: vec![debian(22)],
        llvm: vec![21, 22, 23],
        ..Facts::default()
    };
    assert_eq!(decide(&facts), Err(Step::Linker { llvm: 22 }));
    let facts = Facts {
        compilers: vec![debian(22)],
        llvm: vec![23],
        ..Facts::default()
    };
    assert_eq!(decide(&facts), Err(Step::Linker { llvm: 23 }));
    let facts = Facts {
        compilers: vec![debian(22)],
        llvm: vec![21],
        ..Facts::default()
    };
    assert_eq!(decide(&facts), packages(&["llvm-22-dev"]));
}

#[test]
fn a_linker_older_than_the_compiler_is_not_used() {
    let facts = Facts {
        compilers: vec![debian(22)],
        linkers: vec![linker(21)],
        llvm: vec![22],
        ..Facts::default()
    };
    assert_eq!(decide(&facts), Err(Step::Linker { llvm: 22 }));
}

#[test]
fn a_complete_pair_wins_over_a_better_compiler_that_lacks_a_linker() {
    let facts = Facts {
        compilers: vec![nightly(23), debian(22)],
        linkers: vec![linker(22)],
        llvm: vec![23],
        ..Facts::default()
    };
    let toolchain = decide(&facts).unwrap();
    assert_eq!(
        toolchain,
        Toolchain {
            compiler: debian(22),
            linker: linker(22)
        }
    );
}

#[test]
fn of_two_complete_pairs_the_nightly_is_used() {
    let facts = Facts {
        compilers: vec![nightly(22), debian(22)],
        linkers: vec![linker(22)],
        ..Facts::default()
    };
    assert_eq!(decide(&facts).unwrap().compiler, nightly(22));
}

#[test]
fn a_nightly_whose_llvm_is_not_here_leaves_the_packages_to_debians_compiler() {
    let facts = Facts {
        compilers: vec![nightly(24)],
        llvm: vec![22],
        ..Facts::default()
    };
    assert_eq!(
        decide(&facts),
        packages(&["rustc-web", "libstd-rust-web-dev-bpf"])
    );
}

#[test]
fn packages_are_installed_by_root_on_debian_only() {
    let step = Step::Packages(vec!["llvm-22-dev".to_owned()]);
    assert!(step.possible(Apt::Usable));
    assert!(!step.possible(Apt::NotRoot));
    assert!(!step.possible(Apt::Absent));
    assert!(
        Step::Linker { llvm: 22 }.possible(Apt::Absent),
        "cargo needs no root"
    );
}

#[test]
fn a_compiler_newer_than_the_linker_knows_is_said_so() {
    let facts = Facts {
        compilers: vec![debian(31)],
        apt: Apt::Usable,
        ..Facts::default()
    };
    let step = decide(&facts).unwrap_err();
    assert!(
        !step.possible(Apt::Usable),
        "installing llvm-31-dev would not help"
    );
    assert!(facts.report(&step).contains("knows LLVM 21 to 23, not 31"));
}

#[test]
fn without_root_the_exact_commands_are_printed() {
    let facts = Facts {
        apt: Apt::NotRoot,
        ..Facts::default()
    };
    let report = facts.report(&decide(&facts).unwrap_err());
    let command = "apt-get install -y --no-install-recommends rustc-web libstd-rust-web-dev-bpf";
    assert!(report.contains(command), "{report}");
}

#[test]
fn elsewhere_rustup_is_named() {
    let facts = Facts {
        apt: Apt::Absent,
        ..Facts::default()
    };
    let report = facts.report(&decide(&facts).unwrap_err());
    assert!(
        report.contains("rustup toolchain install nightly --component rust-src"),
        "{report}"
    );
    assert!(!report.contains("apt-get"), "{report}");
}
