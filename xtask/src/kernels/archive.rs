//! Debian's kernels of several suites, unpacked and not installed.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use xshell::{Shell, cmd};

use crate::{modules, workspace::Workspace};

/// Where kernels are taken from, the oldest first. What a suite does not have any more is passed over.
const SUITES: [&str; 6] = [
    "bookworm",
    "bookworm-security",
    "trixie",
    "trixie-security",
    "trixie-backports",
    "sid",
];

/// The package that depends on the kernel for virtual machines, which is the smaller one.
const NEWEST: &str = "linux-image-cloud-amd64";

/// What the tests need of a kernel beside what is built in.
const MODULES: [&str; 18] = [
    "tun",
    "bridge",
    "8021q",
    "veth",
    "sch_ingress",
    "cls_bpf",
    "act_bpf",
    "act_mirred",
    "act_police",
    "cls_u32",
    "cls_flower",
    "cls_matchall",
    "dummy",
    "vhost_net",
    "nf_conntrack",
    "nf_conntrack_netlink",
    "br_netfilter",
    "iptable_filter",
];

/// A kernel that boots.
pub struct Kernel {
    /// Release, such as `6.1`.
    pub release: String,
    /// Debian's version.
    pub version: String,
    /// Its image.
    pub image: PathBuf,
    /// Its modules, named in the order they are loaded in.
    pub modules: PathBuf,
}

/// Which of Debian's kernels are wanted: of each release the newest.
pub enum Wanted<'a> {
    /// Those of its stable releases, and the newest that it offers.
    Usual,
    /// All.
    All,
    /// Those of these releases.
    Named(&'a [String]),
}

/// The kernels that are wanted.
///
/// # Errors
/// When Debian's lists or a package cannot be had.
pub fn unpacked(workspace: &Workspace, folder: &Path, wanted: &Wanted<'_>) -> Result<Vec<Kernel>> {
    let shell = workspace.shell()?;
    let apt = Apt::new(&shell, folder)?;
    let mut kernels = Vec::new();
    for (release, version) in wanted.of(apt.offers()?) {
        let target = folder.join(&release);
        let done = target.join("version");
        if fs::read_to_string(&done).is_ok_and(|unpacked| unpacked == version) {
            kernels.push(Kernel::in_folder(&target, release, version));
            continue;
        }
        eprintln!("Unpacking Debian's kernel {version}.");
        let _ = fs::remove_dir_all(&target);
        apt.unpack(&version, &target)
            .with_context(|| format!("the kernel {version} cannot be unpacked"))?;
        // Last: what has a version is whole.
        fs::write(done, &version)?;
        kernels.push(Kernel::in_folder(&target, release, version));
    }
    let busybox = folder.join("busybox");
    if !busybox.is_file() {
        apt.busybox(&busybox)?;
    }
    Ok(kernels)
}

impl Wanted<'_> {
    /// Releases and versions of the kernels among all that are offered.
    fn of(&self, offers: BTreeMap<(u32, u32), Offer>) -> Vec<(String, String)> {
        let newest = offers.keys().last().copied();
        let named = offers.into_iter().map(|(numbers, offer)| {
            let usual = offer.stable || Some(numbers) == newest;
            let release = format!("{}.{}", numbers.0, numbers.1);
            (usual, release, offer.version)
        });
        let wanted = named.filter(|(usual, release, _)| match self {
            Wanted::Usual => *usual,
            Wanted::All => true,
            Wanted::Named(releases) => releases.contains(release),
        });
        wanted
            .map(|(_, release, version)| (release, version))
            .collect()
    }
}

/// What Debian offers of a release.
#[derive(Debug, PartialEq, Eq)]
struct Offer {
    version: String,
    /// One of its stable releases has it.
    stable: bool,
}

impl Kernel {
    fn in_folder(folder: &Path, release: String, version: String) -> Self {
        Self {
            release,
            version,
            image: folder.join("vmlinuz"),
            modules: folder.join("modules"),
        }
    }
}

/// apt with lists of its own, of suites that this machine is not installed from.
struct Apt<'a> {
    shell: &'a Shell,
    folder: &'a Path,
    options: Vec<String>,
}

