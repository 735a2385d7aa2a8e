//! Places that all clients share, of which each may have so many at once.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use super::limit::network;

/// The places.
#[derive(Clone, Debug)]
pub struct Shares {
    each: usize,
    taken: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

/// A place that is taken, until it is dropped.
#[derive(Debug)]
pub struct Share {
    shares: Shares,
    client: IpAddr,
}

impl Shares {
    /// So many for each client.
    pub fn new(each: usize) -> Self {
        Self {
            each,
            taken: Arc::default(),
        }
    }

    /// Takes a place for a client, if it has not all of its own.
    pub fn take(&self, client: IpAddr) -> Option<Share> {
        let client = network(client);
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let count = taken.entry(client).or_default();
        if *count >= self.each {
            return None;
        }
        *count += 1;
        let shares = self.clone();
        Some(Share { shares, client })
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let taken = self.shares.taken.lock();
        let mut taken = taken.unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = taken.get_mut(&self.client) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.client);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_has_no_more_than_its_share_and_what_it_gives_back_it_can_have_again() {
        let shares = Shares::new(2);
        let [one, two] = ["192.0.2.1", "192.0.2.2"].map(|client| client.parse().unwrap());
        let held: Vec<Share> = (0..3).filter_map(|_| shares.take(one)).collect();
        assert_eq!(held.len(), 2);
        assert!(shares.take(two).is_some());
        drop(held);
        assert!(shares.take(one).is_some());
        assert!(shares.taken.lock().unwrap().is_empty());
    }
}
