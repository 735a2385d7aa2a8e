//! Users and passwords, in a file as Apache has it, with hashes by bcrypt.

use std::collections::HashMap;
use std::fs;
use std::hash::Hasher;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use siphasher::sip128::{Hasher128, SipHasher24};
use tokio::sync::Semaphore;
use tokio::task;

use super::share::Shares;
use crate::exit::{Exit, Failure};

/// What a new hash costs, and what one may cost at most.
const COST: u32 = 10;
const MOST_COST: u32 = 14;

/// For how long after it was shown last a password that was right is remembered, by a keyed hash.
const MEMORY: Duration = Duration::from_secs(60);

/// How many are remembered.
const MOST_REMEMBERED: usize = 4096;

/// How many hashes are computed at once.
const AT_ONCE: usize = 2;

/// How many of one client's are, or wait: who guesses takes no more than two seconds of everybody's, at the usual cost.
const EACH: usize = 64;

/// A hash that no password has, of the usual cost: who is not there takes as long as who is.
const NOBODY: &str = "$2b$10$abcdefghijklmnopqrstuuW2bC6Zq3mGvKPPDr3g7oS8Qw5a8y3y2";

/// The file, and who has shown a password lately.
#[derive(Clone, Debug)]
pub struct Htpasswd(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    users: Mutex<Users>,
    remembered: Mutex<HashMap<u128, Instant>>,
    secret: [u8; 16],
    room: Arc<Semaphore>,
    shares: Shares,
}

#[derive(Clone, Debug, Default)]
struct Users {
    hashes: HashMap<String, String>,
    changed: Option<SystemTime>,
    /// Why it was not read again.
    trouble: Option<String>,
}

impl Htpasswd {
    /// Reads the file. It is read again when it has changed.
    ///
    /// # Errors
    ///
    /// It cannot be read, or a line of it cannot.
    pub fn open(path: &Path) -> Result<Self, Failure> {
        let users = read(path)?;
        Ok(Self(Arc::new(Inner {
            path: path.into(),
            users: Mutex::new(users),
            remembered: Mutex::default(),
            secret: uuid::Uuid::new_v4().into_bytes(),
            room: Arc::new(Semaphore::new(AT_ONCE)),
            shares: Shares::new(EACH),
        })))
    }

    /// Whether this is the password of this user; nothing if so many of this client's are looked at already.
    pub async fn knows(&self, client: IpAddr, user: &str, password: &str) -> Option<bool> {
        let inner = &self.0;
        let hash = inner.hash_of(user);
        let token = inner.token(user, password, hash.as_deref().unwrap_or(NOBODY));
        if hash.is_some() && inner.remembers(token) {
            return Some(true);
        }
        let share = inner.shares.take(client)?;
        let permit = inner.room.clone().acquire_owned().await.ok()?;
        if hash.is_some() && inner.remembers(token) {
            // Another request of the same user has waited before this one.
            return Some(true);
        }
        let against = hash.clone().unwrap_or_else(|| NOBODY.into());
        let password = password.to_owned();
        // Whoever hangs up meanwhile has the places until it is done.
        let checked = task::spawn_blocking(move || {
            let _places = (share, permit);
            bcrypt::verify(password, &against)
        });
        let is_right = matches!(checked.await, Ok(Ok(true))) && hash.is_some();
        if is_right {
            inner.remember(token);
        }
        Some(is_right)
    }
}

impl Inner {
    fn hash_of(&self, user: &str) -> Option<String> {
        let mut users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        if changed(&self.path) != users.changed {
            match read(&self.path) {
                Ok(read) => *users = read,
                // It may be half written: it is read again each time.
                Err(error) => {
                    let what = match self.path.exists() {
                        true => "it is as it was read last",
                        false => {
                            users.hashes.clear();
                            users.changed = None;
                            "nobody is let in"
                        }
                    };
                    let trouble = format!("{error}; {what}");
                    if users.trouble.as_ref() != Some(&trouble) {
                        tracing::error!("{trouble}");
                        users.trouble = Some(trouble);
                    }
                }
            }
        }
        users.hashes.get(user).cloned()
    }

