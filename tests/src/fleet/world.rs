//! A cloud of a size, and how it changes: the writes that an API makes, at random and repeatable by a seed.

use std::collections::BTreeSet;

use fastrand::Rng;
use serde_json::{Value, json};
use sg_store::{Key, Write};
use uuid::Uuid;

/// How much there is.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Compute nodes.
    pub nodes: usize,
    /// Ports, on all of them together.
    pub ports: usize,
    /// Security groups.
    pub groups: usize,
}

/// Ports and groups of one tenant: groups name no groups of others.
const GROUPS_OF_A_PROJECT: usize = 10;
/// On how many nodes the ports of a tenant are.
const NODES_OF_A_PROJECT: usize = 40;
/// Address groups, of all tenants.
const ADDRESS_GROUPS: usize = 100;

/// Everything there is, as the writer knows it.
#[derive(Debug)]
pub struct World {
    random: Rng,
    size: Size,
    ports: Vec<Port>,
    groups: Vec<Group>,
    address_groups: Vec<(Uuid, BTreeSet<u16>)>,
    /// How many ids were given out.
    ids: u128,
}

#[derive(Clone, Debug)]
struct Port {
    id: Uuid,
    number: u32,
    node: usize,
    groups: Vec<usize>,
}

#[derive(Debug)]
struct Group {
    id: Uuid,
    rules: Vec<Uuid>,
}

/// The name of a node.
#[must_use]
pub fn host(node: usize) -> String {
    format!("compute-{node:05}.example")
}

impl World {
    /// A cloud with nothing in it.
    #[must_use]
    pub fn new(size: Size, seed: u64) -> Self {
        Self {
            random: Rng::with_seed(seed),
            size,
            ports: Vec::new(),
            groups: Vec::new(),
            address_groups: Vec::new(),
            ids: 0,
        }
    }

    /// Fills it: commits, each of its writes.
    pub fn fill(&mut self) -> Vec<Vec<Write>> {
        let mut commits = Vec::new();
        for _ in 0..ADDRESS_GROUPS {
            let addresses = (0..8).map(|_| self.random.u16(..)).collect();
            let id = self.id();
            self.address_groups.push((id, addresses));
            commits.push(vec![self.put_address_group(self.address_groups.len() - 1)]);
        }
        for number in 0..self.size.groups {
            let id = self.id();
            self.groups.push(Group {
                id,
                rules: Vec::new(),
            });
            let mut writes = vec![put_group(id, number)];
            for _ in 0..4 {
                writes.push(self.add_rule(number));
            }
            commits.push(writes);
        }
        for _ in 0..self.size.ports {
            commits.push(self.create_port());
        }
        commits
    }

    /// One change of what there is.
    pub fn change(&mut self) -> Vec<Write> {
        match self.random.u8(..100) {
            0..20 => {
                let group = self.random.usize(..self.groups.len());
                vec![self.touch_group(group), self.add_rule(group)]
            }
            20..40 => self.remove_rule(),
            40..55 => self.regroup(),
            55..70 => self.move_port(),
            70..80 => self.delete_port(),
            80..90 => self.create_port(),
            _ => self.edit_address_group(),
        }
    }

    fn id(&mut self) -> Uuid {
        self.ids += 1;
        // The name of a port's interface is made of the first eleven characters.
        Uuid::from_u128(self.ids << 96 | 0x0000_4000_8000_5f1e_e700_0000)
    }

    fn put_address_group(&self, number: usize) -> Write {
        let (id, addresses) = &self.address_groups[number];
        let cidr = |part: &u16| format!("198.{}.{}.0/24", 18 + (part >> 8) % 2, part & 255);
        let addresses: BTreeSet<String> = addresses.iter().map(cidr).collect();
        put(
            &Key::AddressGroup(*id),
            &json!({"id": id, "name": format!("addresses-{number}"), "addresses": addresses}),
        )
    }

    fn edit_address_group(&mut self) -> Vec<Write> {
        let number = self.random.usize(..self.address_groups.len());
        let part = self.random.u16(..);
        let addresses = &mut self.address_groups[number].1;
        if addresses.len() > 12 {
            addresses.pop_first();
        }
        addresses.insert(part);
        vec![self.put_address_group(number)]
    }

    fn touch_group(&self, number: usize) -> Write {
        put_group(self.groups[number].id, number)
    }

    fn add_rule(&mut self, number: usize) -> Write {
        let id = self.id();
        let group = self.groups[number].id;
        let project = number / GROUPS_OF_A_PROJECT;
        let port = self.random.u16(1..=u16::MAX);
        let mut rule = json!({
            "id": id, "security_group_id": group, "direction": "ingress", "ethertype": "IPv4",
            "protocol": "tcp", "port_range_min": port, "port_range_max": port,
        });
        match self.random.u8(..10) {
            0..4 => {
                let first = project * GROUPS_OF_A_PROJECT;
                let behind = self.groups.len().min(first + GROUPS_OF_A_PROJECT);
                let remote = self.groups[self.random.usize(first..behind)].id;
                rule["remote_group_id"] = json!(remote);
            }
            4 => {
                let number = self.random.usize(..self.address_groups.len());
                rule["remote_address_group_id"] = json!(self.address_groups[number].0);
            }
            5 => rule["direction"] = json!("egress"),
            _ => {
                let net = format!("203.0.{}.0/24", self.random.u8(..));
                rule["remote_ip_prefix"] = json!(net);
            }
        }
        self.groups[number].rules.push(id);
        put(&Key::Rule { group, id }, &rule)
    }

