//! How etcd is reached.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use etcd_client::{Certificate, ConnectOptions, Identity, TlsOptions};

use crate::{Error, Result};

/// How long a member may take until it is connected to.
const CONNECT: Duration = Duration::from_secs(3);

/// How long an answer may take unless said otherwise. etcd itself gives a write up after some seven seconds.
const ANSWER: Duration = Duration::from_secs(8);

/// How often a member is asked whether it is there, and how long it may take to say so: together less than ten
/// seconds. More often than every five a member takes for an attack, and hangs up.
const KEEP_ALIVE: (Duration, Duration) = (Duration::from_secs(6), Duration::from_secs(3));

/// How an etcd cluster is reached. Files are read anew for each connection, so that what is in them may change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EtcdOptions {
    /// Its members: URLs with commas between them.
    pub urls: String,
    /// The certificates that sign those of its members, as PEM.
    pub ca: Option<PathBuf>,
    /// Our certificate, as PEM.
    pub certificate: Option<PathBuf>,
    /// Its key, as PEM.
    pub key: Option<PathBuf>,
    /// The name that the certificates of members are for, if it is not that of their URLs.
    pub server_name: Option<String>,
    /// Who we are.
    pub user: Option<String>,
    /// A file with the user's password, and nothing else but a line end.
    pub password_file: Option<PathBuf>,
    /// How long an answer may take.
    pub timeout: Option<Duration>,
}

impl EtcdOptions {
    /// Members that are reached at these URLs, without more.
    pub fn at(urls: impl Into<String>) -> Self {
        Self {
            urls: urls.into(),
            ..Self::default()
        }
    }

    /// The URL of each member.
    ///
    /// # Errors
    ///
    /// [`Error::Options`] for what is no URL, or does not fit the other options.
    pub(super) fn members(&self) -> Result<Vec<String>> {
        let urls = self.urls.split(',').map(str::trim);
        let urls: Vec<String> = urls.filter(|url| !url.is_empty()).map(Into::into).collect();
        if urls.is_empty() {
            return Err(Error::Options("etcd: no URL is given".into()));
        }
        for url in &urls {
            let is_secret = url.starts_with("https://");
            if !is_secret && !url.starts_with("http://") {
                return Err(Error::Options(format!(
                    "etcd: {url} is no URL of a member: write http://HOST:2379, or https://HOST:2379"
                )));
            }
            if is_secret && self.ca.is_none() {
                return Err(Error::Options(format!(
                    "etcd: {url} needs the certificate that signs those of the members (CA)"
                )));
            }
            if !is_secret && (self.ca.is_some() || self.certificate.is_some()) {
                return Err(Error::Options(format!(
                    "etcd: certificates are given and {url} does without: write https://"
                )));
            }
        }
        Ok(urls)
    }

    pub(super) fn timeout(&self) -> Duration {
        self.timeout.unwrap_or(ANSWER)
    }

    /// What a connection takes.
    ///
    /// # Errors
    ///
    /// [`Error::Options`] for a file that cannot be read, or half of a pair.
    pub(super) fn connect(&self) -> Result<ConnectOptions> {
        let (interval, patience) = KEEP_ALIVE;
        let mut options = ConnectOptions::new()
            .with_connect_timeout(CONNECT)
            .with_keep_alive(interval, patience)
            .with_keep_alive_while_idle(false)
            .with_require_leader(true)
            .with_auto_token_refresh(true);
        if let Some(ca) = &self.ca {
            let mut tls = TlsOptions::new().ca_certificate(Certificate::from_pem(pem(ca)?));
            match (&self.certificate, &self.key) {
                (Some(certificate), Some(key)) => {
                    tls = tls.identity(Identity::from_pem(pem(certificate)?, pem(key)?));
                }
                (None, None) => {}
                _ => return Err(half("a certificate", "its key")),
            }
            if let Some(name) = &self.server_name {
                tls = tls.domain_name(name.clone());
            }
            options = options.with_tls(tls);
        }
        match (&self.user, &self.password_file) {
            (Some(user), Some(file)) => {
                let password = String::from_utf8(read(file)?);
                let password = password.map_err(|_| {
                    Error::Options(format!(
                        "etcd: the password in {} is no text",
                        file.display()
                    ))
                })?;
                let password = password.trim_end_matches(['\r', '\n']);
                options = options.with_user(user.clone(), password);
            }
            (None, None) => {}
            _ => return Err(half("a user", "the file with the password")),
        }
        Ok(options)
    }
}

fn half(one: &str, other: &str) -> Error {
    Error::Options(format!("etcd: {one} and {other} belong together"))
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path)
        .map_err(|error| Error::Options(format!("etcd: cannot read {}: {error}", path.display())))
}

fn pem(path: &Path) -> Result<Vec<u8>> {
    let text = read(path)?;
    let marker = b"-----BEGIN ";
    let is_pem = text.windows(marker.len()).any(|part| part == marker);
    if !is_pem {
        return Err(Error::Options(format!(
            "etcd: {} is not PEM (it begins with -----BEGIN …)",
            path.display()
        )));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(options: &EtcdOptions) -> String {
        let error = options.members().and_then(|_| options.connect().map(drop));
        error.unwrap_err().to_string()
    }

    #[test]
    fn what_does_not_fit_together_is_said_before_anybody_is_asked() {
        let two = EtcdOptions::at("http://a:1, http://b:2,");
        assert_eq!(two.members().unwrap(), ["http://a:1", "http://b:2"]);
        assert!(refused(&EtcdOptions::at(" ")).contains("no URL"));
        assert!(refused(&EtcdOptions::at("localhost:2379")).contains("write http://"));
        assert!(refused(&EtcdOptions::at("https://a:1")).contains("CA"));
        let ca = |urls: &str| EtcdOptions {
            ca: Some("/nowhere/ca.pem".into()),
            ..EtcdOptions::at(urls)
        };
        assert!(refused(&ca("http://a:1")).contains("write https://"));
        assert!(refused(&ca("https://a:1")).contains("/nowhere/ca.pem"));
        let user = EtcdOptions {
            user: Some("node".into()),
            ..EtcdOptions::at("http://a:1")
        };
        assert!(refused(&user).contains("belong together"));
    }
}
