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

/// Why a program was refused, without the instructions that the verifier has walked through: what the system
/// said, and the verifier's last words but for its statistics.
pub fn in_short(error: &ProgramError) -> String {
    let ProgramError::LoadError {
        io_error,
        verifier_log,
    } = error
    else {
        return error.to_string();
    };
    let log = verifier_log.to_string();
    let words = log.trim_end_matches('\0').lines().map(str::trim);
    let mut words = words.filter(|line| !line.is_empty() && !line.starts_with("processed "));
    match words.next_back() {
        Some(words) => format!("{io_error}: {words}"),
        None => io_error.to_string(),
    }
}

fn was_interrupted(error: &ProgramError) -> bool {
    matches!(error, ProgramError::LoadError { io_error, .. } if io_error.kind() == io::ErrorKind::WouldBlock)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(errno: i32) -> ProgramError {
        told(errno, "")
    }

    fn told(errno: i32, log: &str) -> ProgramError {
        ProgramError::LoadError {
            io_error: io::Error::from_raw_os_error(errno),
            verifier_log: aya_obj::VerifierLog::new(log.into()),
        }
    }

    #[test]
    fn a_refusal_in_short_is_the_verifiers_last_words() {
        let log = "454: (0f) r8 += r1\ntail_call abusing map_ptr\nprocessed 2171 insns (limit 1000000)\n\0";
        let short = in_short(&told(libc::EINVAL, log));
        assert_eq!(
            short,
            "Invalid argument (os error 22): tail_call abusing map_ptr"
        );
        let short = in_short(&refusal(libc::E2BIG));
        assert_eq!(short, "Argument list too long (os error 7)");
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
