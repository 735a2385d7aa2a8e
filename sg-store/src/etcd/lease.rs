//! What is in the store only as long as somebody lives.

use std::time::Duration;

use etcd_client::PutOptions;

use super::Etcd;
use super::connection::Connection;
use crate::{Error, Result};

/// A lease: what is put with it goes when it is not kept alive.
#[derive(Debug)]
pub struct Lease {
    etcd: Etcd,
    id: i64,
}

impl Etcd {
    /// Is given a lease.
    ///
    /// # Errors
    ///
    /// The store cannot be asked.
    pub async fn lease(&self, lifetime: Duration) -> Result<Lease> {
        let seconds = i64::try_from(lifetime.as_secs()).unwrap_or(i64::MAX);
        let granted = self
            .ask(None, |mut connection: Connection| async move {
                connection.lease.grant(seconds, None).await
            })
            .await?;
        Ok(Lease {
            etcd: self.clone(),
            id: granted.id(),
        })
    }
}

impl Lease {
    /// Puts a value that lives as long as the lease.
    ///
    /// # Errors
    ///
    /// The store cannot be written to; [`Error::Ended`] if the lease is over.
    pub async fn put(&self, key: &str, value: &[u8]) -> Result<()> {
        let put = self
            .etcd
            .ask(None, |mut connection: Connection| {
                let options = PutOptions::new().with_lease(self.id);
                let (key, value) = (key.to_owned(), value.to_vec());
                async move { connection.kv.put(key, value, Some(options)).await }
            })
            .await;
        match put {
            Err(Error::Impossible { what, .. }) if what.contains("lease not found") => Err(over()),
            put => put.map(drop),
        }
    }

    /// Says that we live.
    ///
    /// # Errors
    ///
    /// The store cannot be asked; [`Error::Ended`] if the lease is over.
    pub async fn keep_alive(&self) -> Result<()> {
        let id = self.id;
        let asked = self
            .etcd
            .ask(None, move |mut connection: Connection| async move {
                // The first request and its answer are in it.
                match connection.lease.keep_alive(id).await {
                    Ok(_) => Ok(true),
                    Err(etcd_client::Error::LeaseKeepAliveError(_)) => Ok(false),
                    Err(error) => Err(error),
                }
            });
        match asked.await? {
            true => Ok(()),
            false => Err(over()),
        }
    }

    /// Takes away what was put with it.
    ///
    /// # Errors
    ///
    /// The store cannot be asked.
    pub async fn revoke(self) -> Result<()> {
        let id = self.id;
        let revoked = self
            .etcd
            .ask(None, move |mut connection: Connection| async move {
                connection.lease.revoke(id).await
            });
        revoked.await.map(drop)
    }
}

fn over() -> Error {
    Error::Ended("the lease is over".into())
}
