//! Where maps, programs and links are pinned, `DIR/before-N/` being the same of an earlier layout or of other sizes: `DIR/v<ABI>/maps/NAME`, `DIR/v<ABI>/programs/OBJECT/NAME`,
//! `DIR/v<ABI>/programs/closed` for when no daemon runs, `DIR/v<ABI>/links/IFINDEX-HOOK` (with `-xdp` or
//! `-clsact` at the end), and `DIR/v<ABI>/away/LINK-INTERFACE` for links whose interface is in another
//! namespace.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use sg_common::hook::Hook;
use sg_common::layout::maps::ABI;

use super::error::{Error, Result};
use super::held::Held;
use super::programs::Role;
use super::trust;
use crate::host;

/// How the name of a pin ends that is to take the place of another.
const FRESH: &str = "-fresh";

/// How the name of a directory begins that was set aside.
const BEFORE: &str = "before-";

/// The directory of links whose interfaces are in another namespace.
const AWAY: &str = "away";

/// The pins of one version of the layout.
#[derive(Clone, Debug)]
pub struct Pins {
    /// `DIR/v<ABI>`.
    directory: PathBuf,
}

impl Pins {
    /// The pins of this layout below a directory; nothing is made.
    pub fn new(root: &Path) -> Pins {
        Pins {
            directory: root.join(format!("v{ABI}")),
        }
    }

    /// What a daemon that is away has left to close interfaces with: of whatever layout, of this one first.
    ///
    /// # Errors
    ///
    /// [`Error::Foreign`] if others can write there; [`Error::Directory`].
    pub fn left(root: &Path) -> Result<Pins> {
        trust::check(root)?;
        let ours = Pins::new(root);
        let mut all = Pins::all(root)?;
        all.sort_by_key(|pins| pins.directory != ours.directory);
        let mut able = all
            .into_iter()
            .filter(|pins| pins.program(Role::Closed.name()).exists());
        Ok(able.next().unwrap_or(ours))
    }

    /// Gives the directory the name of what was set aside, with the next number.
    ///
    /// # Errors
    ///
    /// [`Error::Directory`]
    pub fn set_aside(self, root: &Path) -> Result<Pins> {
        let numbers = Pins::all(root)?;
        let last = numbers.iter().filter_map(Pins::number).max();
        let directory = root.join(format!("{BEFORE}{}", last.unwrap_or(0) + 1));
        fs::rename(&self.directory, &directory)
            .map_err(Error::directory("rename", &self.directory))?;
        Ok(Pins { directory })
    }

    /// The number of what was set aside; the highest is the latest.
    pub fn number(&self) -> Option<u32> {
        let name = self.directory.file_name()?.to_str()?;
        name.strip_prefix(BEFORE)?.parse().ok()
    }

    /// Makes the directories that are not there.
    pub fn make_directories(&self) -> Result<()> {
        let away = self.directory.join(AWAY);
        [self.maps(), self.programs(), self.links(), away]
            .iter()
            .try_for_each(|directory| {
                host::make_private(directory).map_err(Error::directory("make", directory))
            })
    }

    /// The pins of every version below a directory, and those that were set aside.
    pub fn all(root: &Path) -> Result<Vec<Pins>> {
        let is_of_pins = |path: &PathBuf| {
            let name = path.file_name().and_then(|name| name.to_str());
            let number = name.and_then(|name| name.strip_prefix('v').or(name.strip_prefix(BEFORE)));
            number.is_some_and(|number| number.parse::<u32>().is_ok())
        };
        let all = files(root)?.filter(is_of_pins);
        Ok(all.map(|directory| Pins { directory }).collect())
    }

    /// The pin of a map.
    pub fn map(&self, name: &str) -> PathBuf {
        self.maps().join(name)
    }

    /// The pin of a program.
    pub fn program(&self, name: &str) -> PathBuf {
        self.programs().join(name)
    }

