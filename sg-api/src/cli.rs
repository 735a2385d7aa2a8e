//! The command line.

mod passwd;
mod run;

use std::fs;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Arg, Args, CommandFactory, Parser, Subcommand};
use clap_complete::Shell;
use sg_store::EtcdArgs;

use crate::exit::{Exit, Failure};
use crate::openapi;

/// What is logged unless told otherwise.
pub const DEFAULT_LOG: &str = "info";

/// Serves Neutron's API for security groups, in front of the store of a fleet or of one node
#[derive(Debug, Parser)]
#[command(name = "sgapi", version, propagate_version = true, after_help = Exit::help())]
pub struct Sgapi {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What the program can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve the API, in the foreground
    ///
    /// SIGTERM and SIGINT end it when the requests that are under way are answered. Logs to the standard error,
    /// a line for each request among it.
    Run(Box<RunArgs>),
    /// Give a user a password, in a file for --htpasswd
    ///
    /// The password is asked for at the terminal, or read from the standard input: one line.
    Passwd(PasswdArgs),
    /// Print the description of the API, as OpenAPI 3
    Openapi,
    /// Write the manual pages, one a verb, into a directory
    Man {
        /// It is made if it is not there
        directory: PathBuf,
    },
    /// Print the completions of a command line for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
}

/// How to run.
#[derive(Debug, Clone, Args)]
pub struct RunArgs {
    /// Where what is told is kept.
    #[command(flatten)]
    pub store: StoreArgs,
    /// Tell the daemon of this node at this socket what the store has for it; it runs with `sgd run --transactions`
    #[arg(long, env = "SGAPI_NODE", value_name = "SOCKET")]
    pub node: Option<PathBuf>,
    /// This node's name, as binding:host_id has it [default: the host's name]
    #[arg(long, env = "SGAPI_HOST", value_name = "NAME", requires = "node")]
    pub host: Option<String>,
    /// Address and port to listen on
    #[arg(
        long,
        env = "SGAPI_LISTEN",
        value_name = "ADDRESS",
        default_value = "127.0.0.1:9696"
    )]
    pub listen: SocketAddr,
    /// Let only users of this file in, with their passwords (HTTP basic); it is followed when it changes
    #[arg(long, env = "SGAPI_HTPASSWD", value_name = "FILE")]
    pub htpasswd: Option<PathBuf>,
    /// Serve by TLS, with this certificate and those that it is signed by, in PEM
    #[arg(
        long,
        env = "SGAPI_TLS_CERT",
        value_name = "FILE",
        requires = "tls_key"
    )]
    pub tls_cert: Option<PathBuf>,
    /// The key of the certificate, in PEM
    #[arg(
        long,
        env = "SGAPI_TLS_KEY",
        value_name = "FILE",
        requires = "tls_cert"
    )]
    pub tls_key: Option<PathBuf>,
    /// Serve on an address that others reach even without users or without TLS
    #[arg(long, env = "SGAPI_UNPROTECTED")]
    pub unprotected: bool,
    /// Requests a second that each client may make; twice as many at once
    #[arg(
        long,
        env = "SGAPI_RATE",
        value_name = "NUMBER",
        default_value_t = 500,
        value_parser = clap::value_parser!(u32).range(1..)
    )]
    pub rate: u32,
    /// Connections at once
    #[arg(
        long,
        env = "SGAPI_CONNECTIONS",
        value_name = "NUMBER",
        default_value_t = 512,
        value_parser = clap::value_parser!(u32).range(1..=65536)
    )]
    pub connections: u32,
    /// What to log: error, warn, info, debug or trace; of single modules, MODULE=LEVEL, with commas
    #[arg(long, env = "SGAPI_LOG", value_name = "LEVEL", default_value = DEFAULT_LOG)]
    pub log: String,
}

/// Where what is told is kept.
#[derive(Debug, Clone, Args)]
#[command(mut_args(with_variable))]
pub struct StoreArgs {
    /// Keep what is told in a file of this node: a directory, or the file itself if its name ends in .redb
    #[arg(
        long,
        env = "SGAPI_STORE",
        value_name = "PATH",
        required_unless_present = "etcd",
        conflicts_with = "EtcdArgs"
    )]
    pub store: Option<PathBuf>,
    /// Keep it in an etcd cluster: its members as URLs with commas between them, `http://HOST:2379` or
    /// `https://HOST:2379`
    #[arg(
        long,
        env = "SGAPI_ETCD",
        value_name = "URLS",
        conflicts_with = "store"
    )]
    pub etcd: Option<String>,
    /// How the cluster is reached.
    #[command(flatten)]
    pub reach: EtcdArgs,
}

