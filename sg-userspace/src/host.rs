//! What a host must offer before the daemon can start, checked early and said clearly.

mod bpffs;
pub mod clock;
pub mod zone;

use std::{
    fs, io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use caps::{CapSet, Capability};
use nix::{
    fcntl::{Flock, FlockArg},
    sys::resource::{Resource, getrlimit, setrlimit},
};

pub use bpffs::{check_bpffs, provide_bpffs};

/// What the kernel asks for. Loading and attaching would do with CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN; but
/// what stands at a hook, and the maps within maps, are told by number, and only CAP_SYS_ADMIN opens a program
/// or a map by its number (`kernel/bpf/syscall.c`, `bpf_prog_get_fd_by_id`).
const NEEDED: [Capability; 2] = [Capability::CAP_NET_ADMIN, Capability::CAP_SYS_ADMIN];

/// The host lacks something the daemon needs.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// The process may not do what the daemon does.
    #[error("missing capability: {} (run as root, or grant the service CAP_NET_ADMIN and CAP_SYS_ADMIN)", names(.0))]
    Capabilities(Vec<Capability>),
    /// Maps and links cannot be pinned there.
    #[error("{path} is not on a BPF file system (mount one with `mount -t bpf bpf /sys/fs/bpf`, or name another directory with --bpffs)", path = .0.display())]
    NoBpffs(PathBuf),
    /// What is mounted here would not outlive this process.
    #[error("nothing is mounted on {path}, and this process has mounts of its own, with which all filters would end (mount a BPF file system before: `sgd prepare`, or `mount -t bpf bpf {path}`)", path = .0.display())]
    PrivateMounts(PathBuf),
    /// The kernel refuses the BPF file system.
    #[error("cannot mount a BPF file system on {path}: {source} (mount one with `mount -t bpf bpf {path}`, or name another directory with --bpffs)", path = .path.display())]
    Mount {
        /// The place.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// There is no such group of users.
    #[error(
        "there is no group {0:?} for the socket (make it with `groupadd --system {0}`, or name another one as group under [socket] of the configuration, or with --socket-group)"
    )]
    NoGroup(String),
    /// The directory for the pins cannot be made or opened.
    #[error("cannot open {path} for the pinned maps: {source}", path = .path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another daemon has these maps.
    #[error("another sgd works on {path} (stop it first, or give this one a directory and a socket of its own with --bpffs and --socket)", path = .0.display())]
    Locked(PathBuf),
    /// Another daemon answers on the socket.
    #[error("another sgd answers on {path} (stop it first, or give this one a socket of its own with --socket)", path = .0.display())]
    SocketInUse(PathBuf),
    /// The kernel may stop one program and run another on the same CPU.
    #[error(
        "this kernel ({0}) is built with PREEMPT_RT: there the filter at one interface may be interrupted by that \
         at another on the same CPU, and both work in the same memory, so a packet could be judged as another. \
         Boot a kernel without PREEMPT_RT"
    )]
    Realtime(String),
    /// The kernel is too old, or was built without something.
    #[error("{0}")]
    Kernel(String),
}

fn names(capabilities: &[Capability]) -> String {
    let names: Vec<_> = capabilities.iter().map(ToString::to_string).collect();
    names.join(", ")
}

/// The name of this node, or nothing if it has none that can be read.
pub fn name() -> String {
    let name = nix::unistd::gethostname().unwrap_or_default();
    name.into_string().unwrap_or_default()
}

/// Whether this process may load and attach the filter.
pub fn check_capabilities() -> Result<(), HostError> {
    // Without an answer from the kernel, let the loading itself say what is wrong.
    let effective = caps::read(None, CapSet::Effective).unwrap_or_else(|_| caps::all());
    let missing: Vec<_> = NEEDED
        .into_iter()
        .filter(|needed| !effective.contains(needed))
        .collect();
    if missing.is_empty() {
        Ok(())
    } else {
        Err(HostError::Capabilities(missing))
    }
}

/// Whether programs have a CPU to themselves until they end, which is what makes memory that each CPU has
/// once safe to work in.
pub fn check_preemption() -> Result<(), HostError> {
    let version = fs::read_to_string("/proc/sys/kernel/version").unwrap_or_default();
    match is_realtime(&version) {
        true => Err(HostError::Realtime(version.trim().into())),
        false => Ok(()),
    }
}

/// Whether a kernel's version says so (`scripts/mkcompile_h`, `init/Makefile`).
fn is_realtime(version: &str) -> bool {
    version.split_whitespace().any(|word| word == "PREEMPT_RT")
}

/// Lets this process open as many files as it may: it holds two links for each interface, and some for each
/// port that it writes. Says so if these are too few for so many ports.
pub fn raise_open_files(ports: u32) {
    let needed = u64::from(ports) * 2 + 512;
    let raised = getrlimit(Resource::RLIMIT_NOFILE).and_then(|(soft, hard)| {
        if soft < hard {
            setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
        }
        Ok(hard)
    });
    match raised {
        Ok(most) if most >= needed => {}
        Ok(most) => tracing::warn!(
            "this process may open {most} files, and {ports} ports need up to {needed}: interfaces beyond \
             cannot be filtered (raise the hard limit, LimitNOFILE= of a service, or lower --max-ports)"
        ),
        Err(error) => tracing::warn!("cannot raise the limit of open files: {error}"),
    }
}

/// Makes a directory ours alone as long as it lives.
pub type Lock = Flock<fs::File>;

