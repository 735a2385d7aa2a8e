//! What runs on each kernel, as a script for the machine's shell.

use clap::ValueEnum;

use super::image::HOME;
use crate::host;

/// A line that begins a step, with its name, and one that ends it, with its exit code.
pub const BEGINS: &str = "== begins: ";
pub const ENDS: &str = "== ends: ";

/// A part of what runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Part {
    /// What the kernel has.
    Features,
    /// How the daemon attaches and sweeps.
    Daemon,
    /// The verifier's work on each program.
    Verifier,
    /// Connections that expire, forged frames, trunks, restarts: at real taps.
    Taps,
    /// The demonstration.
    Demo,
    /// Single packets through the programs, by tables.
    Tables,
}

/// A command in the machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The part it belongs to.
    pub part: Part,
    /// For the shell.
    pub command: String,
    /// How many seconds it may take.
    pub seconds: u32,
}

/// What the taps are tried with: each stage of the filter, both ways to attach, both ways to sweep.
const TAPS: [&str; 9] = [
    "harness::two_machines_talk_over_a_node_without_a_filter",
    "frames::",
    "expiry::",
    "lifecycle::clsact_enforces_survives_a_restart_and_detaches",
    "lifecycle::",
    "taps::",
    "trunk::",
    "datagrams::",
    "bpftool::",
];

/// What the daemon says of itself.
const DAEMON: &str = r#"cd /tmp
echo '{"security_groups": [], "ports": []}' > inventory.json
sgd run --inventory inventory.json > sgd.log 2>&1 &
daemon=$!
for try in $(seq 120); do
    sgctl status > status 2> /dev/null && break
    kill -0 $daemon 2>/dev/null || break
    sleep 1
done
[ -s status ] && cat status || tail -n 20 sgd.log | cut -c 1-2000
sgctl -o json status | tr -d '\n' | sed 's/^/STATUS /' && echo
kill $daemon
wait $daemon
"#;

/// The steps of these parts, with these tests at taps; all if none is named.
pub fn steps(wanted: &[Part], tests: &[String]) -> Vec<Step> {
    let taps = match tests {
        [] => TAPS.join(" "),
        tests => tests.join(" "),
    };
    let it = |part, filters: &str, seconds| Step {
        part,
        command: format!("{HOME}/it --test-threads 1 {filters}"),
        seconds,
    };
    let shell = |part, command: String, seconds| Step {
        part,
        command,
        seconds,
    };
    let all = [
        shell(Part::Features, features(), 60),
        shell(Part::Daemon, DAEMON.into(), 300),
        it(Part::Verifier, "--nocapture program::", 300),
        it(Part::Taps, &taps, 1200),
        shell(Part::Demo, format!("{HOME}/demo"), 600),
        it(Part::Tables, "verdict::", 1200),
    ];
    let all = all.into_iter();
    all.filter(|step| wanted.is_empty() || wanted.contains(&step.part))
        .collect()
}

/// The script that runs them, one after the other.
pub fn script(steps: &[Step]) -> String {
    let mut script = format!(
        "export SG_EBPF_OBJECT={HOME}/sg-ebpf SG_BIN_DIR={HOME} SG_PATIENCE=10 PATH={HOME}:$PATH\n"
    );
    for (number, step) in steps.iter().enumerate() {
        let (seconds, command) = (step.seconds, &step.command);
        // The console may be in the middle of a line.
        script.push_str(&format!(
            "echo; echo '{BEGINS}{number}'\ncat > /step <<'END'\n{command}\nEND\n\
             timeout {seconds} sh /step 2>&1\necho \"{ENDS}$?\"\n"
        ));
    }
    script
}

/// Says of each feature whether the kernel has a function that exists only with it.
fn features() -> String {
    let lines = host::FEATURES.map(|feature| {
        let (name, symbol) = (feature.name, feature.symbol);
        format!("grep -q ' {symbol}$' symbols && echo 'yes: {name}' || echo 'no: {name}'\n")
    });
    format!(
        "cd /tmp\ncut -c 18- /proc/kallsyms > symbols\n{}",
        lines.concat()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_step_is_named_and_bounded_in_time() {
        let steps = steps(&[Part::Demo, Part::Verifier], &[]);
        let script = script(&steps);
        assert_eq!(steps.len(), 2);
        assert!(script.contains("echo '== begins: 1'"), "{script}");
        assert_eq!(script.matches("timeout ").count(), 2, "{script}");
    }

    #[test]
    fn tests_that_are_named_are_the_ones_that_run_at_taps() {
        let steps = steps(&[Part::Taps], &["trunk::".into(), "frames::".into()]);
        assert!(
            steps[0]
                .command
                .ends_with("it --test-threads 1 trunk:: frames::"),
            "{}",
            steps[0].command
        );
    }
}
