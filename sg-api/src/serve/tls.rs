//! Certificates and keys.

use std::path::Path;
use std::sync::Arc;

use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::exit::{Exit, Failure};

/// What shakes hands for a certificate, in a PEM file with those that it is signed by, and its key.
///
/// # Errors
///
/// One of the files is none, or they do not belong together.
pub fn acceptor(certificate: &Path, key: &Path) -> Result<TlsAcceptor, Failure> {
    let failed = |option: &str, path: &Path, error: String| {
        let message = format!("{option} {}: {error}", path.display());
        Failure::new(Exit::Malformed, message)
    };
    let of_certificate = |error: String| failed("--tls-cert", certificate, error);
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| of_certificate(error.to_string()))?;
    if chain.is_empty() {
        return Err(of_certificate("there is no certificate in it".into()));
    }
    let private = PrivateKeyDer::from_pem_file(key)
        .map_err(|error| failed("--tls-key", key, error.to_string()))?;
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|config| {
            config
                .with_no_client_auth()
                .with_single_cert(chain, private)
        })
        .map_err(|error| of_certificate(error.to_string()))?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}