    /// What a user, a password and a hash are remembered by: who reads this memory learns no password.
    fn token(&self, user: &str, password: &str, hash: &str) -> u128 {
        let mut hasher = SipHasher24::new_with_key(&self.secret);
        for text in [user, password, hash] {
            hasher.write_usize(text.len());
            hasher.write(text.as_bytes());
        }
        hasher.finish128().as_u128()
    }

    fn remembers(&self, token: u128) -> bool {
        let remembered = self.remembered.lock();
        let mut remembered = remembered.unwrap_or_else(PoisonError::into_inner);
        let shown = remembered.get_mut(&token);
        let shown = shown.filter(|at| at.elapsed() < MEMORY);
        shown.map(|at| *at = Instant::now()).is_some()
    }

    fn remember(&self, token: u128) {
        let remembered = self.remembered.lock();
        let mut remembered = remembered.unwrap_or_else(PoisonError::into_inner);
        if remembered.len() >= MOST_REMEMBERED {
            remembered.retain(|_, at| at.elapsed() < MEMORY);
        }
        if remembered.len() < MOST_REMEMBERED {
            remembered.insert(token, Instant::now());
        }
    }
}

fn changed(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).and_then(|data| data.modified()).ok()
}

fn read(path: &Path) -> Result<Users, Failure> {
    let failed = |why: String| {
        let message = format!("--htpasswd {}: {why}", path.display());
        Failure::new(Exit::Malformed, message)
    };
    let changed = changed(path);
    let text = fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
    let mut hashes = HashMap::new();
    for (number, line) in (1..).zip(text.lines()) {
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        let parts = line.trim_end().split_once(':');
        let Some((user, hash)) = parts.filter(|(_, hash)| is_usable(hash)) else {
            return Err(failed(format!(
                "line {number}: no `USER:HASH` by bcrypt of a cost up to {MOST_COST}: `sgapi passwd` writes one"
            )));
        };
        hashes.insert(user.to_owned(), hash.to_owned());
    }
    Ok(Users {
        hashes,
        changed,
        trouble: None,
    })
}

fn is_usable(hash: &str) -> bool {
    let parts: Result<bcrypt::HashParts, _> = hash.parse();
    parts.is_ok_and(|parts| parts.get_cost() <= MOST_COST)
}

