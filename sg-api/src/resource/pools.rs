//! Ranges of addresses of a subnet.

use std::net::IpAddr;

use ipnet::IpNet;
use serde_json::Value;

use crate::error::{ApiError, Result};
use crate::net;
use crate::objects::Pool;

/// All addresses of a network but those of no host and of its gateway.
pub fn of(network: IpNet, gateway: Option<IpAddr>) -> Vec<Pool> {
    let (first, last) = ends(network);
    let like = network.network();
    if first == last {
        return vec![pool(like, first, last)];
    }
    let (first, last) = hosts(network);
    let gateway = gateway
        .filter(|gateway| net::version(*gateway) == net::version(like))
        .map(net::number)
        .filter(|gateway| (first..=last).contains(gateway));
    let Some(gateway) = gateway else {
        return vec![pool(like, first, last)];
    };
    let mut pools = Vec::new();
    if gateway > first {
        pools.push(pool(like, first, gateway - 1));
    }
    if gateway < last {
        pools.push(pool(like, gateway + 1, last));
    }
    pools
}

/// Reads ranges, which lie in the network and beside each other.
///
/// # Errors
///
/// They do not.
pub fn read(pools: &[Value], network: IpNet) -> Result<Vec<Pool>> {
    let (first, last) = hosts(network);
    let mut read: Vec<Pool> = Vec::new();
    for given in pools {
        let end = |name: &str| given[name].as_str().and_then(|text| text.parse().ok());
        let (Some(start), Some(end)) = (end("start"), end("end")) else {
            return Err(ApiError::internal());
        };
        let made = Pool { start, end };
        let is_range = net::version(start) == net::version(end) && start <= end;
        if !is_range {
            return Err(invalid(&format!("{{'start': '{start}', 'end': '{end}'}}")));
        }
        if net::version(start) != net::version(network.network()) {
            return Err(invalid(&told(made)));
        }
        if net::number(start) < first || net::number(end) > last {
            return Err(ApiError::bad(
                "OutOfBoundsAllocationPool",
                format!(
                    "The allocation pool {} spans beyond the subnet cidr {network}.",
                    told(made)
                ),
            ));
        }
        read.push(made);
    }
    match meeting(&read) {
        None => Ok(read),
        Some((one, other)) => Err(ApiError::conflict(
            "OverlappingAllocationPools",
            format!(
                "Found overlapping allocation pools: {} {} for subnet {network}.",
                told(one),
                told(other)
            ),
        )),
    }
}

/// The first that meets another one, and the first that it meets.
fn meeting(pools: &[Pool]) -> Option<(Pool, Pool)> {
    let mut ordered: Vec<(usize, Pool)> = pools.iter().copied().enumerate().collect();
    ordered.sort_by_key(|(_, pool)| pool.start);
    let mut first: Option<usize> = None;
    // The one that ends last of those that begin before: whoever meets anything before it meets this one.
    let mut last: Option<(usize, Pool)> = None;
    for (place, pool) in ordered {
        if let Some((before, _)) = last.filter(|(_, last)| pool.start <= last.end) {
            let least = place.min(before);
            first = Some(first.map_or(least, |first| first.min(least)));
        }
        if last.is_none_or(|(_, last)| last.end < pool.end) {
            last = Some((place, pool));
        }
    }
    let one = *pools.get(first?)?;
    let meets = |other: &&Pool| one.start <= other.end && other.start <= one.end;
    let other = pools.iter().skip(first? + 1).find(meets)?;
    Some((one, *other))
}

/// Refuses a gateway that lies in one of them.
///
/// # Errors
///
/// It does.
pub fn without(pools: &[Pool], gateway: IpAddr) -> Result<()> {
    match pools.iter().find(|pool| holds(pool, gateway)) {
        None => Ok(()),
        Some(pool) => Err(ApiError::conflict(
            "GatewayConflictWithAllocationPools",
            format!(
                "Gateway ip {gateway} conflicts with allocation pool {}.",
                told(*pool)
            ),
        )),
    }
}

