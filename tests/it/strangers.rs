//! Pins that others have made, or can write to, are not used, and what is in force stays so.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};

use sg_common::layout::maps::{ABI, name};
use sg_tests::traffic::Outcome::{Answered, Silence};

use crate::site::{HTTP, Site, site};

/// A user that is not root.
const STRANGER: u32 = 65_534;

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// The directory of this version's pins.
fn version(site: &Site) -> PathBuf {
    site.node.pins().join(format!("v{ABI}"))
}

/// `sgd run` is refused, and says of what and why; so is `sgd detach`, which would act on it.
fn expect_refused(site: &Site, path: &Path, why: &str) {
    for output in [
        site.node.refused(site.node.netns(), &[]),
        site.node.sgd("detach"),
    ] {
        output.expect(6);
        for said in [path.to_str().unwrap(), why, "--bpffs"] {
            assert!(output.stderr.contains(said), "{said}: {}", output.stderr);
        }
    }
    assert_eq!(site.ask(443), Silence);
    assert_eq!(site.ask(80), Answered);
}

#[test]
fn pins_that_others_own_or_can_write_to_are_refused_and_what_is_in_force_stays() {
    let mut site_ = Site::new("strangers");
    site_.node.start(&site(&[HTTP]));
    site_.node.terminate();
    let directory = site_.node.pins();
    for path in [
        site_.node.map(name::GRANTS),
        version(&site_).join("links"),
        directory.clone(),
    ] {
        let kept = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(kept & 0o077, 0, "{} is root's alone", path.display());
        chown(&path, Some(STRANGER), None).unwrap();
        expect_refused(&site_, &path, "belongs to user 65534");
        chown(&path, Some(0), None).unwrap();
        mode(&path, 0o777);
        expect_refused(&site_, &path, "has mode 0777");
        mode(&path, kept);
    }
    site_.node.start_again();
    assert_eq!(site_.ask(443), Silence);
    assert_eq!(site_.ask(80), Answered);
}

#[test]
fn a_link_in_the_place_of_a_map_is_not_followed() {
    let mut site_ = Site::new("linked");
    site_.node.start(&site(&[HTTP]));
    site_.node.terminate();
    let (map, elsewhere) = (
        site_.node.map(name::GRANTS),
        site_.node.bpffs().join("grants"),
    );
    fs::rename(&map, &elsewhere).unwrap();
    symlink(&elsewhere, &map).unwrap();

    expect_refused(&site_, &map, "is a link");

    fs::remove_file(&map).unwrap();
    fs::rename(&elsewhere, &map).unwrap();
    site_.node.start_again();
    assert_eq!(site_.ask(80), Answered);
}

#[test]
fn a_directory_in_the_place_of_a_map_is_refused_by_its_name() {
    let mut site_ = Site::new("folder");
    site_.node.start(&site(&[HTTP]));
    site_.node.terminate();
    let map = site_.node.map(name::GRANTS);
    let elsewhere = site_.node.bpffs().join("grants");
    fs::rename(&map, &elsewhere).unwrap();
    fs::create_dir(&map).unwrap();
    mode(&map, 0o700);

    let refused = site_.node.refused(site_.node.netns(), &[]);

    refused.expect(6);
    let said = map.to_str().unwrap();
    assert!(refused.stderr.contains(said), "{}", refused.stderr);
    fs::remove_dir(&map).unwrap();
    fs::rename(&elsewhere, &map).unwrap();
    site_.node.start_again();
    assert_eq!(site_.ask(80), Answered);
}

#[test]
fn what_is_no_link_among_the_links_keeps_no_tap_from_its_filter() {
    let mut site_ = Site::new("no-link");
    let ifindex = site_.node.netns().ifindex(&crate::site::web1().interface());
    let links = version(&site_).join("links");
    fs::create_dir_all(&links).unwrap();
    for path in [&links, &version(&site_), &site_.node.pins()] {
        mode(path, 0o700);
    }
    for odd in [
        format!("{ifindex}-from_vm"),
        format!("{ifindex}-from_vm-fresh"),
        format!("{ifindex}-to_vm"),
        format!("+{ifindex}-to_vm"),
        "odd".into(),
    ] {
        let odd = links.join(odd);
        fs::create_dir(&odd).unwrap();
        mode(&odd, 0o700);
    }

    site_.node.start(&site(&[HTTP]));

    assert_eq!(site_.ask(443), Silence);
    assert_eq!(site_.ask(80), Answered);
}
