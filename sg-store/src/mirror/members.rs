//! The members of a group, put together from what each port adds to them.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::telling::Members;

/// A group's members.
#[derive(Debug, Default)]
pub(super) struct Group {
    /// What each port adds.
    ports: BTreeMap<Uuid, Added>,
    /// By how many ports each is added: two may share an address.
    counts: BTreeMap<IpNet, usize>,
    /// Those that came or went since they were told last, and whether they were there then.
    stirred: BTreeMap<IpNet, bool>,
    /// What cannot be read has changed, which is only told with all.
    is_anew: bool,
}

/// What a port adds.
#[derive(Debug, Default)]
struct Added {
    nets: Vec<IpNet>,
    /// What of it cannot be read, with its key.
    strange: Vec<Value>,
}

impl Group {
    pub fn is_empty(&self) -> bool {
        self.ports.is_empty()
    }

    /// Takes what a port adds from now on.
    pub fn take(&mut self, port: Uuid, key: &str, value: Option<&[u8]>) {
        let before = match value.map(|value| read(key, value)) {
            Some(added) => {
                for net in &added.nets {
                    self.count(*net, 1);
                }
                self.is_anew |= !added.strange.is_empty();
                self.ports.insert(port, added)
            }
            None => self.ports.remove(&port),
        };
        let Some(before) = before else {
            return;
        };
        self.is_anew |= !before.strange.is_empty();
        for net in before.nets {
            self.count(net, -1);
        }
    }

    fn count(&mut self, net: IpNet, by: isize) {
        let count = self.counts.entry(net).or_default();
        self.stirred.entry(net).or_insert(*count > 0);
        *count = count.saturating_add_signed(by);
        if *count == 0 {
            self.counts.remove(&net);
        }
    }

    /// What is to be told, to somebody who knows what was told last, or nothing of this group.
    pub fn tell(&mut self, is_new: bool) -> Option<Members> {
        let stirred = std::mem::take(&mut self.stirred);
        let is_anew = std::mem::take(&mut self.is_anew);
        if is_new || is_anew {
            let nets = self.counts.keys().map(|net| json!(net));
            let strange = self.ports.values().flat_map(|added| &added.strange);
            return Some(Members::Whole(nets.chain(strange.cloned()).collect()));
        }
        let (mut added, mut removed) = (Vec::new(), Vec::new());
        for (net, was_there) in stirred {
            match (was_there, self.counts.contains_key(&net)) {
                (false, true) => added.push(net),
                (true, false) => removed.push(net),
                _ => {}
            }
        }
        let is_same = added.is_empty() && removed.is_empty();
        (!is_same).then_some(Members::Changed { added, removed })
    }
}

fn read(key: &str, value: &[u8]) -> Added {
    let strange = |value: Value| json!({"key": key, "value": value});
    let Ok(entries) = serde_json::from_slice::<Vec<Value>>(value) else {
        let text = String::from_utf8_lossy(value);
        return Added {
            nets: Vec::new(),
            strange: vec![strange(text.into())],
        };
    };
    let mut added = Added::default();
    for entry in entries {
        match entry.as_str().and_then(net) {
            Some(net) => added.nets.push(net),
            None => added.strange.push(strange(entry)),
        }
    }
    added.nets.sort();
    added.nets.dedup();
    added
}

/// An address or a CIDR, whose host bits are masked.
pub(super) fn net(text: &str) -> Option<IpNet> {
    let text = text.trim();
    let Some((address, length)) = text.split_once('/') else {
        return text.parse::<IpAddr>().ok().map(IpNet::from);
    };
    // Digits alone, and an address as it is without a length: what is octal to some is none.
    let is_number = length == "0" || length.starts_with(|first: char| ('1'..='9').contains(&first));
    let length = is_number.then(|| length.parse().ok())??;
    let net = IpNet::new(address.parse().ok()?, length).ok()?;
    Some(net.trunc())
}
