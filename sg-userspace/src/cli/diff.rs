//! `sgctl diff`

use std::{fmt::Write, path::PathBuf};

use clap::Args;

use super::{
    Context, flows, output,
    table::{dash, table},
};
use crate::{
    error::Result,
    exit::Exit,
    view::{CutBy, DiffView, PortChange},
};

/// Show what an inventory would change, and which connections it would cut, without changing anything
///
/// Compares the file with what is in force: rules, members and addresses that come and go, by port, of the ports that
/// are on this node. The connections are judged by the filter's own code, as they would be at their next packet.
#[derive(Debug, Args)]
pub struct DiffArgs {
    /// Inventory to compare with; - reads the standard input
    #[arg(short, long, value_name = "FILE")]
    file: PathBuf,
}

impl DiffArgs {
    pub async fn run(self, context: &Context) -> Result<Exit> {
        let view = context.client.diff(output::read(&self.file)?).await?;
        context.print(&view, text)?;
        let left_out = view.faults.iter().any(|fault| !fault.is_warning());
        Ok(if left_out { Exit::LeftOut } else { Exit::Ok })
    }
}

fn text(view: &DiffView) -> String {
    let mut text = output::faults(&view.faults);
    // Writing to a string cannot fail.
    for port in &view.ports {
        let change = match port.change {
            PortChange::Added => "comes",
            PortChange::Removed => "goes, and its interface is closed",
            PortChange::Changed => "changes",
        };
        let name = dash(port.name.clone());
        let _ = writeln!(
            text,
            "port {name} ({}, {}) {change}",
            port.id, port.interface
        );
        for said in &port.removed {
            let _ = writeln!(text, "  - {said}");
        }
        for said in &port.added {
            let _ = writeln!(text, "  + {said}");
        }
        if port.cut > 0 {
            let _ = writeln!(text, "  {} connections would be cut", port.cut);
        }
    }
    let _ = writeln!(
        text,
        "{} ports change; {} connections would be cut",
        view.ports.len(),
        view.cut
    );
    if view.cut > 0 {
        let _ = write!(text, "\n{}", by("SECURITY GROUP", &view.by_group));
        let _ = write!(text, "\n{}", by("REMOTE", &view.by_remote));
        let _ = write!(text, "\n{}", flows::rows(&view.connections));
        if view.cut > view.connections.len() as u64 {
            let _ = writeln!(text, "the first {} of {}", view.connections.len(), view.cut);
        }
    }
    text
}

fn by(what: &str, cuts: &[CutBy]) -> String {
    let rows = cuts
        .iter()
        .map(|cut| [cut.name.clone(), cut.connections.to_string()]);
    table([what, "CUT"], rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::PortDiff;

    #[test]
    fn a_diff_reads_from_what_goes_and_comes_to_what_it_costs() {
        let view = DiffView {
            ports: vec![PortDiff {
                id: "11111111-1111-4111-8111-111111111111".into(),
                name: "WEB1".into(),
                interface: "tap11111111-11".into(),
                change: PortChange::Changed,
                added: vec!["rule ingress IPv4 tcp 443 from anyone".into()],
                removed: vec!["rule ingress IPv4 tcp 80 from anyone".into()],
                cut: 2,
            }],
            cut: 2,
            by_group: vec![CutBy {
                name: "WEB_SERVERS".into(),
                connections: 2,
            }],
            by_remote: vec![CutBy {
                name: "10.0.0.7".into(),
                connections: 2,
            }],
            ..DiffView::default()
        };
        let text = text(&view);
        assert!(
            text.starts_with(
                "port WEB1 (11111111-1111-4111-8111-111111111111, tap11111111-11) changes\n  \
             - rule ingress IPv4 tcp 80 from anyone\n  + rule ingress IPv4 tcp 443 from anyone\n  \
             2 connections would be cut\n1 ports change; 2 connections would be cut\n"
            ),
            "{text}"
        );
        assert!(text.contains("WEB_SERVERS"), "{text}");
    }
}
