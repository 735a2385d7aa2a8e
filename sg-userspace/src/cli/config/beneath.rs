//! The configuration file beneath the command line of `sgd`.

use std::ffi::OsString;

use clap::{Arg, ArgMatches, Command, CommandFactory, FromArgMatches, parser::ValueSource};
use serde_json::Value;

use super::super::sgd::{Sgd, SgdCommand};
use crate::{
    error::{Error, Result},
    settings::{File, SOURCES, START_KEYS, StartKey, Startup},
    view::SettingView,
};

/// A command line of `sgd`, with what the configuration file says beneath it. Ends the program as clap does
/// where it is not understood.
///
/// # Errors
///
/// [`Error::Settings`], and [`Error::Usage`] where nobody says what is to be enforced.
pub fn parse(line: Vec<OsString>) -> Result<SgdCommand> {
    let matches = Sgd::command().get_matches_from(&line);
    let command = read(&matches)?;
    let config = match &command {
        SgdCommand::Run(args) | SgdCommand::Load(args) => &args.config,
        SgdCommand::Detach(args) => &args.config,
        SgdCommand::Prepare(args) => &args.config,
        SgdCommand::Close(args) => &args.config,
        SgdCommand::Config(_) => return Ok(command),
    };
    let startup = File::new(config.as_deref()).read()?.startup;
    let line = line.into_iter().chain(beneath(&matches, &startup));
    let matches = Sgd::command().try_get_matches_from(line).map_err(usage)?;
    let command = read(&matches)?;
    match &command {
        SgdCommand::Run(args) if !args.source.is_said() => Err(Error::Usage(
            "it is not said what to enforce: give --inventory FILE, --transactions or --etcd URLS, or write \
             inventory = \"FILE\" or transactions = true under [daemon], or urls = \"URLS\" under [etcd] of \
             /etc/sgd/sgd.toml"
                .into(),
        )),
        _ => Ok(command),
    }
}

fn read(matches: &ArgMatches) -> Result<SgdCommand> {
    let sgd = Sgd::from_arg_matches(matches).map_err(usage)?;
    Ok(sgd.command)
}

fn usage(error: clap::Error) -> Error {
    Error::Usage(error.to_string())
}

/// The options that the file gives and nothing above it.
fn beneath(matches: &ArgMatches, startup: &Startup) -> Vec<OsString> {
    let Some((name, given)) = matches.subcommand() else {
        return Vec::new();
    };
    let sgd = Sgd::command();
    let verb = sgd.find_subcommand(name);
    let has = |option| verb.is_some_and(|verb| argument(verb, option).is_some());
    let is_above = |option| {
        let argument = verb.and_then(|verb| argument(verb, option));
        let source = argument.and_then(|argument| given.value_source(argument.get_id().as_str()));
        matches!(
            source,
            Some(ValueSource::CommandLine | ValueSource::EnvVariable)
        )
    };
    // Where what is to be enforced comes from is said by two options, and is one thing.
    let is_said = |option| match SOURCES.contains(&option) {
        true => SOURCES.into_iter().any(is_above),
        false => is_above(option),
    };
    let wanted = startup
        .iter()
        .filter(|(option, _)| has(option) && !is_said(option));
    let options = wanted.filter_map(|(option, value)| match value.as_str() {
        "true" => Some(format!("--{option}")),
        "false" => None,
        value => Some(format!("--{option}={value}")),
    });
    options.map(OsString::from).collect()
}

/// The option of a verb that has this name.
pub(super) fn argument<'a>(verb: &'a Command, option: &str) -> Option<&'a Arg> {
    let mut all = verb.get_arguments();
    all.find(|argument| argument.get_long() == Some(option))
}