/// The line of a user with this password.
///
/// # Errors
///
/// A user cannot be called so, or nobody can have this password.
pub fn line(user: &str, password: &str) -> Result<String, Failure> {
    let usage = |why: &str| Failure::new(Exit::Usage, why.to_owned());
    if user.is_empty() || user.contains([':', '\n', '\r']) {
        return Err(usage("a user's name is not empty, and has no colon"));
    }
    if password.is_empty() || password.len() > 72 {
        return Err(usage("a password has 1 to 72 bytes"));
    }
    let hash = bcrypt::hash(password, COST);
    let hash = hash.map_err(|error| Failure::new(Exit::Failure, error.to_string()))?;
    Ok(format!("{user}:{hash}"))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    const CLIENT: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

    fn file(lines: &[String]) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        for line in lines {
            writeln!(file, "{line}").unwrap();
        }
        file
    }

    #[tokio::test]
    async fn a_user_is_known_by_a_password_and_by_no_other() {
        let file = file(&[line("ada", "secret").unwrap()]);
        let users = Htpasswd::open(file.path()).unwrap();
        for _ in 0..2 {
            assert_eq!(users.knows(CLIENT, "ada", "secret").await, Some(true));
            assert_eq!(users.knows(CLIENT, "ada", "Secret").await, Some(false));
            assert_eq!(users.knows(CLIENT, "eve", "secret").await, Some(false));
        }
    }

    #[tokio::test]
    async fn a_password_that_was_right_is_not_computed_again() {
        let file = file(&[line("ada", "secret").unwrap()]);
        let users = Htpasswd::open(file.path()).unwrap();
        assert_eq!(users.knows(CLIENT, "ada", "secret").await, Some(true));
        let started = Instant::now();
        for _ in 0..100 {
            assert_eq!(users.knows(CLIENT, "ada", "secret").await, Some(true));
        }
        // One hash alone takes longer.
        assert!(started.elapsed() < Duration::from_millis(30));
    }

    #[tokio::test]
    async fn who_is_taken_out_of_the_file_is_not_let_in_any_more() {
        let file = file(&[line("ada", "secret").unwrap()]);
        let users = Htpasswd::open(file.path()).unwrap();
        assert_eq!(users.knows(CLIENT, "ada", "secret").await, Some(true));
        fs::write(file.path(), line("eve", "secret").unwrap()).unwrap();
        let later = SystemTime::now() + Duration::from_secs(2);
        let opened = fs::File::options().write(true).open(file.path()).unwrap();
        opened.set_modified(later).unwrap();
        assert_eq!(users.knows(CLIENT, "ada", "secret").await, Some(false));
        assert_eq!(users.knows(CLIENT, "eve", "secret").await, Some(true));
        // It is away, and comes back as old as it was.
        let aside = file.path().with_extension("aside");
        fs::rename(file.path(), &aside).unwrap();
        assert_eq!(users.knows(CLIENT, "eve", "secret").await, Some(false));
        fs::rename(&aside, file.path()).unwrap();
        assert_eq!(users.knows(CLIENT, "eve", "secret").await, Some(true));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn who_guesses_is_not_listened_to_without_end() {
        let file = file(&[line("ada", "secret").unwrap()]);
        let users = Htpasswd::open(file.path()).unwrap();
        let guesses = (0..EACH + 8).map(|guess| {
            let users = users.clone();
            tokio::spawn(async move { users.knows(CLIENT, "ada", &guess.to_string()).await })
        });
        let guesses: Vec<_> = guesses.collect();
        let mut passed_over = 0;
        for guess in guesses {
            match guess.await.unwrap() {
                None => passed_over += 1,
                known => assert_eq!(known, Some(false)),
            }
        }
        assert!((1..=8).contains(&passed_over), "{passed_over}");
        let other = IpAddr::from([192, 0, 2, 2]);
        assert_eq!(users.knows(other, "ada", "secret").await, Some(true));
    }

    #[tokio::test]
    async fn who_hangs_up_has_a_place_until_the_hash_is_done() {
        // Of a cost that takes its time.
        let hash = bcrypt::hash("secret", MOST_COST).unwrap();
        let file = file(&[format!("ada:{hash}")]);
        let users = Htpasswd::open(file.path()).unwrap();
        for guess in 0..AT_ONCE {
            let hung_up = users.knows(CLIENT, "ada", "wrong");
            let hung_up = tokio::time::timeout(Duration::from_millis(1), hung_up).await;
            assert!(hung_up.is_err(), "{guess}");
        }
        assert_eq!(users.0.room.available_permits(), 0);
        assert_eq!(users.knows(CLIENT, "ada", "secret").await, Some(true));
    }

    #[tokio::test]
    async fn a_file_that_is_half_written_is_read_again_when_it_is_whole() {
        let file = file(&[line("ada", "secret").unwrap()]);
        let users = Htpasswd::open(file.path()).unwrap();
        let set_modified = || {
            let opened = fs::File::options().write(true).open(file.path()).unwrap();
            let later = SystemTime::now() + Duration::from_secs(2);
            opened.set_modified(later).unwrap();
            later
        };
        fs::write(file.path(), "eve:half").unwrap();
        let half = set_modified();
        assert_eq!(users.knows(CLIENT, "ada", "secret").await, Some(true));
        // In the same moment, as files have it.
        fs::write(file.path(), line("eve", "secret").unwrap()).unwrap();
        let opened = fs::File::options().write(true).open(file.path()).unwrap();
        opened.set_modified(half).unwrap();
        assert_eq!(users.knows(CLIENT, "ada", "secret").await, Some(false));
        assert_eq!(users.knows(CLIENT, "eve", "secret").await, Some(true));
    }

    #[test]
    fn a_hash_of_another_kind_is_refused_by_its_line() {
        let file = file(&["# people".into(), "ada:$apr1$salt$hash".into()]);
        let error = Htpasswd::open(file.path()).unwrap_err();
        assert_eq!(error.exit, Exit::Malformed);
        assert!(error.message.contains("line 2"), "{error}");
    }

    #[test]
    fn the_hash_of_nobody_is_one() {
        assert!(is_usable(NOBODY));
        assert!(bcrypt::verify("x", NOBODY).is_ok());
    }
}
