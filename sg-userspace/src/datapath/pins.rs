//! Where maps and links are pinned: `DIR/v<ABI>/maps/NAME` and `DIR/v<ABI>/links/IFINDEX-HOOK`.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::{fs, io};

use sg_common::hook::Hook;
use sg_common::maps::ABI;

use super::error::{Error, Result};

/// The pins below one directory of a BPF file system.
#[derive(Clone, Debug)]
pub struct Pins {
    root: PathBuf,
}

impl Pins {
    /// The pins below a directory. Pins of another layout there are not touched but refused: their
    /// programs would go on filtering beside ours.
    pub fn open(root: &Path) -> Result<Pins> {
        let pins = Pins { root: root.into() };
        if let Some(other) = pins.other_layout()? {
            return Err(Error::OtherLayout {
                pin: other,
                found: "another version".into(),
                wanted: format!("v{ABI}"),
            });
        }
        for directory in [pins.maps(), pins.links()] {
            fs::create_dir_all(&directory).map_err(Error::directory("make", &directory))?;
        }
        Ok(pins)
    }

    /// The pin of a map.
    pub fn map(&self, name: &str) -> PathBuf {
        self.maps().join(name)
    }

    /// The pin of a link, or of the program that stands for one that cannot be pinned.
    pub fn link(&self, ifindex: u32, hook: Hook, way: Way) -> PathBuf {
        let suffix = match way {
            Way::Tcx => "",
            Way::Clsact => "-clsact",
        };
        self.links()
            .join(format!("{ifindex}-{}{suffix}", hook.as_str()))
    }

    /// The interfaces that have a pin at either hook.
    pub fn interfaces(&self) -> Result<BTreeSet<u32>> {
        let directory = self.links();
        let entries = match fs::read_dir(&directory) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(BTreeSet::new()),
            Err(error) => return Err(Error::directory("read", &directory)(error)),
        };
        let ifindex = |entry: io::Result<fs::DirEntry>| {
            let name = entry.ok()?.file_name();
            name.to_str()?.split_once('-')?.0.parse().ok()
        };
        Ok(entries.filter_map(ifindex).collect())
    }

    /// Removes every pin of ours below a directory, of whatever layout, and nothing else: the directory
    /// may be shared with others.
    pub fn remove_all(root: &Path) -> Result<()> {
        for version in versions(root)? {
            fs::remove_dir_all(&version).map_err(Error::directory("remove", &version))?;
        }
        // Not ours to remove if anything else is in it.
        let _ = fs::remove_dir(root);
        Ok(())
    }

    fn maps(&self) -> PathBuf {
        self.version().join("maps")
    }

    fn links(&self) -> PathBuf {
        self.version().join("links")
    }

    fn version(&self) -> PathBuf {
        self.root.join(format!("v{ABI}"))
    }

    fn other_layout(&self) -> Result<Option<PathBuf>> {
        let ours = self.version();
        Ok(versions(&self.root)?.into_iter().find(|path| *path != ours))
    }
}

/// The directories of all layouts below a directory.
fn versions(root: &Path) -> Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(root) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Error::directory("read", root)(error)),
    };
    let is_version = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str());
        let number = name.and_then(|name| name.strip_prefix('v'));
        number.is_some_and(|number| number.parse::<u32>().is_ok())
    };
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    Ok(paths.filter(is_version).collect())
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