/// Whose password.
#[derive(Debug, Clone, Args)]
pub struct PasswdArgs {
    /// The file; it is made if it is not there
    pub file: PathBuf,
    /// The user
    pub user: String,
}

/// Etcd's options are shared with `sgd`, which has a file for them. `sgapi` has its environment: there they have
/// names as the others have.
fn with_variable(option: Arg) -> Arg {
    let variable = match option.get_id().as_str() {
        "etcd_ca" => "SGAPI_ETCD_CA",
        "etcd_cert" => "SGAPI_ETCD_CERT",
        "etcd_key" => "SGAPI_ETCD_KEY",
        "etcd_server_name" => "SGAPI_ETCD_SERVER_NAME",
        "etcd_user" => "SGAPI_ETCD_USER",
        "etcd_password_file" => "SGAPI_ETCD_PASSWORD_FILE",
        _ => return option,
    };
    option.env(variable)
}

impl Command {
    /// Does it.
    ///
    /// # Errors
    ///
    /// It cannot be done.
    pub async fn run(self) -> Result<(), Failure> {
        match self {
            Self::Run(args) => run::run(&args).await,
            Self::Passwd(args) => passwd::run(&args),
            Self::Openapi => print(&format!("{:#}\n", openapi::document())),
            Self::Man { directory } => fs::create_dir_all(&directory)
                .and_then(|()| clap_mangen::generate_to(Sgapi::command(), &directory))
                .map_err(|error| {
                    let message = format!("{}: {error}", directory.display());
                    Failure::new(Exit::Failure, message)
                }),
            Self::Completions { shell } => {
                let mut script = Vec::new();
                clap_complete::generate(shell, &mut Sgapi::command(), "sgapi", &mut script);
                print(&String::from_utf8_lossy(&script))
            }
        }
    }

    /// What is to be logged.
    pub fn log(&self) -> &str {
        match self {
            Self::Run(args) => &args.log,
            _ => DEFAULT_LOG,
        }
    }
}

fn print(text: &str) -> Result<(), Failure> {
    match io::stdout().write_all(text.as_bytes()) {
        // Whoever has read enough has what it wants.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::new(Exit::Failure, error.to_string()))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    fn run(line: &str) -> Result<Sgapi, clap::Error> {
        Sgapi::try_parse_from(line.split_whitespace())
    }

    #[test]
    fn a_store_is_a_file_or_a_cluster() {
        assert!(run("sgapi run --store /tmp/x").is_ok());
        assert!(run("sgapi run --etcd http://127.0.0.1:2379").is_ok());
        assert!(run("sgapi run").is_err());
        assert!(run("sgapi run --store /tmp/x --etcd http://127.0.0.1:2379").is_err());
        assert!(run("sgapi run --store /tmp/x --etcd-ca /tmp/ca").is_err());
        assert!(run("sgapi run --etcd https://a:2379 --etcd-ca /tmp/ca").is_ok());
        assert!(run("sgapi run --store /tmp/x --tls-cert /tmp/c").is_err());
    }

    #[test]
    fn the_file_of_the_service_has_every_option_with_its_default() {
        let file = include_str!("../../dist/sgapi.env");
        let lines = file.lines().map(|line| line.trim_start_matches('#'));
        let lines = lines.filter(|line| line.starts_with("SGAPI_"));
        let in_file: BTreeMap<&str, &str> = lines.filter_map(|line| line.split_once('=')).collect();
        let command = Sgapi::command();
        let run = command.find_subcommand("run").unwrap();
        let options: Vec<&Arg> = run.get_arguments().collect();
        let variables = options
            .iter()
            .map(|option| option.get_env().and_then(|name| name.to_str()));
        let variables: BTreeSet<&str> = variables.map(Option::unwrap).collect();
        assert_eq!(in_file.keys().copied().collect::<BTreeSet<_>>(), variables);
        for option in options {
            let name = option.get_env().and_then(|name| name.to_str()).unwrap();
            let default = option.get_default_values().first();
            if let Some(default) = default.filter(|_| option.get_action().takes_values()) {
                assert_eq!(*default, in_file[name], "{name}");
            }
        }
    }

    #[test]
    fn the_command_line_is_sound() {
        Sgapi::command().debug_assert();
    }
}
