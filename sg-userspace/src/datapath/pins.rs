//! Where maps and links are pinned: `DIR/v<ABI>/maps/NAME`, `DIR/v<ABI>/links/IFINDEX-HOOK`, and
//! `DIR/v<ABI>/away/LINK-INTERFACE` for links whose interface is in another namespace.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use sg_common::hook::Hook;
use sg_common::layout::maps::ABI;

use super::error::{Error, Result};
use super::held::Held;

/// How the name of a mark ends.
const CLSACT: &str = "-clsact";

/// How the name of a pin ends that is to take the place of another.
const FRESH: &str = "-fresh";

/// The directory of links whose interfaces are in another namespace.
const AWAY: &str = "away";

/// The pins of one version of the layout.
#[derive(Clone, Debug)]
pub struct Pins {
    /// `DIR/v<ABI>`.
    directory: PathBuf,
}

impl Pins {
    /// The pins below a directory. Pins of another layout there are not touched but refused: their
    /// programs would go on filtering beside ours.
    pub fn open(root: &Path) -> Result<Pins> {
        let ours = Pins {
            directory: root.join(format!("v{ABI}")),
        };
        let mut others = Pins::all(root)?.into_iter();
        if let Some(other) = others.find(|pins| pins.directory != ours.directory) {
            return Err(Error::OtherLayout {
                pin: other.directory,
                found: "another version".into(),
                wanted: format!("v{ABI}"),
            });
        }
        ours.make_directories()?;
        Ok(ours)
    }

    /// Makes the directories that are not there.
    pub fn make_directories(&self) -> Result<()> {
        [self.maps(), self.links(), self.directory.join(AWAY)]
            .iter()
            .try_for_each(|directory| {
                fs::create_dir_all(directory).map_err(Error::directory("make", directory))
            })
    }

    /// The pins of every version below a directory.
    pub fn all(root: &Path) -> Result<Vec<Pins>> {
        let is_version = |path: &PathBuf| {
            let name = path.file_name().and_then(|name| name.to_str());
            let number = name.and_then(|name| name.strip_prefix('v'));
            number.is_some_and(|number| number.parse::<u32>().is_ok())
        };
        let versions = files(root)?.filter(is_version);
        Ok(versions.map(|directory| Pins { directory }).collect())
    }

    /// The pin of a map.
    pub fn map(&self, name: &str) -> PathBuf {
        self.maps().join(name)
    }

    /// The pin of a link, or the mark that stands for one that cannot be pinned.
    pub fn link(&self, ifindex: u32, hook: Hook, way: Way) -> PathBuf {
        let suffix = match way {
            Way::Tcx => "",
            Way::Clsact => CLSACT,
        };
        self.links()
            .join(format!("{ifindex}-{}{suffix}", hook.as_str()))
    }

    /// The pin of a link of this number whose interface is in another namespace, and had this name here. A
    /// BPF file system takes no dots (`kernel/bpf/inode.c`, `bpf_lookup`), so a name with one is not kept.
    pub fn link_away(&self, id: u32, interface: &str) -> PathBuf {
        let kept = if interface.contains('.') {
            ""
        } else {
            interface
        };
        self.directory.join(AWAY).join(format!("{id}-{kept}"))
    }

    /// The pinned links. What cannot be opened is none, and is replaced when its interface is attached to.
    pub fn held(&self) -> Result<BTreeMap<(u32, Hook), Held>> {
        let pins = self.marks(Way::Tcx)?;
        let held = pins.filter_map(|pin| Some((place(&pin)?, open(pin)?)));
        Ok(held.collect())
    }

    /// The marked filters.
    pub fn marked(&self) -> Result<BTreeSet<(u32, Hook)>> {
        Ok(self
            .marks(Way::Clsact)?
            .filter_map(|pin| place(&pin))
            .collect())
    }