    fn remove_rule(&mut self) -> Vec<Write> {
        let number = self.random.usize(..self.groups.len());
        let touched = self.touch_group(number);
        let group = &mut self.groups[number];
        if group.rules.len() < 2 {
            return vec![touched, self.add_rule(number)];
        }
        let id = group
            .rules
            .swap_remove(self.random.usize(..group.rules.len()));
        let group = group.id;
        vec![touched, delete(&Key::Rule { group, id })]
    }

    fn create_port(&mut self) -> Vec<Write> {
        let projects = self.size.groups.div_ceil(GROUPS_OF_A_PROJECT);
        let project = self.random.usize(..projects);
        let node = self.node_of(project);
        let id = self.id();
        let number = (self.ids & 0x00ff_ffff) as u32;
        let port = Port {
            id,
            number,
            node,
            groups: self.groups_of(project),
        };
        let writes = self.put_port(&port);
        self.ports.push(port);
        writes
    }

    fn delete_port(&mut self) -> Vec<Write> {
        if self.ports.is_empty() {
            return self.create_port();
        }
        let place = self.random.usize(..self.ports.len());
        let port = self.ports.swap_remove(place);
        self.take_away(&port)
    }

    fn regroup(&mut self) -> Vec<Write> {
        self.rewrite(|world, port| {
            let project = port.groups[0] / GROUPS_OF_A_PROJECT;
            port.groups = world.groups_of(project);
        })
    }

    fn move_port(&mut self) -> Vec<Write> {
        self.rewrite(|world, port| {
            port.node = world.node_of(port.groups[0] / GROUPS_OF_A_PROJECT);
        })
    }

    fn rewrite(&mut self, change: impl FnOnce(&mut Self, &mut Port)) -> Vec<Write> {
        if self.ports.is_empty() {
            return self.create_port();
        }
        let place = self.random.usize(..self.ports.len());
        let before = self.ports[place].clone();
        let mut after = before.clone();
        change(self, &mut after);
        let put = self.put_port(&after);
        let kept: BTreeSet<String> = put.iter().map(|write| key(write).to_owned()).collect();
        let gone = self.take_away(&before);
        let gone = gone.into_iter().filter(|write| !kept.contains(key(write)));
        self.ports[place] = after;
        gone.chain(put).collect()
    }

    fn put_port(&self, port: &Port) -> Vec<Write> {
        let Port { id, number, .. } = port;
        let [_, a, b, c] = number.to_be_bytes();
        let address = format!("10.{a}.{b}.{c}");
        let groups: Vec<Uuid> = port.groups.iter().map(|n| self.groups[*n].id).collect();
        let value = json!({
            "id": id, "name": format!("vm-{number}"), "device_owner": "compute:nova",
            "binding:host_id": host(port.node),
            "mac_address": format!("fa:16:3e:{a:02x}:{b:02x}:{c:02x}"),
            "fixed_ips": [{"ip_address": address}],
            "allowed_address_pairs": [], "port_security_enabled": true,
            "security_groups": groups,
        });
        let mut writes = vec![put(&port_key(port), &value)];
        for group in groups {
            let member = Key::Member { group, port: *id };
            writes.push(put(&member, &json!([format!("{address}/32")])));
        }
        writes
    }

    fn take_away(&self, port: &Port) -> Vec<Write> {
        let mut writes = vec![delete(&port_key(port))];
        for number in &port.groups {
            let member = Key::Member {
                group: self.groups[*number].id,
                port: port.id,
            };
            writes.push(delete(&member));
        }
        writes
    }

    fn groups_of(&mut self, project: usize) -> Vec<usize> {
        let first = project * GROUPS_OF_A_PROJECT;
        let behind = self.size.groups.min(first + GROUPS_OF_A_PROJECT);
        let one = self.random.usize(first..behind);
        let other = self.random.usize(first..behind);
        if one == other {
            vec![one]
        } else {
            vec![one, other]
        }
    }

    /// A project's nodes lie side by side, as a scheduler that fills nodes has them; as many whatever the
    /// number of nodes.
    fn node_of(&mut self, project: usize) -> usize {
        let first = project * NODES_OF_A_PROJECT / 4;
        (first + self.random.usize(..NODES_OF_A_PROJECT)) % self.size.nodes
    }
}

fn port_key(port: &Port) -> Key {
    Key::Port {
        host: Some(host(port.node)),
        id: port.id,
    }
}

fn put_group(id: Uuid, number: usize) -> Write {
    let name = format!("group-{number}");
    put(
        &Key::SecurityGroup(id),
        &json!({"id": id, "name": name, "stateful": true}),
    )
}

fn put(key: &Key, value: &Value) -> Write {
    Write::Put {
        key: key.to_string(),
        value: value.to_string().into_bytes(),
    }
}

fn delete(key: &Key) -> Write {
    Write::Delete {
        key: key.to_string(),
    }
}

fn key(write: &Write) -> &str {
    match write {
        Write::Put { key, .. } | Write::Delete { key } => key,
    }
}