    /// The pin of a link, or the mark that stands for one that cannot be pinned.
    pub fn link(&self, spot: Spot) -> PathBuf {
        self.links().join(spot.to_string())
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
    pub fn held(&self) -> Result<BTreeMap<Spot, Held>> {
        let links = self.spots()?.filter(|spot| spot.way != Way::Clsact);
        let held = links.filter_map(|spot| Some((spot, open(self.link(spot))?)));
        Ok(held.collect())
    }

    /// The marked filters.
    pub fn marked(&self) -> Result<BTreeSet<(u32, Hook)>> {
        let marks = self.spots()?.filter(|spot| spot.way == Way::Clsact);
        Ok(marks.map(|spot| (spot.ifindex, spot.hook)).collect())
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

    /// Removes the pin of a link, and with it the link unless something else holds it.
    pub fn remove_link(&self, spot: Spot) -> Result<()> {
        let pin = self.link(spot);
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

    /// What has a pin or a mark.
    pub fn spots(&self) -> Result<impl Iterator<Item = Spot> + use<>> {
        Ok(files(&self.links())?.filter_map(|pin| spot(&pin)))
    }

    /// Forgets all links, which end with it.
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

    /// Where the programs of an object are pinned.
    pub fn programs_of(&self, object: u64) -> PathBuf {
        self.programs().join(format!("{object:016x}"))
    }

    /// Removes the pins of all programs: the next start has to load them.
    pub fn remove_programs(&self) -> Result<()> {
        let programs = self.programs();
        match fs::remove_dir_all(&programs) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(Error::directory("remove", &programs)(error))
            }
            _ => Ok(()),
        }
    }

    fn maps(&self) -> PathBuf {
        self.directory.join("maps")
    }

    fn programs(&self) -> PathBuf {
        self.directory.join("programs")
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

/// What a pin or a mark names, if it has the name that we give.
fn spot(pin: &Path) -> Option<Spot> {
    let name = pin.file_name()?.to_str()?;
    let (ifindex, rest) = name.split_once('-')?;
    let mut hooks = Hook::ALL.into_iter();
    let hook = hooks.find(|hook| rest.starts_with(hook.as_str()))?;
    let suffix = rest.strip_prefix(hook.as_str())?;
    let spot = Spot {
        ifindex: ifindex.parse().ok()?,
        hook,
        way: Way::ALL.into_iter().find(|way| way.suffix() == suffix)?,
    };
    (spot.to_string() == name).then_some(spot)
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

/// A place for a program: an interface, a hook of it, and how the program hangs there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Spot {
    /// The interface.
    pub ifindex: u32,
    /// The hook.
    pub hook: Hook,
    /// How.
    pub way: Way,
}

impl fmt::Display for Spot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Spot { ifindex, hook, way } = self;
        write!(f, "{ifindex}-{}{}", hook.as_str(), way.suffix())
    }
}

/// The name of the spot that a file's name names, for tests outside of here.
#[cfg(test)]
pub(crate) fn named_by(name: &str) -> Option<String> {
    spot(Path::new(name)).map(|spot| spot.to_string())
}

impl Spot {
    /// Where what a VM sends is met at XDP.
    pub const fn xdp(ifindex: u32) -> Spot {
        let (hook, way) = (Hook::FromVm, Way::Xdp);
        Spot { ifindex, hook, way }
    }
}

/// How a program hangs on an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// A BPF link (tcx, Linux 6.6), which outlives the process by its pin.
    Tcx,
    /// A filter of the clsact qdisc, which outlives the process by itself.
    Clsact,
    /// A BPF link of XDP (Linux 5.9), which outlives the process by its pin; for what a VM sends only.
    Xdp,
}

impl Way {
    /// All of them.
    pub const ALL: [Way; 3] = [Way::Tcx, Way::Clsact, Way::Xdp];

    /// The name for people.
    pub const fn as_str(self) -> &'static str {
        match self {
            Way::Tcx => "tcx",
            Way::Clsact => "clsact",
            Way::Xdp => "xdp",
        }
    }

    /// How the name of a pin or a mark ends.
    const fn suffix(self) -> &'static str {
        match self {
            Way::Tcx => "",
            Way::Clsact => "-clsact",
            Way::Xdp => "-xdp",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_pin_names_its_spot_and_one_that_is_not_yet_in_its_place_names_none() {
        let pins = Pins {
            directory: "/sg/v1".into(),
        };
        for way in Way::ALL {
            let (ifindex, hook) = (7, Hook::FromVm);
            let at = Spot { ifindex, hook, way };
            let pin = pins.link(at);
            assert_eq!(spot(&pin), Some(at), "{}", pin.display());
            assert_eq!(spot(&fresh(&pin)), None);
        }
    }
}
