//! `sgctl man`

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use clap::{Args, CommandFactory};

use super::{Sgctl, Sgd, config};
use crate::{
    error::{Error, Result},
    exit::Exit,
};

/// Write the manual pages of sgctl and sgd, one a verb, and of the configuration file, into a directory
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  sgctl man /usr/local/share/man/man1")]
pub struct ManArgs {
    /// It is made if it is not there
    directory: PathBuf,
}

impl ManArgs {
    pub fn run(self) -> Result<Exit> {
        write(&self.directory).map_err(|source| Error::File {
            action: "write",
            path: self.directory,
            source,
        })?;
        Ok(Exit::Ok)
    }
}

fn write(directory: &Path) -> io::Result<()> {
    fs::create_dir_all(directory)?;
    clap_mangen::generate_to(Sgctl::command(), directory)?;
    clap_mangen::generate_to(Sgd::command(), directory)?;
    fs::write(directory.join("sgd.toml.5"), config::page())
}

#[cfg(test)]
mod tests {
    use super::{fs, write};

    #[test]
    fn there_is_a_page_for_each_program_and_verb() {
        let directory = tempfile::tempdir().unwrap();
        write(&directory.path().join("man1")).unwrap();
        let page = |name: &str| {
            let page = fs::read_to_string(directory.path().join("man1").join(name));
            page.unwrap_or_else(|e| panic!("{name}: {e}"))
        };
        assert!(page("sgctl.1").contains("Exit codes:"));
        assert!(page("sgctl-settings.1").contains("settings"));
        assert!(page("sgctl-show-port.1").contains("port"));
        assert!(page("sgd-run.1").contains("settings"));
        assert!(page("sgd-config-check.1").contains("wrong"));
        assert!(page("sgd.toml.5").contains("socket.group"));
    }
}
