//! The house rules, one row each.

/// The longest file, in lines.
pub const LONGEST: usize = 500;

/// Words that may not stand in some files.
pub struct Rule {
    /// Why, said to whoever breaks it.
    pub why: &'static str,
    /// Files and folders it holds in.
    pub holds_in: &'static [&'static str],
    /// Files and folders within those that it spares.
    pub except: &'static [&'static str],
    /// The words.
    pub forbids: &'static [&'static str],
    /// Whether it holds in line comments as well as in code.
    pub comments_too: bool,
}

const CRATES: &[&str] = &[
    "sg-api",
    "sg-common",
    "sg-ebpf",
    "sg-store",
    "sg-userspace",
    "tests",
    "xtask",
];
// These two name what they forbid.
const RULES_THEMSELVES: &str = "xtask/src/tidy/rules.rs";
const RULES_READER: &str = "xtask/src/tidy.rs";

/// Every rule.
pub const RULES: &[Rule] = &[
    Rule {
        why: "only the datapath knows aya",
        holds_in: CRATES,
        except: &[
            "sg-ebpf",
            "sg-userspace/src/datapath",
            // BPF_PROG_TEST_RUN on the object itself.
            "tests/src/testrun.rs",
            // Swapping the filter for an empty program behind its links.
            "tests/src/bench/stream.rs",
            // Programs of others beside ours.
            "tests/src/others.rs",
            // Pinned maps, emptied between scenarios.
            "tests/src/pinned.rs",
            RULES_THEMSELVES,
            RULES_READER,
        ],
        forbids: &["aya", "aya_ebpf", "aya_log", "aya_obj"],
        comments_too: false,
    },
    Rule {
        why: "unsafe code lives behind the doors named in xtask/src/tidy/rules.rs",
        holds_in: CRATES,
        except: &[
            "sg-ebpf/src",
            "sg-userspace/src/datapath",
            // One volatile read: a map's value may change under the reader.
            "sg-common/src/layout/shared.rs",
            // Giving memory back to the system, which no library does.
            "sg-userspace/src/memory.rs",
            // Binding a packet socket, whose address nix cannot make.
            "tests/src/capture.rs",
            // A child that dies with its parent.
            "tests/src/daemon.rs",
            // Programs without an object, and frames that go the whole way.
            "tests/src/bench/kernel.rs",
            RULES_THEMSELVES,
            RULES_READER,
        ],
        forbids: &["unsafe"],
        comments_too: false,
    },
    Rule {
        why: "what computes does no I/O: of sg-userspace model, evaluate, compile, plan and flows, of sg-api all but \
              the doors, and the filter itself",
        holds_in: &[
            "sg-api/src/api",
            "sg-api/src/api.rs",
            "sg-api/src/attributes",
            "sg-api/src/attributes.rs",
            "sg-api/src/objects.rs",
            "sg-api/src/openapi.rs",
            "sg-api/src/query",
            "sg-api/src/query.rs",
            "sg-api/src/resource",
            "sg-api/src/resource.rs",
            "sg-api/src/world",
            "sg-api/src/world.rs",
            "sg-common/src",
            "sg-userspace/src/model",
            "sg-userspace/src/model.rs",
            "sg-userspace/src/evaluate",
            "sg-userspace/src/evaluate.rs",
            "sg-userspace/src/compile",
            "sg-userspace/src/compile.rs",
            "sg-userspace/src/plan",
            "sg-userspace/src/plan.rs",
            "sg-userspace/src/flows",
        ],
        except: &[],
        forbids: &[
            "std::env",
            "std::fs",
            "std::io",
            "std::process",
            "std::time",
            "TcpListener",
            "TcpStream",
            "UdpSocket",
            "UnixListener",
            "UnixStream",
            "tokio",
        ],
        comments_too: false,
    },
    Rule {
        why: "a test runs or does not exist",
        holds_in: CRATES,
        except: &[RULES_READER, RULES_THEMSELVES],
        forbids: &["#[ignore", "#[should_panic"],
        comments_too: false,
    },
    Rule {
        why: "do it, or write it down where plans are kept",
        holds_in: CRATES,
        except: &[RULES_READER, RULES_THEMSELVES],
        forbids: &["TODO", "FIXME", "XXX", "HACK"],
        comments_too: true,
    },
    Rule {
        why: "what is shown passes sg-userspace/src/plain.rs: write it with what cli/output.rs has",
        holds_in: &["sg-userspace/src"],
        except: &[
            "sg-userspace/src/cli/output.rs",
            // A script of ours.
            "sg-userspace/src/cli/completions.rs",
            // The last word of the program, which it makes plain.
            "sg-userspace/src/bin/sgctl.rs",
        ],
        forbids: &["print!", "println!", "eprint!", "eprintln!", "io::stdout"],
        comments_too: false,
    },
    Rule {
        why: "a path of one machine",
        holds_in: CRATES,
        except: &[
            "xtask/src/tidy.rs",
            RULES_THEMSELVES,
            "xtask/src/toolchain/decide/tests.rs",
        ],
        forbids: &["/home/", "/root/", "/work/"],
        comments_too: true,
    },
];