fn holds(pool: &Pool, address: IpAddr) -> bool {
    net::version(pool.start) == net::version(address)
        && pool.start <= address
        && address <= pool.end
}

fn invalid(pool: &str) -> ApiError {
    ApiError::bad(
        "InvalidAllocationPool",
        format!("The allocation pool {pool} is not valid."),
    )
}

fn told(pool: Pool) -> String {
    format!("{}-{}", pool.start, pool.end)
}

fn pool(like: IpAddr, first: u128, last: u128) -> Pool {
    Pool {
        start: net::address(like, first),
        end: net::address(like, last),
    }
}

fn ends(network: IpNet) -> (u128, u128) {
    (
        net::number(network.network()),
        net::number(network.broadcast()),
    )
}

/// The first and the last address that a host may have.
fn hosts(network: IpNet) -> (u128, u128) {
    let (first, last) = ends(network);
    match network {
        IpNet::V4(network) if network.prefix_len() <= 30 => (first + 1, last - 1),
        IpNet::V4(_) => (first, last),
        IpNet::V6(_) => (first + u128::from(first < last), last),
    }
}

#[cfg(test)]
mod tests {

    use serde_json::json;

    use super::*;

    #[test]
    fn the_gateway_parts_the_addresses_of_a_network() {
        let network: IpNet = "10.0.0.0/24".parse().unwrap();
        let told = |pools: Vec<Pool>| pools.into_iter().map(told).collect::<Vec<_>>();
        assert_eq!(
            told(of(network, Some("10.0.0.1".parse().unwrap()))),
            ["10.0.0.2-10.0.0.254"]
        );
        assert_eq!(
            told(of(network, Some("10.0.0.9".parse().unwrap()))),
            ["10.0.0.1-10.0.0.8", "10.0.0.10-10.0.0.254"]
        );
        assert_eq!(told(of(network, None)), ["10.0.0.1-10.0.0.254"]);
    }

    #[test]
    fn ranges_lie_in_the_network_and_beside_each_other() {
        let network: IpNet = "10.0.0.0/24".parse().unwrap();
        let range = |start: &str, end: &str| json!({"start": start, "end": end});
        let kind = |pools: &[Value]| read(pools, network).unwrap_err().kind;
        assert_eq!(
            kind(&[range("10.0.0.5", "10.0.0.4")]),
            "InvalidAllocationPool"
        );
        assert_eq!(
            kind(&[range("10.0.0.5", "10.0.0.255")]),
            "OutOfBoundsAllocationPool"
        );
        assert_eq!(
            kind(&[
                range("10.0.0.5", "10.0.0.9"),
                range("10.0.0.9", "10.0.0.10")
            ]),
            "OverlappingAllocationPools"
        );
        assert!(read(&[range("10.0.0.5", "10.0.0.9")], network).is_ok());
    }

    #[test]
    fn the_first_ranges_that_meet_are_told_whatever_their_order() {
        let like = IpAddr::from([10, 0, 0, 0]);
        for _ in 0..5000 {
            let pools: Vec<Pool> = (0..fastrand::usize(0..8))
                .map(|_| {
                    let first = fastrand::u128(0..40);
                    pool(like, first, first + fastrand::u128(0..8))
                })
                .collect();
            let each = pools.iter().enumerate();
            let pairs = each.flat_map(|(place, one)| {
                let others = pools.iter().skip(place + 1);
                others.map(move |other| (*one, *other))
            });
            let mut meet =
                pairs.filter(|(one, other)| one.start <= other.end && other.start <= one.end);
            assert_eq!(meeting(&pools), meet.next(), "{pools:?}");
        }
    }

    #[test]
    fn very_many_ranges_are_read() {
        let network: IpNet = "10.0.0.0/8".parse().unwrap();
        let first = net::number(network.network()) + 1;
        let ranges: Vec<Value> = (0..60_000)
            .map(|number| net::address(network.network(), first + number))
            .map(|ip| json!({"start": ip, "end": ip}))
            .collect();
        assert_eq!(read(&ranges, network).unwrap().len(), ranges.len());
    }
}
