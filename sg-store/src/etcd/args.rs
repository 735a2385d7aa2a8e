//! How etcd is reached, on a command line.

use std::path::PathBuf;

use super::EtcdOptions;

/// What a program asks for beside the URLs of etcd's members, which it asks for itself as `--etcd`. On the command
/// line they are a group of the name `EtcdArgs`.
#[derive(Debug, Clone, Default, PartialEq, Eq, clap::Args)]
pub struct EtcdArgs {
    /// Certificates that sign those of etcd's members, as PEM
    #[arg(long, value_name = "FILE")]
    pub etcd_ca: Option<PathBuf>,
    /// Our certificate for etcd, as PEM
    #[arg(long, value_name = "FILE")]
    pub etcd_cert: Option<PathBuf>,
    /// The key of that certificate, as PEM
    #[arg(long, value_name = "FILE")]
    pub etcd_key: Option<PathBuf>,
    /// The name that the certificates of etcd's members are for, if it is not that of their URLs
    #[arg(long, value_name = "NAME")]
    pub etcd_server_name: Option<String>,
    /// Our user at etcd
    #[arg(long, value_name = "NAME")]
    pub etcd_user: Option<String>,
    /// A file with the password of that user
    #[arg(long, value_name = "FILE")]
    pub etcd_password_file: Option<PathBuf>,
}

impl EtcdArgs {
    /// The members at these URLs, reached so.
    pub fn options(&self, urls: &str) -> EtcdOptions {
        EtcdOptions {
            urls: urls.into(),
            ca: self.etcd_ca.clone(),
            certificate: self.etcd_cert.clone(),
            key: self.etcd_key.clone(),
            server_name: self.etcd_server_name.clone(),
            user: self.etcd_user.clone(),
            password_file: self.etcd_password_file.clone(),
            timeout: None,
        }
    }
}
