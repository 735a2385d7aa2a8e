//! The filters of a qdisc, as the kernel lists them.

use std::io;

use rtnetlink::packet_route::RouteNetlinkMessage;
use rtnetlink::packet_route::tc::{TcAttribute, TcFilterBpfOption, TcHandle, TcMessage, TcOption};
use sg_common::hook::Hook;

use super::dump::ask;

/// A filter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Filters are asked in this order.
    pub priority: u16,
    /// Its number among those of its priority.
    pub handle: u32,
    /// The name that a BPF filter was given; ours are named after their hooks. Of others their kind.
    pub name: String,
    /// The program of a BPF filter, otherwise 0.
    pub program: u32,
}

/// Every filter at a hook of an interface of this namespace, in the order in which they are asked. None for
/// an interface that is gone, or has no qdisc with filters.
///
/// # Errors
///
/// What netlink says.
pub fn at(ifindex: u32, hook: Hook) -> io::Result<Vec<Filter>> {
    let mut question = TcMessage::with_index(ifindex.cast_signed());
    question.header.parent = TcHandle {
        major: TcHandle::CLSACT.major,
        minor: match hook {
            Hook::FromVm => TcHandle::MIN_INGRESS,
            Hook::ToVm => TcHandle::MIN_EGRESS,
        },
    };
    ask(
        RouteNetlinkMessage::GetTrafficFilter(question),
        |answer| match answer {
            RouteNetlinkMessage::NewTrafficFilter(message) => filter(&message),
            _ => None,
        },
    )
}

/// The filter of a message; there are also messages for each priority as a whole, which have no handle,
/// and for chains that only a filter of the first one leads to.
fn filter(message: &TcMessage) -> Option<Filter> {
    let mut filter = Filter {
        priority: (message.header.info >> 16) as u16,
        handle: message.header.handle.into(),
        ..Filter::default()
    };
    for attribute in &message.attributes {
        match attribute {
            TcAttribute::Chain(chain) if *chain != 0 => return None,
            TcAttribute::Kind(kind) if filter.name.is_empty() => filter.name.clone_from(kind),
            TcAttribute::Options(options) => options.iter().for_each(|option| match option {
                TcOption::Bpf(TcFilterBpfOption::ProgName(name)) => filter.name.clone_from(name),
                TcOption::Bpf(TcFilterBpfOption::ProgId(id)) => filter.program = *id,
                _ => {}
            }),
            _ => {}
        }
    }
    (filter.handle != 0).then_some(filter)
}
