//! A port's filter as a person reads it: from top to bottom, as a packet meets it.

use crate::{
    cli::{
        table::{dash, table},
        troubles,
        unused::short,
    },
    view::{Count, HookView, LinkView, Outcome, PortDetail, ProgramView, RuleView, StageView},
};

/// The port, then both lists.
pub fn text(detail: &PortDetail) -> String {
    format!(
        "{}\nfrom_vm (egress)\n{}\nto_vm (ingress)\n{}",
        header(detail),
        list(&detail.egress),
        list(&detail.ingress)
    )
}

fn header(detail: &PortDetail) -> String {
    let port = &detail.port;
    let interface = match port.ifindex {
        Some(ifindex) => format!("{} (index {ifindex})", port.interface),
        None => format!("{} (not here)", dash(port.interface.clone())),
    };
    let interface = match port.vlan {
        Some(vlan) => format!("{interface}, VLAN {vlan}"),
        None => interface,
    };
    let state = match &port.note {
        Some(note) => format!("{}: {note}", port.state.as_str()),
        None => port.state.as_str().into(),
    };
    let mac = port
        .mac_address
        .map(|mac| mac.to_string())
        .unwrap_or_default();
    let fields = [
        ("port", dash(port.name.clone())),
        ("id", port.id.clone()),
        ("interface", interface),
        ("MAC", dash(mac)),
        ("addresses", dash(port.addresses.join(", "))),
        ("groups", dash(port.security_groups.join(", "))),
        ("state", state),
    ];
    let tables = detail.tables.iter();
    let tables = tables.map(|table| {
        (
            &*table.name,
            format!("{} of {} entries", table.used, table.capacity),
        )
    });
    let hooks = detail.hooks.iter();
    let hooks = hooks.map(|hook| (hook.hook.as_str(), hooked(hook)));
    let fields = fields.into_iter().chain(tables).chain(hooks);
    let fields: String = fields
        .map(|(field, value)| format!("{field:<11}{value}\n"))
        .collect();
    fields + &troubles::lines(&port.troubles)
}

/// A program and how it hangs, with the numbers to go on with in bpftool and tc.
fn hooked(hook: &HookView) -> String {
    let ProgramView { id, name, tag } = &hook.program;
    let by = match &hook.link {
        LinkView::Tcx { id, pin } => format!("tcx link {id}, pinned at {}", pin.display()),
        LinkView::Xdp { id, pin, native } => {
            let kind = if *native { "native" } else { "generic" };
            format!("xdp link {id} ({kind}), pinned at {}", pin.display())
        }
        LinkView::Clsact { priority, handle } => {
            format!("clsact filter with pref {priority}, handle {handle:#x}")
        }
    };
    format!("program {id} {name}, tag {tag}; {by}")
}

fn list(stages: &[StageView]) -> String {
    let rows = stages.iter().enumerate().flat_map(|(place, stage)| {
        let rules = stage.rules.iter().map(rule);
        std::iter::once(line(place + 1, stage)).chain(rules)
    });
    table(["#", "PACKETS", "BYTES", "VERDICT", "WHAT"], rows)
}

fn line(number: usize, stage: &StageView) -> [String; 5] {
    let Count { packets, bytes } = stage.count;
    let verdict = match stage.outcome {
        Outcome::Accept => "accept",
        Outcome::Drop => "drop",
        Outcome::Continue => "continue",
    };
    let what = match stage.values.as_slice() {
        [] => stage.text.clone(),
        values => format!("{}: {}", stage.text, values.join(", ")),
    };
    [
        number.to_string(),
        packets.to_string(),
        bytes.to_string(),
        verdict.into(),
        what,
    ]
}

/// The connections that a rule holds, and when it was used last.
fn rule(rule: &RuleView) -> [String; 5] {
    let RuleView {
        security_group,
        text,
        flows,
        last_hit,
        ..
    } = rule;
    let last = last_hit.as_deref().map_or("never".into(), short);
    let what = format!("  {text} ({security_group}, {flows} flows, last hit {last})");
    [
        String::new(),
        String::new(),
        String::new(),
        String::new(),
        what,
    ]
}

#[cfg(test)]
mod tests;
