//! What a compiler other than the caller's must not inherit.

use std::env;

use xshell::Cmd;

/// Clears what `cargo run`, rustup and the user's settings for host crates leave in the
/// environment, so that the compiler named on the command is the one that runs, with its own
/// libraries and flags.
pub fn isolated(mut command: Cmd<'_>) -> Cmd<'_> {
    for (name, _) in env::vars_os() {
        if name.to_str().is_some_and(leaks) {
            command = command.env_remove(name);
        }
    }
    // Empty rather than absent: this also overrides a wrapper named in ~/.cargo/config.toml.
    command
        .env("RUSTC_WRAPPER", "")
        .env("RUSTC_WORKSPACE_WRAPPER", "")
}

/// Whether a variable steers which compiler runs, with which libraries and flags.
fn leaks(name: &str) -> bool {
    const COMPILER: [&str; 9] = [
        "RUSTC",
        "RUSTDOC",
        "RUSTFLAGS",
        "RUSTDOCFLAGS",
        "RUSTC_BOOTSTRAP",
        "RUSTC_WRAPPER",
        "RUSTC_WORKSPACE_WRAPPER",
        "RUSTUP_TOOLCHAIN",
        "LD_LIBRARY_PATH",
    ];
    // Settings of the network, the registry and the terminal are the user's, and stay.
    const CARGO: [&str; 9] = [
        "CARGO_BUILD_",
        "CARGO_CFG_",
        "CARGO_ENCODED_",
        "CARGO_FEATURE_",
        "CARGO_MANIFEST_",
        "CARGO_PKG_",
        "CARGO_PROFILE_",
        "CARGO_TARGET_",
        "CARGO_UNSTABLE_",
    ];
    COMPILER.contains(&name) || CARGO.iter().any(|prefix| name.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::leaks;

    #[test]
    fn what_steers_the_compiler_is_cleared() {
        for name in [
            "RUSTUP_TOOLCHAIN",
            "LD_LIBRARY_PATH",
            "RUSTFLAGS",
            "CARGO_ENCODED_RUSTFLAGS",
            "CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUSTFLAGS",
            "CARGO_TARGET_DIR",
            "CARGO_PROFILE_RELEASE_LTO",
        ] {
            assert!(leaks(name), "{name} reaches the other compiler");
        }
    }

    #[test]
    fn the_way_to_the_registry_stays() {
        for name in [
            "CARGO_HOME",
            "CARGO_HTTP_CAINFO",
            "CARGO_NET_OFFLINE",
            "CARGO_REGISTRIES_MIRROR_INDEX",
            "CARGO_TERM_COLOR",
            "RUSTUP_HOME",
            "HTTPS_PROXY",
            "PATH",
        ] {
            assert!(!leaks(name), "{name} is the user's");
        }
    }
}