impl<'a> Apt<'a> {
    fn new(shell: &'a Shell, folder: &'a Path) -> Result<Self> {
        let here = folder.join("apt");
        for part in ["lists/partial", "cache/archives/partial"] {
            fs::create_dir_all(here.join(part))?;
        }
        let sources = here.join("sources.list");
        fs::write(&sources, sources_list(&mirrors(shell)?))?;
        let at = |key: &str, path: &Path| [String::from("-o"), format!("{key}={}", path.display())];
        let options = [
            at("Dir::State::Lists", &here.join("lists")),
            at("Dir::Cache", &here.join("cache")),
            at("Dir::Etc::SourceList", &sources),
            at("Dir::Etc::SourceParts", Path::new("/dev/null")),
            // Without it apt warns that its own user cannot write here.
            at("APT::Sandbox::User", Path::new("root")),
        ];
        let options = options.into_iter().flatten().collect();
        let apt = Self {
            shell,
            folder,
            options,
        };
        let options = &apt.options;
        // A suite that is not there any more is an error of its own, and no reason to do without the others.
        let _ = cmd!(shell, "apt-get -qq {options...} update")
            .quiet()
            .ignore_stderr()
            .run();
        Ok(apt)
    }

    /// The newest version of each release.
    fn offers(&self) -> Result<BTreeMap<(u32, u32), Offer>> {
        let (shell, options) = (self.shell, &self.options);
        let listed = cmd!(shell, "apt-cache {options...} madison {NEWEST}")
            .quiet()
            .read();
        let listed = listed.context("Debian's lists of packages cannot be read")?;
        Ok(newest_of_each(&listed))
    }

    /// Fetches what makes up a kernel, and takes what boots out of it.
    fn unpack(&self, version: &str, target: &Path) -> Result<()> {
        let tree = target.join("tree");
        let packages = target.join("packages");
        fs::create_dir_all(&packages)?;
        let mut wanted = self.parts(&format!("{NEWEST}={version}"))?;
        let mut known = 0;
        while known < wanted.len() {
            for part in self.parts(&wanted[known])? {
                if !wanted.contains(&part) {
                    wanted.push(part);
                }
            }
            known += 1;
        }
        let (shell, options) = (self.shell, &self.options);
        let _here = shell.push_dir(&packages);
        cmd!(shell, "apt-get -qq {options...} download {wanted...}")
            .quiet()
            .run()?;
        for package in fs::read_dir(&packages)?.flatten() {
            let path = package.path();
            cmd!(shell, "dpkg -x {path} {tree}").quiet().run()?;
        }
        modules::take(shell, &tree, &MODULES, target)?;
        fs::remove_dir_all(&tree)?;
        fs::remove_dir_all(&packages)?;
        Ok(())
    }

    /// The packages with a part of the kernel that a package depends on, with their versions.
    fn parts(&self, package: &str) -> Result<Vec<String>> {
        let (shell, options) = (self.shell, &self.options);
        let shown = cmd!(shell, "apt-cache {options...} show {package}")
            .quiet()
            .read()?;
        Ok(kernel_parts(&shown))
    }

    /// The first program in the machine: one file that needs no other.
    fn busybox(&self, target: &Path) -> Result<()> {
        let packages = self.folder.join("packages");
        let _ = fs::remove_dir_all(&packages);
        fs::create_dir_all(&packages)?;
        let (shell, user) = (self.shell, "APT::Sandbox::User=root");
        let _here = shell.push_dir(&packages);
        cmd!(shell, "apt-get -qq -o {user} download busybox-static")
            .quiet()
            .run()
            .context("busybox-static cannot be downloaded: type apt-get update")?;
        for package in fs::read_dir(&packages)?.flatten() {
            let path = package.path();
            cmd!(shell, "dpkg -x {path} {packages}").quiet().run()?;
        }
        let unpacked = ["bin/busybox", "usr/bin/busybox"].map(|path| packages.join(path));
        let busybox = unpacked.iter().find(|path| path.is_file());
        fs::copy(busybox.context("busybox-static has no busybox")?, target)?;
        fs::remove_dir_all(&packages)?;
        Ok(())
    }
}

/// Where this machine has Debian and its security updates from.
struct Mirrors {
    archive: String,
    security: Option<String>,
}

