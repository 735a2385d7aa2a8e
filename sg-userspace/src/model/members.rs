//! Members of a group that are given as addresses.

use std::collections::BTreeSet;

use ipnet::IpNet;

/// Addresses and CIDRs in their order, each once. 18 bytes each: there may be a hundred thousand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Members(Vec<IpNet>);

impl Members {
    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = IpNet> + '_ {
        self.0.iter().copied()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether this very CIDR is one of them.
    pub fn contains(&self, net: &IpNet) -> bool {
        self.0.binary_search(net).is_ok()
    }

    /// The members that only one of both has.
    pub fn differing(&self, other: &Self) -> BTreeSet<IpNet> {
        let only = |these: &Self, those: &Self| -> Vec<IpNet> {
            these.iter().filter(|net| !those.contains(net)).collect()
        };
        let (gone, come) = (only(self, other), only(other, self));
        gone.into_iter().chain(come).collect()
    }
}

impl FromIterator<IpNet> for Members {
    fn from_iter<T: IntoIterator<Item = IpNet>>(nets: T) -> Self {
        let mut nets: Vec<_> = nets.into_iter().collect();
        nets.sort_unstable();
        nets.dedup();
        nets.shrink_to_fit();
        Self(nets)
    }
}