/// What a run is started with, as settings; those that have no value are left out.
pub(super) fn views(startup: &Startup) -> Vec<SettingView> {
    let sgd = Sgd::command();
    let run = sgd.find_subcommand("run");
    let view = |key: &StartKey| {
        let argument = run.and_then(|run| argument(run, key.option));
        let default = argument.map_or(Value::Null, |argument| default(key, argument));
        let given = startup.get(key.option);
        let value = given.map_or(default.clone(), |given| key.value(given));
        let key = key.name.into();
        SettingView {
            key,
            value,
            default,
        }
    };
    let all = START_KEYS.iter().map(view);
    all.filter(|set| !set.value.is_null()).collect()
}

/// What an option is unless it is given; null if that is nothing, or depends on the host.
pub(super) fn default(key: &StartKey, argument: &Arg) -> Value {
    let default = argument.get_default_values().first();
    let default = default.map(|value| value.to_string_lossy());
    default.map_or(Value::Null, |value| key.value(&value))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn run(text: &str, options: &[&str]) -> Result<super::super::super::RunArgs> {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("sgd.toml");
        std::fs::write(&file, text).unwrap();
        let line = ["sgd", "run", "--config", file.to_str().unwrap()];
        let line = line.into_iter().chain(options.iter().copied());
        match parse(line.map(OsString::from).collect())? {
            SgdCommand::Run(args) => Ok(*args),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_file_says_what_the_command_line_does_not() {
        let text = "daemon.transactions = true\ndaemon.bpffs = '/bpf/file'\nsocket.group = 'sgd'\n\
                    tables.max_ports = 7\ntables.max_flows = 8";
        let args = run(text, &["--bpffs", "/bpf/line", "--max-flows", "9"]).unwrap();
        assert!(args.source.transactions);
        assert_eq!(args.bpffs, Path::new("/bpf/line"));
        assert_eq!(args.socket_group.as_deref(), Some("sgd"));
        assert_eq!((args.sizes.max_ports, args.sizes.max_flows), (7, Some(9)));
    }

    #[test]
    fn a_source_on_the_command_line_goes_before_the_other_one_of_the_file() {
        let inventory = "daemon.inventory = '/file'";
        let args = run(inventory, &["--transactions"]).unwrap().source;
        assert!(args.transactions && args.inventory.is_none());
        let transactions = "daemon.transactions = true";
        let args = run(transactions, &["--inventory", "/line"]).unwrap().source;
        assert!(!args.transactions && args.inventory.is_some());
        let etcd = "etcd.urls = 'http://a:2379'\netcd.ca = '/ca'\ndaemon.host = 'n1'";
        let args = run(etcd, &[]).unwrap().source;
        assert_eq!(args.etcd.as_deref(), Some("http://a:2379"));
        assert_eq!(args.reach.etcd_ca.as_deref(), Some(Path::new("/ca")));
        assert_eq!(args.host.as_deref(), Some("n1"));
        let args = run(etcd, &["--transactions"]).unwrap().source;
        assert!(args.transactions && args.etcd.is_none());
    }

    #[test]
    fn without_a_source_the_error_says_where_to_name_one() {
        let error = run("", &[]).unwrap_err().to_string();
        assert!(
            error.contains("--transactions") && error.contains("[daemon]"),
            "{error}"
        );
    }

    #[test]
    fn every_key_is_an_option_of_run_that_takes_the_same_values() {
        let sgd = Sgd::command();
        let run = sgd.find_subcommand("run").unwrap();
        for key in START_KEYS {
            let argument = argument(run, key.option).unwrap_or_else(|| panic!("{}", key.option));
            let values = argument.get_possible_values();
            let names: Vec<_> = values.iter().map(|value| value.get_name()).collect();
            let is_enumerated = matches!(key.option, "attach" | "sweep" | "adopt");
            assert!(!is_enumerated || names == key.words(), "{}", key.name);
        }
        let keys: Vec<_> = START_KEYS.iter().map(|key| key.option).collect();
        let others = ["config", "help", "version"];
        for argument in run.get_arguments() {
            let name = argument.get_long().unwrap();
            assert!(
                keys.contains(&name) || others.contains(&name),
                "{name} has no key"
            );
        }
    }
}
