//! The daemon's socket: published when it is ready, gone when the daemon is.

use std::{
    fs, io,
    os::unix::{fs::PermissionsExt, net::UnixStream},
    path::{Path, PathBuf},
};

use nix::unistd::{Gid, Group, chown};
use tokio::net::UnixListener;

use crate::{
    error::{Error, Result},
    host::HostError,
};

/// Root and the group of the socket may give orders; nobody else.
const MODE: u32 = 0o660;

/// A listening socket that removes its file when it is dropped.
pub struct Socket {
    path: PathBuf,
}

impl Drop for Socket {
    fn drop(&mut self) {
        // Nobody is left to tell; the next daemon replaces a file that stayed.
        let _ = fs::remove_file(&self.path);
    }
}

/// Listens on a socket at `path`, in place of the one a dead daemon has left there.
/// Beside root, users of `group` may connect.
///
/// # Errors
///
/// [`HostError::SocketInUse`] when a living daemon answers there; [`HostError::NoGroup`].
pub fn bind(path: &Path, group: Option<&str>) -> Result<(UnixListener, Socket)> {
    if UnixStream::connect(path).is_ok() {
        return Err(HostError::SocketInUse(path.into()).into());
    }
    let failed = |source| Error::File {
        action: "listen on",
        path: path.into(),
        source,
    };
    let group = group.map(group_of).transpose()?;
    let listener = publish(path, group).map_err(failed)?;
    Ok((listener, Socket { path: path.into() }))
}

fn group_of(name: &str) -> Result<Gid> {
    let found = Group::from_name(name).map_err(|errno| Error::System {
        action: "looking for the group of the socket",
        source: errno.into(),
    })?;
    let group = found.ok_or_else(|| HostError::NoGroup(name.into()))?;
    Ok(group.gid)
}

/// The socket gets its group and its mode before it gets its name, so that nobody connects in between.
fn publish(path: &Path, group: Option<Gid>) -> io::Result<UnixListener> {
    let directory = path.parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(directory)?;
    let unpublished = tempfile::Builder::new()
        .prefix(".sgd")
        .make_in(directory, |temporary| {
            let listener = UnixListener::bind(temporary)?;
            if group.is_some() {
                chown(temporary, None, group)?;
            }
            fs::set_permissions(temporary, fs::Permissions::from_mode(MODE))?;
            Ok(listener)
        })?;
    unpublished.persist(path).map_err(|refused| refused.error)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[tokio::test]
    async fn a_living_daemon_keeps_its_socket_and_a_dead_one_loses_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("run/sgd.sock");
        let (listener, socket) = bind(&path, None).unwrap();
        let refused = bind(&path, None).err().expect("the first daemon is alive");
        assert!(
            matches!(refused, Error::Host(HostError::SocketInUse(_))),
            "{refused}"
        );

        drop(listener);
        assert!(path.exists());
        let (_listener, _socket) = bind(&path, None).expect("the first daemon is dead");
        drop(socket);
    }

    #[tokio::test]
    async fn only_root_and_the_group_may_connect() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("sgd.sock");
        let (_listener, socket) = bind(&path, None).unwrap();
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o660
        );
        drop(socket);
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn a_group_gets_the_socket_and_one_that_is_not_there_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("sgd.sock");
        let own = Group::from_gid(nix::unistd::getegid()).unwrap().unwrap();
        let (_listener, socket) = bind(&path, Some(&own.name)).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().gid(), own.gid.as_raw());
        drop(socket);
        let error = bind(&path, Some("nobody-s")).err().unwrap().to_string();
        assert!(error.contains("groupadd --system nobody-s"), "{error}");
        assert!(!path.exists());
    }
}
