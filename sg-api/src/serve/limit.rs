//! How many requests each client may make: a bucket of tokens for each, which fills as time goes by.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How many clients are remembered.
const MOST_CLIENTS: usize = 16 << 10;

/// The buckets.
#[derive(Debug)]
pub struct Rates {
    per_second: f64,
    burst: f64,
    clients: Mutex<HashMap<IpAddr, Bucket>>,
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    tokens: f64,
    at: Instant,
}

impl Rates {
    /// So many requests a second for each, and twice as many at once.
    pub fn new(per_second: u32) -> Self {
        Self {
            per_second: f64::from(per_second),
            burst: 2.0 * f64::from(per_second),
            clients: Mutex::default(),
        }
    }

    /// Takes a token of a client's; if there is none, how long it takes until there is.
    ///
    /// # Errors
    ///
    /// There is none.
    pub fn take(&self, client: IpAddr, now: Instant) -> Result<(), Duration> {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if clients.len() >= MOST_CLIENTS {
            // Who has a full bucket again is as good as new.
            clients.retain(|_, bucket| self.filled(*bucket, now) < self.burst);
        }
        let full = Bucket {
            tokens: self.burst,
            at: now,
        };
        let is_known = clients.contains_key(&network(client));
        if !is_known && clients.len() >= MOST_CLIENTS {
            return Err(Duration::from_secs(1));
        }
        let bucket = clients.entry(network(client)).or_insert(full);
        let tokens = self.filled(*bucket, now);
        *bucket = Bucket { tokens, at: now };
        if tokens < 1.0 {
            return Err(Duration::from_secs_f64((1.0 - tokens) / self.per_second));
        }
        bucket.tokens -= 1.0;
        Ok(())
    }

    fn filled(&self, bucket: Bucket, now: Instant) -> f64 {
        let passed = now.saturating_duration_since(bucket.at).as_secs_f64();
        (bucket.tokens + passed * self.per_second).min(self.burst)
    }
}

/// Of IPv6 a client has a whole network.
pub(super) fn network(client: IpAddr) -> IpAddr {
    match client {
        IpAddr::V6(address) if address.to_ipv4_mapped().is_none() => {
            let bits = u128::from(address) & !u128::from(u64::MAX);
            Ipv6Addr::from(bits).into()
        }
        client => client.to_canonical(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
    const TWO: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2));

    #[test]
    fn a_client_that_asks_too_much_waits_and_others_do_not() {
        let rates = Rates::new(2);
        let now = Instant::now();
        let taken = (0..6).filter(|_| rates.take(ONE, now).is_ok()).count();
        assert_eq!(taken, 4);
        assert_eq!(rates.take(TWO, now), Ok(()));
        let wait = rates.take(ONE, now).unwrap_err();
        assert_eq!(rates.take(ONE, now + wait), Ok(()));
    }

    #[test]
    fn the_addresses_of_a_network_of_ipv6_are_one_client() {
        let rates = Rates::new(1);
        let now = Instant::now();
        let client = |last: &str| format!("2001:db8::{last}").parse().unwrap();
        assert_eq!(rates.take(client("1"), now), Ok(()));
        assert_eq!(rates.take(client("2"), now), Ok(()));
        assert!(rates.take(client("3"), now).is_err());
    }
}