/// Makes a directory of pins ours alone, as long as the lock is held.
///
/// Files on a BPF file system cannot be opened, but its directories can, and locked.
pub fn lock(directory: &Path) -> Result<Lock, HostError> {
    // `sgd close` has it for moments.
    const TRIES: u32 = 20;
    const PAUSE: Duration = Duration::from_millis(25);
    make_private(directory).map_err(unopened(directory))?;
    for _ in 1..TRIES {
        match locked(directory, FlockArg::LockExclusiveNonblock) {
            Err(HostError::Locked(_)) => thread::sleep(PAUSE),
            done => return done,
        }
    }
    locked(directory, FlockArg::LockExclusiveNonblock)
}

/// Keeps daemons from starting on a directory of pins, as long as the lock is held; none if it is not there.
///
/// # Errors
///
/// [`HostError::Locked`] if one runs.
pub fn lock_out(directory: &Path) -> Result<Option<Lock>, HostError> {
    match directory.exists() {
        true => locked(directory, FlockArg::LockSharedNonblock).map(Some),
        false => Ok(None),
    }
}

fn locked(directory: &Path, how: FlockArg) -> Result<Lock, HostError> {
    let opened = fs::File::open(directory).map_err(unopened(directory))?;
    match Flock::lock(opened, how) {
        Ok(lock) => Ok(lock),
        Err((_, nix::errno::Errno::EWOULDBLOCK)) => Err(HostError::Locked(directory.into())),
        Err((_, errno)) => Err(unopened(directory)(errno.into())),
    }
}

fn unopened(directory: &Path) -> impl Fn(io::Error) -> HostError {
    move |source| HostError::Directory {
        path: directory.into(),
        source,
    }
}

/// Makes a directory, and those above it, that only its owner can enter: who can open one can also lock it,
/// and keep the daemon from starting.
pub fn make_private(directory: &Path) -> io::Result<()> {
    let mut private = fs::DirBuilder::new();
    private.recursive(true).mode(0o700).create(directory)
}

/// Room for assured IPv4 connections by the memory of this host, see [`flows_for`].
pub fn default_flows() -> u32 {
    let read = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let total = read.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kibibytes = total.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    // Every Linux says it; if this one does not, it is taken for a common one.
    kibibytes.map_or(flows_for(u64::MAX), |kibibytes| flows_for(kibibytes * 1024))
}

/// Room for assured IPv4 connections, by bytes of memory: the buckets, and so the entries, that
/// nf_conntrack has (`nf_conntrack_init_start`, `net/netfilter/nf_conntrack_core.c`).
pub fn flows_for(memory: u64) -> u32 {
    const GIBIBYTE: u64 = 1 << 30;
    match memory {
        memory if memory > 4 * GIBIBYTE => 262_144,
        memory if memory > GIBIBYTE => 65_536,
        memory => u32::try_from(memory / 16_384 / 8)
            .unwrap_or(u32::MAX)
            .max(1024),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_daemon_on_a_directory_is_refused_until_the_first_is_gone() {
        let directory = tempfile::tempdir().unwrap();
        let pins = directory.path().join("sg");
        let first = lock(&pins).unwrap();
        let refused = lock(&pins).unwrap_err();
        assert!(matches!(refused, HostError::Locked(_)), "{refused}");
        drop(first);
        lock(&pins).unwrap();
    }

    #[test]
    fn several_may_close_at_a_time_and_none_beside_a_daemon() {
        let directory = tempfile::tempdir().unwrap();
        let pins = directory.path().join("sg");
        assert!(lock_out(&pins).unwrap().is_none(), "no daemon has ever run");
        let daemon = lock(&pins).unwrap();
        let refused = lock_out(&pins).unwrap_err();
        assert!(matches!(refused, HostError::Locked(_)), "{refused}");
        drop(daemon);
        let both = [lock_out(&pins).unwrap(), lock_out(&pins).unwrap()];
        assert!(both.iter().all(Option::is_some));
        let first = thread::spawn(move || {
            thread::sleep(Duration::from_millis(50));
            drop(both);
        });
        lock(&pins).expect("a daemon waits for those that close");
        first.join().unwrap();
    }

    #[test]
    fn missing_capabilities_are_named() {
        let error = HostError::Capabilities(vec![Capability::CAP_SYS_ADMIN]).to_string();
        assert!(
            error.starts_with("missing capability: CAP_SYS_ADMIN (run as root"),
            "{error}"
        );
    }

    #[test]
    fn a_kernel_with_preempt_rt_is_refused_with_its_version_and_no_other() {
        for other in [
            "#1 SMP PREEMPT_DYNAMIC Debian 6.12.38-1 (2025-07-16)",
            "#1 SMP PREEMPT Tue Mar 4",
            "#1 SMP",
            "",
        ] {
            assert!(!is_realtime(other), "{other}");
        }
        let version = "#1 SMP PREEMPT_RT Debian 6.1.140-1 (2025-05-22)";
        assert!(is_realtime(version));
        let error = HostError::Realtime(version.into()).to_string();
        assert!(error.contains(version), "{error}");
    }

    #[test]
    fn what_is_made_for_pins_is_closed_to_others() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let pins = directory.path().join("sg/v1");
        make_private(&pins).unwrap();
        make_private(&pins).unwrap();
        for made in [pins.as_path(), pins.parent().unwrap()] {
            let mode = fs::metadata(made).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o700, "{}", made.display());
        }
    }

    #[test]
    fn the_room_for_connections_is_that_of_nf_conntrack() {
        let rooms = [1 << 20, 512 << 20, 2 << 30, 4 << 30, 5 << 30].map(flows_for);
        assert_eq!(rooms, [1024, 4096, 65_536, 65_536, 262_144]);
    }
}
