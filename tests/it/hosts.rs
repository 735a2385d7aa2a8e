//! A host that cannot run the daemon is told why.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::Command;

use sg_tests::node::{Node, program};

use crate::site::{HTTP, site, web1};

/// `nobody`, on every Linux.
const NOBODY: u32 = 65534;

#[test]
fn a_user_without_capabilities_is_told_which_are_missing() {
    let node = Node::new("nobody");
    // The programs may lie where only root can look.
    let directory = node.directory();
    fs::set_permissions(directory, fs::Permissions::from_mode(0o755)).unwrap();
    let (sgd, inventory) = (directory.join("sgd"), node.inventory_path());
    fs::copy(program("sgd"), &sgd).unwrap();
    fs::write(&inventory, site(&[HTTP]).json().to_string()).unwrap();
    let mut command = Command::new(sgd);
    command.arg("run").arg("--inventory").arg(inventory);
    command.arg("--bpffs").arg(node.pins());
    command.arg("--socket").arg(directory.join("sgd.sock"));
    command.uid(NOBODY).gid(NOBODY);

    let refused = node.output(command);

    refused.expect(6);
    for words in ["CAP_NET_ADMIN", "CAP_SYS_ADMIN", "run as root"] {
        assert!(
            refused.stderr.contains(words),
            "{words}: {}",
            refused.stderr
        );
    }
}

#[test]
fn two_capabilities_are_enough_to_enforce() {
    let mut node = Node::new("rights").with_prefix(&[
        "setpriv",
        "--bounding-set=-all,+net_admin,+sys_admin",
        "--inh-caps=-all",
        "--",
    ]);
    let _tap = node.tap(&web1().interface());
    node.start(&site(&[HTTP]));
    let web = node.query("show port WEB1");
    assert_eq!(web["state"], "enforcing", "{}", web["state"]);
}

#[test]
fn a_low_limit_of_open_files_is_raised_and_one_that_is_too_low_is_told() {
    let limits = |label: &str, limits: &str| {
        let mut node =
            Node::new(label).with_prefix(&["prlimit", &format!("--nofile={limits}"), "--"]);
        let _tap = node.tap(&web1().interface());
        node.start(&site(&[HTTP]));
        let pid = node.daemon_pid();
        let limits = fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
        let line = limits
            .lines()
            .find(|line| line.starts_with("Max open files"));
        let soft = line.and_then(|line| line.split_whitespace().nth(3).map(str::to_owned));
        (soft.unwrap(), node.log().contains("LimitNOFILE="))
    };

    assert_eq!(limits("files-raised", "256:4096"), ("4096".into(), false));
    assert_eq!(limits("files-low", "256:1024"), ("1024".into(), true));
}
