//! `sgctl settings`

use std::path::PathBuf;

use clap::Args;
use sg_common::layout::capacity;

use super::Context;
use crate::{
    error::Result,
    exit::Exit,
    settings::{File, Wanted, to_toml, views},
    view::SettingsView,
};

/// Print all settings in force, as a settings file
///
/// With a file, nothing is asked of the daemon: the file is checked, and what it comes to is printed.
#[derive(Debug, Args)]
pub struct SettingsArgs {
    /// Check this settings file instead, and print what it comes to
    #[arg(short, long, value_name = "FILE")]
    file: Option<PathBuf>,
}

impl SettingsArgs {
    pub async fn run(self, context: &Context) -> Result<Exit> {
        let view = match self.file {
            Some(path) => read(path)?,
            None => context.client.settings().await?,
        };
        context.print(&view, text)?;
        Ok(Exit::Ok)
    }
}

fn read(path: PathBuf) -> Result<SettingsView> {
    let wanted = File::new(Some(&path)).read()?;
    let settings = wanted.settings(capacity::FLOWS4);
    let default = Wanted::default().settings(capacity::FLOWS4);
    Ok(SettingsView {
        path,
        last_error: None,
        settings: views(
            &settings,
            &default,
            &wanted.from_vm,
            &wanted.audit,
            &wanted.logs,
        ),
        notes: wanted.notes,
    })
}

fn text(view: &SettingsView) -> String {
    let path = view.path.display();
    let mut text = format!("# {path}\n");
    if let Some(error) = &view.last_error {
        text.push_str(&format!("# The newest was not taken: {error}\n"));
    }
    for note in &view.notes {
        text.push_str(&format!("# {note}\n"));
    }
    text + "\n" + &to_toml(&view.settings)
}
