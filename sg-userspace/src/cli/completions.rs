//! `sgctl completions`

use std::io::{self, Write};

use clap::{Args, CommandFactory, ValueEnum};
use clap_complete::{Shell, generate};

use super::{Sgctl, Sgd};
use crate::{
    error::{Error, Result},
    exit::Exit,
};

/// Print the completions of a command line for a shell
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct CompletionsArgs {
    shell: Shell,
    #[arg(default_value = "sgctl")]
    program: Program,
}

const EXAMPLES: &str = "\
Examples:
  sgctl completions bash > /etc/bash_completion.d/sgctl
  sgctl completions bash sgd > /etc/bash_completion.d/sgd";

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Program {
    Sgctl,
    Sgd,
}

impl CompletionsArgs {
    pub fn run(self) -> Result<Exit> {
        let written = io::stdout().write_all(&self.script());
        written.map_err(|source| Error::System {
            action: "printing the completions",
            source,
        })?;
        Ok(Exit::Ok)
    }

    fn script(&self) -> Vec<u8> {
        let (mut command, name) = match self.program {
            Program::Sgctl => (Sgctl::command(), "sgctl"),
            Program::Sgd => (Sgd::command(), "sgd"),
        };
        let mut script = Vec::new();
        generate(self.shell, &mut command, name, &mut script);
        script
    }
}

#[cfg(test)]
mod tests {
    use super::{CompletionsArgs, Program, Shell, ValueEnum};

    #[test]
    fn every_shell_completes_the_verbs_and_options_of_both_programs() {
        for shell in Shell::value_variants() {
            let script = |program| {
                let shell = *shell;
                String::from_utf8(CompletionsArgs { shell, program }.script()).unwrap()
            };
            let (sgctl, sgd) = (script(Program::Sgctl), script(Program::Sgd));
            assert!(
                sgctl.contains("settings") && sgctl.contains("explain"),
                "{shell}"
            );
            assert!(
                sgd.contains("inventory") && sgd.contains("settings"),
                "{shell}"
            );
        }
    }
}
