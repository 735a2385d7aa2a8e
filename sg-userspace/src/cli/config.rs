//! `sgd config`

mod beneath;
mod page;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use sg_common::layout::capacity;

pub use beneath::parse;
pub use page::page;

use super::output;
use crate::{
    error::Result,
    exit::Exit,
    settings::{File, Wanted, to_toml, views},
};

/// What can be done with a configuration file.
#[derive(Debug, Clone, Subcommand)]
pub enum ConfigCommand {
    /// Say all that is wrong with it; the exit code is 3 if anything is
    Check(FileArgs),
    /// Print it with all that it does not name, as a run without other options has it
    ///
    /// What a running daemon has in force is printed by `sgctl settings`.
    Show(FileArgs),
}

/// Which file.
#[derive(Debug, Clone, Args)]
pub struct FileArgs {
    /// The file [default: /etc/sgd/sgd.toml, if it is there]
    #[arg(env = "SGD_CONFIG")]
    file: Option<PathBuf>,
}

impl ConfigCommand {
    /// Does it.
    ///
    /// # Errors
    ///
    /// [`crate::error::Error::Settings`] for a file that cannot be read or, to be shown, be used.
    pub fn run(&self) -> Result<Exit> {
        match self {
            Self::Check(FileArgs { file }) => check(&File::new(file.as_deref())),
            Self::Show(FileArgs { file }) => show(&File::new(file.as_deref())),
        }
    }
}

fn check(file: &File) -> Result<Exit> {
    let path = file.path().display();
    let (said, exit) = match file.checked()? {
        Ok(_) => (format!("{path}: nothing is wrong\n"), Exit::Ok),
        Err(malformed) => {
            let mistakes = malformed.0.iter();
            let lines = mistakes.map(|mistake| format!("{path}: {mistake}\n"));
            (lines.collect(), Exit::Malformed)
        }
    };
    output::write(&said)?;
    Ok(exit)
}

fn show(file: &File) -> Result<Exit> {
    let wanted = file.read()?;
    let settings = |wanted: &Wanted| wanted.settings(capacity::FLOWS4);
    let default = settings(&Wanted::default());
    let mut all = views(
        &settings(&wanted),
        &default,
        &wanted.from_vm,
        &wanted.audit,
        &wanted.logs,
    );
    // Single ports stand at the end, in sections of their own.
    let ports = all.iter().position(|set| set.key.starts_with("ports."));
    let at = ports.unwrap_or(all.len());
    all.splice(at..at, beneath::views(&wanted.startup));
    let path = file.path().display();
    output::write(&format!("# {path}\n\n{}", to_toml(&all)))?;
    Ok(Exit::Ok)
}
