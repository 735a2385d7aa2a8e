//! `sgapi run`.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sg_store::Store;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::{RunArgs, StoreArgs};
use crate::commit::Desk;
use crate::exit::{Exit, Failure};
use crate::node;
use crate::serve::{Front, Htpasswd, Limits, Rates, acceptor, serve};

/// How long a handshake and the head of a request may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long requests that are under way are waited for.
const FAREWELL: Duration = Duration::from_secs(10);

/// The file in a directory.
const FILE: &str = "state.redb";

/// Serves until it is told to end.
pub async fn run(args: &RunArgs) -> Result<(), Failure> {
    protected(args)?;
    let users = args.htpasswd.as_deref().map(Htpasswd::open).transpose()?;
    let tls = match (&args.tls_cert, &args.tls_key) {
        (Some(certificate), Some(key)) => Some(acceptor(certificate, key)?),
        _ => None,
    };
    let listener = TcpListener::bind(args.listen).await.map_err(|error| {
        let message = format!("--listen {}: {error}", args.listen);
        Failure::new(Exit::Failure, message)
    })?;
    let store = open(&args.store)?;
    let mut desk = Desk::open(store.clone())
        .await
        .map_err(|error| refused(&error))?;
    if let Some(socket) = &args.node {
        desk = desk.on(node::tell(store, socket, &host(args)?));
    }
    let scheme = match tls {
        Some(_) => "https",
        None => "http",
    };
    let front = Front {
        desk,
        scheme,
        only_by_address: users.is_none() && !args.unprotected,
        users,
        rates: Rates::new(args.rate),
    };
    let limits = Limits {
        connections: args.connections as usize,
        patience: PATIENCE,
        farewell: FAREWELL,
    };
    let stop = stop()?;
    tracing::info!("serving on {scheme}://{}", args.listen);
    // Nobody may be listening.
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
    serve(limits, listener, tls, front.routes(), stop).await;
    Ok(())
}

/// Who is not on this node comes in by a password, over what nobody else reads; or an operator wants it otherwise.
fn protected(args: &RunArgs) -> Result<(), Failure> {
    let is_protected = args.htpasswd.is_some() && args.tls_cert.is_some();
    if args.listen.ip().is_loopback() || is_protected || args.unprotected {
        return Ok(());
    }
    Err(Failure::new(
        Exit::Usage,
        format!(
            "--listen {}: others reach this address: give --htpasswd, --tls-cert and --tls-key, or say \
             --unprotected",
            args.listen
        ),
    ))
}

/// What comes true when the program is told to end.
fn stop() -> Result<watch::Receiver<bool>, Failure> {
    let failed = |error: std::io::Error| Failure::new(Exit::Failure, format!("signals: {error}"));
    let mut terminated = signal(SignalKind::terminate()).map_err(failed)?;
    let mut interrupted = signal(SignalKind::interrupt()).map_err(failed)?;
    let (told, stop) = watch::channel(false);
    tokio::spawn(async move {
        tokio::select! {
            _ = terminated.recv() => {}
            _ = interrupted.recv() => {}
        }
        let _ = sd_notify::notify(&[sd_notify::NotifyState::Stopping]);
        told.send_replace(true);
    });
    Ok(stop)
}

fn host(args: &RunArgs) -> Result<String, Failure> {
    if let Some(host) = &args.host {
        return Ok(host.clone());
    }
    let name = nix::unistd::gethostname().ok();
    let name = name.and_then(|name| name.into_string().ok());
    name.ok_or_else(|| Failure::new(Exit::Usage, "this host has no name: give --host"))
}

fn open(args: &StoreArgs) -> Result<Store, Failure> {
    let Some(path) = &args.store else {
        let options = args.reach.options(args.etcd.as_deref().unwrap_or_default());
        return Store::etcd(options).map_err(|error| refused(&error));
    };
    let file = file(path).map_err(|error| {
        Failure::new(
            Exit::Failure,
            format!("--store {}: {error}", path.display()),
        )
    })?;
    Store::embedded(&file).map_err(|error| refused(&error))
}

fn refused(error: &sg_store::Error) -> Failure {
    let exit = match error {
        sg_store::Error::Options(_) => Exit::Usage,
        error if error.is_refusal() => Exit::Refused,
        _ => Exit::Unreachable,
    };
    Failure::new(exit, error.to_string())
}

fn file(path: &Path) -> std::io::Result<PathBuf> {
    let is_file = path.is_file() || path.extension().is_some_and(|end| end == "redb");
    if is_file {
        return Ok(path.into());
    }
    fs::create_dir_all(path)?;
    Ok(path.join(FILE))
}
