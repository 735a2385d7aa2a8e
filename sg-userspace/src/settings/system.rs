//! The timeouts that the node's own nf_conntrack has.

use std::io;

use sg_common::layout::settings::ticks;

use super::{LONGEST_TIMEOUT, Wanted, key::Kind, keys::KEYS};

/// Takes the timeouts of the kernel; what it does not have keeps its default. `read` gives the content of
/// a file below `/proc/sys/net`.
///
/// nf_conntrack's are there only while it is loaded (`nf_conntrack_standalone.c`).
pub(super) fn take(wanted: &mut Wanted, read: impl Fn(&str) -> io::Result<String>) {
    let mut loaded = false;
    for key in KEYS {
        let Kind::Seconds(field, Some(sysctl)) = &key.kind else {
            continue;
        };
        let Some(seconds) = read(sysctl)
            .ok()
            .and_then(|text| text.trim().parse::<u64>().ok())
        else {
            continue;
        };
        loaded |= sysctl.contains("nf_conntrack");
        let fitting = seconds.clamp(1, LONGEST_TIMEOUT);
        if fitting != seconds {
            wanted.notes.push(format!(
                "net/{sysctl} is {seconds}; {} is {fitting}, the nearest that there is",
                key.name
            ));
        }
        *field(&mut wanted.settings) = ticks(fitting);
    }
    if !loaded {
        wanted.notes.push(
            "timeouts = \"system\", but nf_conntrack is not loaded in this network namespace: its \
             defaults hold"
                .into(),
        );
    }
}
