//! The whole inventory, and the questions asked of it.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;
use uuid::Uuid;

use super::address;
use super::address_group::AddressGroup;
use super::group::Group;
use super::id::{AddressGroupId, GroupId, PortId};
use super::interface::Interface;
use super::members::Members;
use super::port::Port;
use super::rule::{Remote, Rule};
use super::trunk::Vlan;
use sg_common::hook::Direction;
use sg_common::wire::addr::Family;

/// Neutron's objects, all references between them resolvable.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inventory {
    /// Ports, of this host and of others.
    pub ports: BTreeMap<PortId, Port>,
    /// Ports that must pass nothing, because of a fault.
    pub closed: Vec<ClosedPort>,
    /// Security groups.
    pub groups: BTreeMap<GroupId, Group>,
    /// Address groups.
    pub address_groups: BTreeMap<AddressGroupId, AddressGroup>,
    /// Members that are given as addresses, by the id of their security group or address group.
    pub given: BTreeMap<Uuid, Members>,
    /// The ports by their interfaces.
    pub(crate) sites: BTreeSet<(Interface, PortId)>,
}

/// A port that cannot be trusted to be what it says: its interface is attached and passes nothing,
/// and it is no member of any group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClosedPort {
    /// `id` as written, or the port's place in the document.
    pub id: String,
    /// `name`; may be empty.
    pub name: String,
    /// The interface, unless that is what is wrong.
    pub interface: Option<Interface>,
    /// The VLAN of a subport on it.
    pub vlan: Option<Vlan>,
}

impl Inventory {
    /// Every interface to attach to if it is on this host: those of the closed ports too.
    #[cfg(test)]
    pub(super) fn interfaces(&self) -> impl Iterator<Item = &Interface> {
        self.places().map(|(interface, _)| interface)
    }

    /// The interface of every port but the subports.
    pub(super) fn untagged_interfaces(&self) -> impl Iterator<Item = &Interface> {
        let untagged = self.places().filter(|(_, vlan)| vlan.is_none());
        untagged.map(|(interface, _)| interface)
    }

    /// Whether it is to be attached to an interface of this name: a port is there, or one that is closed.
    pub fn has_interface(&self, name: &str) -> bool {
        let is_its = |port: &ClosedPort| port.interface.is_some_and(|at| at.as_str() == name);
        self.ports_at(name).next().is_some() || self.closed.iter().any(is_its)
    }

    /// The ports on an interface: one, and the subports of its trunk.
    pub fn ports_at(&self, name: &str) -> impl Iterator<Item = &Port> {
        let all = |at| (at, PortId(Uuid::nil()))..=(at, PortId(Uuid::max()));
        let at = Interface::called(name).into_iter();
        let sites = at.flat_map(move |at| self.sites.range(all(at)));
        sites.filter_map(|(_, id)| self.ports.get(id))
    }

    /// Notes where all ports are.
    pub(super) fn note_sites(&mut self) {
        let ports = self.ports.values();
        self.sites = ports.map(|port| (port.interface, port.id)).collect();
    }

    fn places(&self) -> impl Iterator<Item = (&Interface, Option<Vlan>)> {
        let open = self
            .ports
            .values()
            .map(|port| (&port.interface, port.vlan()));
        let closed = self.closed.iter();
        open.chain(closed.filter_map(|port| Some((port.interface.as_ref()?, port.vlan))))
    }

    /// Whether the port tracks connections: decided by its first security group alone
    /// (`_are_sg_rules_stateful`), and not asked for owners `network:` and `neutron:`.
    pub fn is_stateful(&self, port: &Port) -> bool {
        let internal = ["network:", "neutron:"]
            .iter()
            .any(|o| port.device_owner.starts_with(o));
        let first = port.groups.first().and_then(|group| self.groups.get(group));
        internal || first.is_none_or(|group| group.stateful)
    }

    /// The rules of a port for one direction and family, in the order Neutron's chains have them.
    pub fn rules<'a>(
        &'a self,
        groups: &'a [GroupId],
        direction: Direction,
        family: Family,
    ) -> impl Iterator<Item = &'a Rule> {
        let groups = groups.iter().filter_map(|group| self.groups.get(group));
        let rules = groups.flat_map(|group| &group.rules);
        rules.filter(move |rule| rule.direction == direction && rule.ethertype == family)
    }

    /// The members of a security group: the addresses of every port that has it, on whatever
    /// host and of whatever status, its allowed address pairs included; and those that are given.
    pub fn members(&self, group: GroupId, family: Family) -> impl Iterator<Item = IpNet> {
        let ports = self
            .ports
            .values()
            .filter(move |port| port.groups.contains(&group));
        let nets = ports.flat_map(Port::addresses).chain(self.given(group.0));
        nets.filter(move |net| address::family(net) == family)
    }

    /// The addresses of an address group.
    pub fn addresses(&self, group: AddressGroupId, family: Family) -> impl Iterator<Item = IpNet> {
        let group_of_document = self.address_groups.get(&group);
        let nets = group_of_document
            .into_iter()
            .flat_map(|group| &group.addresses);
        let nets = nets.copied().chain(self.given(group.0));
        nets.filter(move |net| address::family(net) == family)
    }

    /// The members of a group that are given as addresses.
    pub fn given(&self, id: Uuid) -> impl Iterator<Item = IpNet> + '_ {
        self.given.get(&id).into_iter().flat_map(Members::iter)
    }

    /// The peers a rule is for, as CIDRs of its family.
    pub fn peers(&self, rule: &Rule) -> Vec<IpNet> {
        let family = rule.ethertype;
        match rule.remote {
            Remote::Anyone => vec![address::everyone(family)],
            Remote::Prefix(net) => vec![net],
            Remote::Group(group) => self.members(group, family).collect(),
            Remote::AddressGroup(group) => self.addresses(group, family).collect(),
        }
    }
}
