//! Ctrl-C: the demo stops between two steps, so that everything is tidied up by being dropped.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;

/// The person has had enough.
#[derive(Clone, Copy, Debug)]
pub(super) struct Interrupted;

static INTERRUPTED: LazyLock<Arc<AtomicBool>> = LazyLock::new(Arc::default);

/// From here on these signals are noticed instead of ending the process.
pub(super) fn watch() {
    for signal in [SIGHUP, SIGINT, SIGTERM] {
        flag::register(signal, Arc::clone(&INTERRUPTED))
            .unwrap_or_else(|e| panic!("cannot watch for signal {signal}: {e}"));
    }
}

/// Whether to stop here.
pub(super) fn check() -> Result<(), Interrupted> {
    if INTERRUPTED.load(Ordering::Relaxed) {
        Err(Interrupted)
    } else {
        Ok(())
    }
}
