//! A settings file: read at the start, followed when it changes, refused as a whole.

use std::fs;
use std::thread::sleep;
use std::time::Duration;

use serde_json::{Value, json};
use sg_tests::node::Node;

use crate::site::site;

/// Time for the daemon to see a change of a file.
const NOTICE: Duration = Duration::from_millis(700);

/// A node with a settings file, whose daemon does not run yet.
struct Set {
    node: Node,
    file: std::path::PathBuf,
}

impl Set {
    fn new(label: &str, text: &str) -> Self {
        let node = Node::new(label);
        fs::write(node.inventory_path(), site(&[]).json().to_string()).unwrap();
        let file = node.directory().join("settings.toml");
        fs::write(&file, text).unwrap();
        Self { node, file }
    }

    fn start(&mut self) {
        let file = self.file.to_str().unwrap().to_owned();
        self.node.start_with(&["--settings", &file]);
    }

    fn change(&self, text: &str) {
        fs::write(&self.file, text).unwrap();
        sleep(NOTICE);
    }

    /// What `sgctl status` says is not at its default.
    fn changed(&self) -> Vec<(String, Value)> {
        let status = self.node.query("status");
        let settings = status["settings"]["settings"].as_array().unwrap().clone();
        settings
            .into_iter()
            .map(|set| {
                (
                    set["key"].as_str().unwrap().to_owned(),
                    set["value"].clone(),
                )
            })
            .collect()
    }
}

#[test]
fn the_settings_file_is_read_at_the_start_and_followed() {
    let mut set = Set::new("set", "timeouts.tcp_established = 86400\n");
    set.start();
    let established = ("timeouts.tcp_established".to_owned(), json!(86400));
    assert_eq!(set.changed(), [established]);

    set.change("invalid = 'drop'\n");
    let invalid = [("invalid".to_owned(), json!("drop"))];
    assert_eq!(set.changed(), invalid);

    set.change("invalid = 'drop'\ntimeouts.tcp_established = '5 days'\n");
    assert_eq!(set.changed(), invalid, "a bad file changes nothing");
    let said = set.node.sgctl("status").stdout;
    let expected = "the newest settings were not taken: the settings ";
    assert!(
        said.contains(expected) && said.contains("line 2: "),
        "{said}"
    );

    set.node.terminate();
    set.change("");
    set.start();
    assert_eq!(
        set.changed(),
        [],
        "a restart does not keep what is no longer set"
    );
}

#[test]
fn what_sgctl_settings_prints_is_a_settings_file() {
    let mut set = Set::new("printed", "tcp.loose = false\n");
    set.start();
    let printed = set.node.sgctl("settings");
    printed.expect(0);
    assert!(
        printed.stdout.contains("\nloose = false\n"),
        "{}",
        printed.stdout
    );
    set.change(&printed.stdout);
    assert_eq!(
        set.node.query("status")["settings"]["last_error"],
        Value::Null
    );
    let again = set.node.sgctl("settings");
    assert_eq!(again.stdout, printed.stdout);
    let checked = set
        .node
        .sgctl(&format!("settings -f {}", set.file.display()));
    assert_eq!(checked.expect(0).stdout, printed.stdout);
}

#[test]
fn the_timeouts_of_the_node_are_taken() {
    let netfilter = |node: &Node| {
        node.netns()
            .run(|| fs::read_dir("/proc/sys/net/netfilter").is_ok())
    };
    let mut set = Set::new("system", "timeouts = 'system'\n");
    set.start();
    if netfilter(&set.node) {
        set.node
            .netns()
            .set("netfilter/nf_conntrack_udp_timeout_stream", "77");
        set.node.terminate();
        set.start();
        let stream = ("timeouts.udp_stream".to_owned(), json!(77));
        assert!(set.changed().contains(&stream), "{:?}", set.changed());
    } else {
        let said = set.node.sgctl("status").stdout;
        assert!(said.contains("nf_conntrack is not loaded"), "{said}");
    }
}

#[test]
fn a_file_that_cannot_be_used_keeps_the_daemon_from_starting() {
    let set = Set::new("refused", "[timeouts]\ntcp_estab = 5\n");
    let sgd = |file: &str| {
        set.node
            .sgd_args(&["run", "--inventory", "none", "--settings", file])
    };
    let refused = sgd(set.file.to_str().unwrap());
    let said = &refused.expect(3).stderr;
    let expected =
        "settings.toml: line 2: timeouts.tcp_estab: there is no such key (its value is 5)";
    assert!(said.contains(expected), "{said}");
    let missing = sgd("/nowhere/settings.toml");
    let said = &missing.expect(3).stderr;
    assert!(
        said.contains("/nowhere/settings.toml: No such file"),
        "{said}"
    );
}
