//! Ctrl-C: a program stops between two steps, so that everything is tidied up by being dropped.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;

/// The person has had enough.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Interrupted;

static INTERRUPTED: LazyLock<Arc<AtomicBool>> = LazyLock::new(Arc::default);

/// From here on these signals are noticed instead of ending the process.
pub(crate) fn watch() {
    for signal in [SIGHUP, SIGINT, SIGTERM] {
        flag::register(signal, Arc::clone(&INTERRUPTED))
            .unwrap_or_else(|e| panic!("cannot watch for signal {signal}: {e}"));
    }
}

/// Whether to stop here.
pub(crate) fn check() -> Result<(), Interrupted> {
    if INTERRUPTED.load(Ordering::Relaxed) {
        Err(Interrupted)
    } else {
        Ok(())
    }
}
