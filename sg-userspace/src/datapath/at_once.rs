//! Many things of which the kernel lets each wait.

use std::panic::resume_unwind;
use std::thread;

/// Does something with each part in a thread of its own: the kernel lets each change of a map of maps wait until
/// no program can use what was there, about 10 ms, and does nothing meanwhile.
pub fn at_once<T: Sync, E: Send>(
    parts: &[T],
    work: impl Fn(&T) -> Result<(), E> + Sync,
) -> Result<(), E> {
    let work = &work;
    thread::scope(|scope| {
        let threads: Vec<_> = parts
            .iter()
            .map(|part| {
                // One after the other where the system has no thread left.
                let thread = thread::Builder::new().spawn_scoped(scope, move || work(part));
                thread.map_err(|_| work(part))
            })
            .collect();
        threads.into_iter().try_for_each(|thread| match thread {
            Ok(thread) => thread.join().unwrap_or_else(|panic| resume_unwind(panic)),
            Err(done) => done,
        })
    })
}