fn mirrors(shell: &Shell) -> Result<Mirrors> {
    let format = "$(ORIGIN) $(RELEASE) $(REPO_URI)";
    let created = "Created-By: Packages";
    let targets = cmd!(shell, "apt-get indextargets --format {format} {created}")
        .quiet()
        .read()?;
    let of_debian = |security: bool| {
        let lines = targets
            .lines()
            .filter_map(|line| line.strip_prefix("Debian "));
        let mut lines = lines.filter_map(|line| line.split_once(' '));
        lines.find_map(|(release, uri)| {
            (release.ends_with("-security") == security).then(|| uri.to_owned())
        })
    };
    Ok(Mirrors {
        archive: of_debian(false).context(
            "apt knows no mirror of Debian: the kernels are Debian's; type apt-get update",
        )?,
        security: of_debian(true),
    })
}

fn sources_list(mirrors: &Mirrors) -> String {
    let keys = "/usr/share/keyrings/debian-archive-keyring.gpg";
    let lines = SUITES.iter().filter_map(|suite| {
        let uri = match suite.ends_with("-security") {
            true => mirrors.security.as_ref()?,
            false => &mirrors.archive,
        };
        Some(format!("deb [signed-by={keys}] {uri} {suite} main\n"))
    });
    lines.collect()
}

/// Of apt's list (`package | version | where`), by release. It has the newest first.
fn newest_of_each(madison: &str) -> BTreeMap<(u32, u32), Offer> {
    let mut newest = BTreeMap::new();
    for line in madison.lines() {
        let mut columns = line.split('|').skip(1).map(str::trim);
        let (Some(version), Some(place)) = (columns.next(), columns.next()) else {
            continue;
        };
        let mut numbers = version.split('.').map(str::parse);
        if let (Some(Ok(major)), Some(Ok(minor))) = (numbers.next(), numbers.next()) {
            let offer = newest.entry((major, minor)).or_insert_with(|| Offer {
                version: version.to_owned(),
                stable: false,
            });
            offer.stable |= !place.contains("-backports/") && !place.contains(" sid/");
        }
    }
    newest
}

/// The packages of a kernel among what a package depends on, as `name=version`.
fn kernel_parts(shown: &str) -> Vec<String> {
    let kinds = ["linux-image-", "linux-binary-", "linux-modules-"];
    let depends = shown
        .lines()
        .find_map(|line| line.strip_prefix("Depends: "));
    let parts = depends.unwrap_or_default().split(',').map(str::trim);
    parts
        .filter(|part| kinds.iter().any(|kind| part.starts_with(kind)))
        .filter_map(|part| {
            let (name, version) = part.split_once(" (= ")?;
            Some(format!("{name}={}", version.trim_end_matches(')')))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LISTED: &str = "linux-image-cloud-amd64 | 7.3.4-1~bpo13+1 | mirror trixie-backports/main\n\
                          linux-image-cloud-amd64 | 7.2.13-1 | mirror sid/main\n\
                          linux-image-cloud-amd64 | 6.1.192-3 | mirror bookworm-security/main\n\
                          linux-image-cloud-amd64 | 6.1.176-1 | mirror bookworm/main\n";

    #[test]
    fn of_each_release_the_newest_kernel_is_taken() {
        let wanted = Wanted::All.of(newest_of_each(LISTED));
        let versions: Vec<_> = wanted.iter().map(|(_, version)| &**version).collect();
        assert_eq!(versions, ["6.1.192-3", "7.2.13-1", "7.3.4-1~bpo13+1"]);
    }

    #[test]
    fn the_stable_releases_and_the_newest_kernel_are_taken_unless_others_are_named() {
        let usual = Wanted::Usual.of(newest_of_each(LISTED));
        let releases: Vec<_> = usual.iter().map(|(release, _)| &**release).collect();
        assert_eq!(releases, ["6.1", "7.3"]);
        let named = Wanted::Named(&["7.2".into()]).of(newest_of_each(LISTED));
        assert_eq!(named, [("7.2".into(), "7.2.13-1".into())]);
    }

    #[test]
    fn a_kernel_in_several_packages_is_found_whole() {
        let shown = "Package: linux-image-7.3.4-amd64\nDepends: dracut | initramfs-tools (>= 0.120), \
                     linux-base-7.3.4-amd64 (= 7.3.4-1), linux-binary-7.3.4-amd64 (= 7.3.4-1), \
                     linux-modules-7.3.4-amd64 (= 7.3.4-1)\n";
        let parts = kernel_parts(shown);
        assert_eq!(
            parts,
            [
                "linux-binary-7.3.4-amd64=7.3.4-1",
                "linux-modules-7.3.4-amd64=7.3.4-1"
            ]
        );
    }
}
