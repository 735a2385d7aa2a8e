//! What the filter notes on its way, in words.

use sg_common::{
    layout::flow::Flow,
    layout::port::kind,
    layout::settings::{Ticks, seconds},
    tables::Note,
};

use super::flows;

/// The stage that noted it, and what it saw. `now` is the clock of the tables.
pub fn words(note: &Note, transport: u8, now: Ticks) -> (&'static str, String) {
    let (stage, detail) = match note {
        Note::SourceAllowed(kinds) => {
            return (
                "source_address",
                format!("the source is {}", source(*kinds)),
            );
        }
        Note::Flow(flow) => return ("connection", connection(flow, transport, now)),
        Note::Invalid(reason) => return ("invalid", reason.describe().into()),
        Note::SourceVouched => ("source_address", "this connection has sent from it before"),
        Note::SourceExcepted => (
            "source_address",
            "only DHCP and neighbor discovery may send from it",
        ),
        Note::SourceUnchecked => (
            "source_address",
            "the port has no address of this family, and the settings let any pass",
        ),
        Note::NoFlow => ("connection", "none is tracked for this packet"),
        Note::JudgedAgain => ("connection", "the rules have changed since it was accepted"),
        Note::PermittedByBuiltin => ("builtin", "permitted, whatever the rules"),
        Note::PermittedToAnyone => ("rules", "permitted to anyone"),
        Note::PermittedToMember => ("rules", "permitted to a member of a remote group"),
        Note::PermittedToPrefix => ("rules", "permitted to a CIDR"),
        Note::NotPermitted => ("rules", "no rule permits it"),
    };
    (stage, detail.into())
}

fn source(kinds: u32) -> &'static str {
    match kinds {
        kinds if kinds & kind::FIXED != 0 => "a fixed address of the port",
        kinds if kinds & kind::PAIR != 0 => "an allowed address pair",
        kinds if kinds & kind::LINK_LOCAL != 0 => "the link-local address of a MAC of the port",
        _ => "any, because the port has no fixed address",
    }
}

fn connection(flow: &Flow, transport: u8, now: Ticks) -> String {
    let word = flow.word();
    let opener = if word.from_vm() {
        "the VM"
    } else {
        "the other side"
    };
    let state = match flows::state(transport, flow) {
        "" => String::new(),
        state => format!(", {state}"),
    };
    let assured = if word.assured() { ", assured" } else { "" };
    let rest = seconds(flow.expires.wrapping_sub(now));
    format!("opened by {opener}{state}{assured}, {rest}s to live")
}
