//! Questions that machines ask each other over real sockets.

use std::net::IpAddr;
use std::thread;

use super::report::Report;
use crate::traffic::{Connection, Outcome, ask_tcp, ask_udp};
use crate::vm::Vm;

#[derive(Clone, Copy)]
enum Protocol {
    Tcp,
    Udp,
}

/// Over which of its addresses the other is asked.
#[derive(Clone, Copy)]
pub(super) enum Family {
    V4,
    V6,
}

/// A question from one machine to another, and what is expected to come of it.
pub(super) struct Question<'a> {
    from: &'a Vm,
    to: &'a Vm,
    protocol: Protocol,
    address: IpAddr,
    port: u16,
    expected: Outcome,
}

pub(super) fn tcp<'a>(
    from: &'a Vm,
    to: &'a Vm,
    family: Family,
    port: u16,
    expected: Outcome,
) -> Question<'a> {
    Question {
        from,
        to,
        protocol: Protocol::Tcp,
        address: family.address(to),
        port,
        expected,
    }
}

pub(super) fn udp<'a>(
    from: &'a Vm,
    to: &'a Vm,
    family: Family,
    port: u16,
    expected: Outcome,
) -> Question<'a> {
    Question {
        from,
        to,
        protocol: Protocol::Udp,
        address: family.address(to),
        port,
        expected,
    }
}

/// Asks all at once, as the silent ones take their time, and reports in order.
pub(super) fn ask_all(report: &mut Report, questions: &[Question<'_>]) {
    let outcomes: Vec<_> = thread::scope(|scope| {
        let asked: Vec<_> = questions.iter().map(|q| scope.spawn(|| q.ask())).collect();
        asked.into_iter().map(|answer| answer.join()).collect()
    });
    for (question, outcome) in questions.iter().zip(outcomes) {
        let outcome = outcome.unwrap_or_else(|cause| std::panic::resume_unwind(cause));
        report.check(&question.words(), question.expected, outcome);
    }
}

/// Asks over an open connection. One that could not be opened is silent.
pub(super) fn ask(connection: Option<&mut Connection>) -> Outcome {
    connection.map_or(Outcome::Silence, Connection::ask)
}

impl Question<'_> {
    fn ask(&self) -> Outcome {
        let netns = self.from.netns();
        match self.protocol {
            Protocol::Tcp => ask_tcp(netns, self.address, self.port),
            Protocol::Udp => ask_udp(netns, self.address, self.port),
        }
    }

    fn words(&self) -> String {
        let protocol = match self.protocol {
            Protocol::Tcp => "tcp",
            Protocol::Udp => "udp",
        };
        let family = if self.address.is_ipv4() {
            "IPv4"
        } else {
            "IPv6"
        };
        format!(
            "{} → {} {family} {protocol} {}",
            self.from.name(),
            self.to.name(),
            self.port
        )
    }
}

impl Family {
    fn address(self, vm: &Vm) -> IpAddr {
        match self {
            Self::V4 => vm.v4(),
            Self::V6 => vm.v6(),
        }
    }
}
