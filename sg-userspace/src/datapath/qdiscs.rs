//! The qdisc of an interface that filters hang on: of kind clsact, with both hooks, or of kind `ingress`,
//! with one. An interface has one of them at most.

use std::collections::BTreeMap;
use std::io;

use rtnetlink::packet_route::RouteNetlinkMessage;
use rtnetlink::packet_route::tc::{TcAttribute, TcHandle, TcMessage};

use super::dump::ask;

/// The kind that has no hook for what an interface sends.
pub const INGRESS: &str = "ingress";

/// The kinds of all interfaces that have one. To ask for a single one would be told to all who listen
/// (`qdisc_get_notify`), this daemon among them.
///
/// # Errors
///
/// What netlink says.
pub fn all() -> io::Result<BTreeMap<u32, String>> {
    let question = RouteNetlinkMessage::GetQueueDiscipline(TcMessage::default());
    let found = ask(question, |answer| match answer {
        RouteNetlinkMessage::NewQueueDiscipline(message) => kind(&message),
        _ => None,
    })?;
    Ok(found.into_iter().collect())
}

fn kind(message: &TcMessage) -> Option<(u32, String)> {
    let kind = message
        .attributes
        .iter()
        .find_map(|attribute| match attribute {
            TcAttribute::Kind(kind) => Some(kind.clone()),
            _ => None,
        })?;
    let is_ours = message.header.parent == TcHandle::CLSACT;
    is_ours.then_some((message.header.index.cast_unsigned(), kind))
}

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::thread;

    use nix::sched::{CloneFlags, unshare};

    use super::*;

    #[test]
    fn the_qdisc_with_filters_is_told_by_its_kind_and_only_if_there_is_one() {
        let kinds = thread::spawn(|| {
            unshare(CloneFlags::CLONE_NEWNET).expect("tests of namespaces run as root");
            let tc = |words: &str| {
                let mut tc = Command::new("tc");
                let done = tc
                    .args(words.split(' '))
                    .status()
                    .expect("iproute2 is there");
                assert!(done.success(), "tc {words}");
            };
            // The loopback interface of a fresh namespace has number 1.
            let kind = || all().unwrap().remove(&1);
            let mut kinds = vec![kind()];
            for name in ["ingress", "clsact"] {
                tc(&format!("qdisc add dev lo {name}"));
                kinds.push(kind());
                tc(&format!("qdisc del dev lo {name}"));
            }
            kinds.push(kind());
            kinds
        });
        let kinds = kinds.join().unwrap();
        assert_eq!(
            kinds,
            [None, Some("ingress".into()), Some("clsact".into()), None]
        );
    }
}