    /// The pinned links whose interfaces are in another namespace, with the names that these had here; empty
    /// if a name was not kept.
    pub fn away(&self) -> Result<impl Iterator<Item = (String, Held)>> {
        let named = |pin: PathBuf| {
            let file = pin.file_name()?.to_str()?;
            let interface = file.split_once('-').map_or("", |(_, name)| name);
            Some((interface.to_owned(), open(pin)?))
        };
        Ok(files(&self.directory.join(AWAY))?.filter_map(named))
    }

    /// Removes the pin of a tcx link, and with it the link unless something else holds it.
    pub fn remove_link(&self, ifindex: u32, hook: Hook) -> Result<()> {
        let pin = self.link(ifindex, hook, Way::Tcx);
        remove(&fresh(&pin))?;
        remove(&pin)
    }

    /// The directory of this version.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The interfaces that have a pin at either hook.
    pub fn interfaces(&self) -> Result<BTreeSet<u32>> {
        let ifindex = |pin: PathBuf| {
            let name = pin.file_name()?.to_str()?;
            name.split_once('-')?.0.parse().ok()
        };
        Ok(files(&self.links())?.filter_map(ifindex).collect())
    }

    /// The pins, or marks, of one way.
    pub fn marks(&self, way: Way) -> Result<impl Iterator<Item = PathBuf>> {
        let is_clsact = |pin: &Path| pin.to_string_lossy().ends_with(CLSACT);
        let pins = files(&self.links())?;
        Ok(pins.filter(move |pin| is_clsact(pin) == (way == Way::Clsact)))
    }

    /// Forgets all links: those of tcx end with it.
    pub fn remove_links(&self) -> Result<()> {
        let away = files(&self.directory.join(AWAY))?;
        files(&self.links())?
            .chain(away)
            .try_for_each(|pin| remove(&pin))
    }

    /// Removes every pin of this version, and nothing else: the directory above may be shared with others.
    pub fn remove_all(&self) -> Result<()> {
        fs::remove_dir_all(&self.directory).map_err(Error::directory("remove", &self.directory))
    }

    fn maps(&self) -> PathBuf {
        self.directory.join("maps")
    }

    fn links(&self) -> PathBuf {
        self.directory.join("links")
    }
}

/// Where what is pinned is pinned before it takes the place of another.
pub fn fresh(pin: &Path) -> PathBuf {
    let mut fresh = pin.to_owned().into_os_string();
    fresh.push(FRESH);
    fresh.into()
}

/// The interface and the hook that a pin or a mark names.
fn place(pin: &Path) -> Option<(u32, Hook)> {
    let name = pin.file_name()?.to_str()?;
    let (ifindex, hook) = name.split_once('-')?;
    let hook = hook.strip_suffix(CLSACT).unwrap_or(hook);
    let mut hooks = Hook::ALL.into_iter();
    Some((
        ifindex.parse().ok()?,
        hooks.find(|one| one.as_str() == hook)?,
    ))
}

fn open(pin: PathBuf) -> Option<Held> {
    let held = Held::open(pin.clone());
    held.inspect_err(|error| tracing::warn!("cannot open {}: {error}", pin.display()))
        .ok()
}

/// What is in a directory, which need not be there.
fn files(directory: &Path) -> Result<impl Iterator<Item = PathBuf> + use<>> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => Some(entries),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => return Err(Error::directory("read", directory)(error)),
    };
    let entries = entries.into_iter().flatten();
    Ok(entries.filter_map(|entry| Some(entry.ok()?.path())))
}

/// Removes a pin or a mark, if it is there.
pub fn remove(pin: &Path) -> Result<()> {
    let removed = match pin.is_dir() {
        true => fs::remove_dir(pin),
        false => fs::remove_file(pin),
    };
    match removed {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(Error::directory("remove", pin)(error))
        }
        _ => Ok(()),
    }
}

/// How a program hangs on an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// A BPF link (tcx, Linux 6.6), which outlives the process by its pin.
    Tcx,
    /// A filter of the clsact qdisc, which outlives the process by itself.
    Clsact,
}

impl Way {
    /// The name for people.
    pub const fn as_str(self) -> &'static str {
        match self {
            Way::Tcx => "tcx",
            Way::Clsact => "clsact",
        }
    }
}
