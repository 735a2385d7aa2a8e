//! Programs through the verifier.

use std::io;

use aya::programs::ProgramError;

/// How often an interrupted verifier is asked again, as often as libbpf does.
const ATTEMPTS: u32 = 5;

/// Loads a program. The verifier gives up with `EAGAIN` when a signal comes for the thread
/// (`kernel/bpf/verifier.c`, `do_check`): that says nothing of the program, so it is asked again.
pub fn asked_again(mut load: impl FnMut() -> Result<(), ProgramError>) -> Result<(), ProgramError> {
    for _ in 1..ATTEMPTS {
        match load() {
            Err(error) if was_interrupted(&error) => {}
            done => return done,
        }
    }
    load()
}

fn was_interrupted(error: &ProgramError) -> bool {
    matches!(error, ProgramError::LoadError { io_error, .. } if io_error.kind() == io::ErrorKind::WouldBlock)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(errno: i32) -> ProgramError {
        ProgramError::LoadError {
            io_error: io::Error::from_raw_os_error(errno),
            verifier_log: aya_obj::VerifierLog::new(String::new()),
        }
    }

    #[test]
    fn a_verifier_that_a_signal_interrupts_is_asked_again() {
        let mut asked = 0;
        let loaded = asked_again(|| {
            asked += 1;
            if asked < 3 {
                Err(refusal(libc::EAGAIN))
            } else {
                Ok(())
            }
        });
        assert!(loaded.is_ok());
        assert_eq!(asked, 3);
    }

    #[test]
    fn a_verifier_that_refuses_or_never_has_the_time_is_believed() {
        for (errno, times) in [(libc::EACCES, 1), (libc::EAGAIN, ATTEMPTS)] {
            let mut asked = 0;
            let loaded = asked_again(|| {
                asked += 1;
                Err(refusal(errno))
            });
            assert!(loaded.is_err());
            assert_eq!(asked, times);
        }
    }
}
