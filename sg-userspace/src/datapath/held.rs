//! What is pinned and held by a descriptor as well: a pin that somebody removes takes nothing along.

use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use super::error::{Error, Result};
use super::pins::{fresh, remove};
use super::sys;

/// A map or a link, and where it is to be pinned.
#[derive(Debug)]
pub struct Held {
    pin: PathBuf,
    object: OwnedFd,
}

impl Held {
    /// What is pinned here.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn open(pin: PathBuf) -> io::Result<Held> {
        let object = sys::get(&pin)?;
        Ok(Held { pin, object })
    }

    /// What is to be pinned here. It is held whatever becomes of the pin.
    pub fn new(pin: PathBuf, object: OwnedFd) -> Held {
        Held { pin, object }
    }

    /// Whether there is something at its place.
    pub fn is_pinned(&self) -> bool {
        self.pin.exists()
    }

    /// Pins it, in the place of what may be there: at no moment is there nothing.
    ///
    /// # Errors
    ///
    /// [`Error::PinLink`] and [`Error::Directory`]; it is held on.
    pub fn pin(&self) -> Result<()> {
        let fresh = fresh(&self.pin);
        remove(&fresh)?;
        sys::pin(self, &fresh).map_err(|source| Error::PinLink {
            pin: self.pin.clone(),
            source,
        })?;
        fs::rename(&fresh, &self.pin).map_err(Error::directory("replace", &self.pin))
    }

    /// Pins it at another place as well, unless something is pinned there.
    ///
    /// # Errors
    ///
    /// As of [`Held::pin`].
    pub fn also_at(self, pin: PathBuf) -> Result<()> {
        let also = Held::new(pin, self.object);
        match also.is_pinned() {
            true => Ok(()),
            false => also.pin(),
        }
    }

    /// Pins it elsewhere from now on.
    ///
    /// # Errors
    ///
    /// As of [`Held::pin`].
    pub fn move_to(&mut self, pin: PathBuf) -> Result<()> {
        let old = std::mem::replace(&mut self.pin, pin);
        self.pin()?;
        match old == self.pin {
            true => Ok(()),
            false => remove(&old),
        }
    }

    /// Where it is pinned, or is to be.
    pub fn path(&self) -> &Path {
        &self.pin
    }

    /// Removes the pin. What only it has held ends when this is dropped.
    ///
    /// # Errors
    ///
    /// [`Error::Directory`]
    pub fn unpin(&self) -> Result<()> {
        remove(&self.pin)
    }
}

impl AsFd for Held {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.object.as_fd()
    }
}
