//! A host that cannot run the daemon is told why.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::Command;

use sg_tests::node::{Node, program};

use crate::site::{HTTP, site};

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
    for words in ["CAP_BPF", "CAP_NET_ADMIN", "CAP_PERFMON", "run as root"] {
        assert!(
            refused.stderr.contains(words),
            "{words}: {}",
            refused.stderr
        );
    }
}
