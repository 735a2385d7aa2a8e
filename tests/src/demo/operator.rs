//! What an operator sees of it all.

use std::io;
use std::os::fd::AsFd;
use std::process::Command;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use sg_common::layout::maps::name;

use super::report::Report;
use super::scene::Scene;
use super::web_servers::show;
use crate::interrupt::{self, Interrupted};
use crate::netns::NAMES;

/// The key of the first slot that is a port's, as bpftool reads it.
const FIRST_SLOT: &str = "key 1 0 0 0";

/// Shows WEB1's filter, then the maps of the kernel themselves.
pub(super) fn look(scene: &Scene, report: &mut Report) {
    show(scene, report, "show port WEB1");
    show(scene, report, "counters WEB1");
    bpftool(scene, report, name::SLOT_PORTS, "lookup", FIRST_SLOT);
    for map in [name::POLICIES, name::GRANTS] {
        bpftool(scene, report, map, "dump", "");
    }
}

/// Keeps everything up until Enter is pressed.
pub(super) fn pause(scene: &Scene) -> Result<(), Interrupted> {
    let (node, directory) = (scene.node.netns().name(), scene.node.directory().display());
    println!("\nEverything stays up until you press Enter. In another terminal:");
    println!("   nsenter --net={NAMES}/{node} sgctl --socket {directory}/sgd.sock status");
    println!(
        "   nsenter --net={NAMES}/{} bash",
        scene.web1.netns().name()
    );
    println!(
        "   bpftool map lookup pinned {} {FIRST_SLOT}",
        scene.node.map(name::SLOT_PORTS).display()
    );
    let stdin = io::stdin();
    loop {
        interrupt::check()?;
        let mut fds = [PollFd::new(stdin.as_fd(), PollFlags::POLLIN)];
        let wait = PollTimeout::try_from(Duration::from_millis(200)).unwrap_or(PollTimeout::ZERO);
        if poll(&mut fds, wait).is_ok_and(|ready| ready > 0) {
            return Ok(());
        }
    }
}

fn bpftool(scene: &Scene, report: &mut Report, map: &str, verb: &str, key: &str) {
    const SCREEN: usize = 40;

    let path = scene.node.map(map);
    let words = format!("map {verb} pinned {} {key}", path.display());
    report.command(&format!("bpftool {}", words.trim_end()));
    let mut command = Command::new("bpftool");
    command.args(words.split_whitespace());
    let output = scene.node.output(command);
    report.output(&output.stdout, SCREEN);
    report.output(&output.stderr, SCREEN);
    let readable = output.code == 0 && output.stdout.contains(": ");
    let seen = if readable {
        "field by field"
    } else {
        "not readable"
    };
    report.check(
        &format!("bpftool shows the map {map}"),
        "field by field",
        seen,
    );
}
