//! Daemons that follow a store.

use std::process::Command;

use super::{Node, Output, patience};

impl Node {
    /// Starts a daemon that follows a store as this host; returns when it answers.
    pub fn start_followed(&mut self, urls: &str, host: &str, options: &[&str]) {
        assert!(
            self.daemon.is_none(),
            "the daemon of this node runs already"
        );
        let command = self.followed_command(urls, host, options);
        self.run(command);
    }

    /// The same, for one that ends by itself.
    pub fn followed_refused(&self, urls: &str, host: &str, options: &[&str]) -> Output {
        let run = self.followed_command(urls, host, options);
        let mut command = Command::new("timeout");
        command.args(["--kill-after=5", &patience().as_secs().to_string()]);
        command.arg(run.get_program()).args(run.get_args());
        self.output(command)
    }

    fn followed_command(&self, urls: &str, host: &str, options: &[&str]) -> Command {
        let mut command = self.sgd_command("run");
        command
            .args(["--etcd", urls, "--host", host])
            .arg("--state");
        command.arg(self.state_path()).args(options);
        command
    }
}
