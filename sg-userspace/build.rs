//! Finds the kernel object that the daemon carries.

use std::path::{Path, PathBuf};
use std::{env, fs};

const VARIABLE: &str = "SG_EBPF_OBJECT";

fn main() {
    println!("cargo::rerun-if-env-changed={VARIABLE}");
    let object = env::var_os(VARIABLE).map_or_else(built, PathBuf::from);
    println!("cargo::rerun-if-changed={}", object.display());
    let object = if object.is_file() {
        object
    } else {
        println!(
            "cargo::warning={} is not there, so sgd will have no filter to load: build with `cargo xtask build`",
            object.display()
        );
        empty()
    };
    println!("cargo::rustc-env={VARIABLE}={}", object.display());
}

/// Where `cargo xtask build` puts it.
fn built() -> PathBuf {
    let manifest = env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it");
    Path::new(&manifest).join("../target/bpf/sg-ebpf")
}

fn empty() -> PathBuf {
    let directory = env::var_os("OUT_DIR").expect("cargo sets it");
    let object = Path::new(&directory).join("no-object");
    fs::write(&object, []).expect("the build directory can be written");
    object
}
