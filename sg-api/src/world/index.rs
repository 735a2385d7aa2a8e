//! What is looked up among objects: pairs in order, of which one part is asked for.

use std::net::IpAddr;

use rpds::{RedBlackTreeMapSync as Map, RedBlackTreeSetSync as Set};
use uuid::Uuid;

use crate::objects::{Port, Rule, SecurityGroup, Subnet};

/// The lookups.
#[derive(Clone, Debug, Default)]
pub(super) struct Index {
    rules: Set<(Uuid, Uuid)>,
    remotes: Set<(Uuid, Uuid)>,
    groups: Set<(Uuid, Uuid)>,
    networks: Set<(Uuid, Uuid)>,
    subnets: Set<(Uuid, Uuid)>,
    addresses: Map<(Uuid, IpAddr), Uuid>,
    macs: Map<(Uuid, String), Uuid>,
    defaults: Map<String, Uuid>,
}

impl Index {
    pub fn add_rule(&mut self, rule: &Rule) {
        self.rules.insert_mut((rule.security_group_id, rule.id));
        if let Some(remote) = remote(rule) {
            self.remotes.insert_mut((remote, rule.id));
        }
    }

    pub fn drop_rule(&mut self, rule: &Rule) {
        self.rules.remove_mut(&(rule.security_group_id, rule.id));
        if let Some(remote) = remote(rule) {
            self.remotes.remove_mut(&(remote, rule.id));
        }
    }

    pub fn add_port(&mut self, port: &Port) {
        self.networks.insert_mut((port.network_id, port.id));
        let mac = (port.network_id, port.mac_address.clone());
        self.macs.insert_mut(mac, port.id);
        for group in &port.security_groups {
            self.groups.insert_mut((*group, port.id));
        }
        for fixed in &port.fixed_ips {
            let place = (fixed.subnet_id, fixed.ip_address);
            self.addresses.insert_mut(place, port.id);
        }
    }

    pub fn drop_port(&mut self, port: &Port) {
        self.networks.remove_mut(&(port.network_id, port.id));
        let mac = (port.network_id, port.mac_address.clone());
        self.macs.remove_mut(&mac);
        for group in &port.security_groups {
            self.groups.remove_mut(&(*group, port.id));
        }
        for fixed in &port.fixed_ips {
            let place = (fixed.subnet_id, fixed.ip_address);
            self.addresses.remove_mut(&place);
        }
    }

    pub fn add_subnet(&mut self, subnet: &Subnet) {
        self.subnets.insert_mut((subnet.network_id, subnet.id));
    }

    pub fn drop_subnet(&mut self, subnet: &Subnet) {
        self.subnets.remove_mut(&(subnet.network_id, subnet.id));
    }

    pub fn add_group(&mut self, group: &SecurityGroup) {
        if group.name == "default" {
            self.defaults.insert_mut(group.project_id.clone(), group.id);
        }
    }

    pub fn drop_group(&mut self, group: &SecurityGroup) {
        if self.defaults.get(&group.project_id) == Some(&group.id) {
            self.defaults.remove_mut(&group.project_id);
        }
    }

    pub fn rules_of(&self, group: Uuid) -> impl Iterator<Item = Uuid> {
        behind(&self.rules, group)
    }

    pub fn rules_naming(&self, remote: Uuid) -> impl Iterator<Item = Uuid> {
        behind(&self.remotes, remote)
    }

    pub fn ports_having(&self, group: Uuid) -> impl Iterator<Item = Uuid> {
        behind(&self.groups, group)
    }

    pub fn ports_of(&self, network: Uuid) -> impl Iterator<Item = Uuid> {
        behind(&self.networks, network)
    }

    pub fn subnets_of(&self, network: Uuid) -> impl Iterator<Item = Uuid> {
        behind(&self.subnets, network)
    }

    pub fn holder(&self, subnet: Uuid, address: IpAddr) -> Option<Uuid> {
        self.addresses.get(&(subnet, address)).copied()
    }

    pub fn mac_holder(&self, network: Uuid, mac: &str) -> Option<Uuid> {
        self.macs.get(&(network, mac.to_owned())).copied()
    }

    pub fn held(&self, subnet: Uuid) -> impl Iterator<Item = (IpAddr, Uuid)> {
        let first = IpAddr::from([0; 4]);
        let last = IpAddr::from([0xff; 16]);
        let held = self.addresses.range((subnet, first)..=(subnet, last));
        held.map(|((_, address), port)| (*address, *port))
    }

    pub fn default_group(&self, project: &str) -> Option<Uuid> {
        self.defaults.get(project).copied()
    }
}

fn remote(rule: &Rule) -> Option<Uuid> {
    rule.matches.remote_group_id.as_ref()?.parse().ok()
}

/// The second parts of the pairs with this first one.
fn behind(pairs: &Set<(Uuid, Uuid)>, first: Uuid) -> impl Iterator<Item = Uuid> {
    pairs
        .range((first, Uuid::nil())..=(first, Uuid::max()))
        .map(|(_, second)| *second)
}
