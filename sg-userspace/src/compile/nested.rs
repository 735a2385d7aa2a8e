//! Nested CIDRs inherit: a trie answers with the longest prefix alone, so that must hold what the
//! prefixes around it hold.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;

/// Adds to the set of each CIDR the sets of those that contain it.
pub(super) fn inherit<T: Ord + Clone>(
    mut nets: BTreeMap<IpNet, BTreeSet<T>>,
) -> BTreeMap<IpNet, BTreeSet<T>> {
    // In the order of CIDRs each comes after those that contain it.
    let mut around: Vec<(IpNet, BTreeSet<T>)> = Vec::new();
    for (net, set) in &mut nets {
        while around.last().is_some_and(|(outer, _)| !outer.contains(net)) {
            around.pop();
        }
        if let Some((_, outer)) = around.last() {
            set.extend(outer.iter().cloned());
        }
        around.push((*net, set.clone()));
    }
    nets
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cidr_holds_what_those_around_it_hold() {
        let texts = [
            "10.0.0.0/8",
            "10.1.0.0/16",
            "10.1.2.0/24",
            "10.2.0.0/16",
            "11.0.0.0/8",
            "0.0.0.0/0",
        ];
        let nets = texts
            .iter()
            .map(|text| (text.parse().unwrap(), [*text].into()))
            .collect();
        let nets = inherit::<&str>(nets);
        let of = |text: &str| {
            nets[&text.parse::<IpNet>().unwrap()]
                .iter()
                .copied()
                .collect::<Vec<_>>()
        };
        assert_eq!(of("0.0.0.0/0"), ["0.0.0.0/0"]);
        assert_eq!(
            of("10.1.2.0/24"),
            ["0.0.0.0/0", "10.0.0.0/8", "10.1.0.0/16", "10.1.2.0/24"]
        );
        assert_eq!(
            of("10.2.0.0/16"),
            ["0.0.0.0/0", "10.0.0.0/8", "10.2.0.0/16"]
        );
        assert_eq!(of("11.0.0.0/8"), ["0.0.0.0/0", "11.0.0.0/8"]);
    }

    #[test]
    fn families_do_not_mix() {
        let nets = ["0.0.0.0/0", "::/0", "2001:db8::/64", "10.0.0.0/8"];
        let nets = nets
            .iter()
            .map(|text| (text.parse().unwrap(), [*text].into()))
            .collect();
        let nets = inherit::<&str>(nets);
        assert_eq!(nets[&"2001:db8::/64".parse::<IpNet>().unwrap()].len(), 2);
        assert_eq!(nets[&"10.0.0.0/8".parse::<IpNet>().unwrap()].len(), 2);
    }
}
