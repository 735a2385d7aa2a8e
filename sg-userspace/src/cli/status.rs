//! `sgctl status`

use super::{Context, apply::tally, output, table::table, troubles};
use crate::{
    error::Result,
    exit::Exit,
    view::{
        SettingView, SettingsView, SourceKind, SourceView, StatusView, SweepView, SweptBy, age,
    },
};

pub async fn run(context: &Context) -> Result<Exit> {
    let status = context.client.status().await?;
    context.print(&status, text)?;
    match status.ports.is_leaky() {
        true => Ok(Exit::Leaky),
        false => Ok(Exit::Ok),
    }
}

fn text(status: &StatusView) -> String {
    let inventory = &status.inventory;
    let mut text = format!(
        "sgd {}, pins in {}, attached by {}\n{} (revision {})\n{}\n",
        status.version,
        status.bpffs.display(),
        status.attach,
        inventory.path.display(),
        inventory.revision,
        tally(&status.ports)
    );
    text.push_str(&source(&status.source));
    if let Some(error) = &inventory.last_error {
        text.push_str(&format!("the newest inventory was not taken: {error}\n"));
    }
    if let Some(error) = &inventory.apply_error {
        text.push_str(&format!(
            "the kernel does not hold the whole inventory: {error}\n"
        ));
    }
    text.push_str(&settings(&status.settings));
    for trouble in &status.troubles {
        text.push_str(&format!("{trouble}\n"));
    }
    text.push_str(&troubles::lines(&status.interfaces));
    let put_back = [
        (
            "filters put back that somebody else had taken off",
            status.restored,
        ),
        (
            "first places taken again from other programs",
            status.retaken,
        ),
        ("times that removed pins were put back", status.pinned_again),
        (
            "connections taken over from nf_conntrack at the start",
            status.adopted,
        ),
    ];
    for (what, times) in put_back.iter().filter(|(_, times)| *times > 0) {
        text.push_str(&format!("{what}: {times}\n"));
    }
    text.push_str(&sweep(&status.sweep));
    text.push_str(&output::faults(&status.faults));
    let rows = status.tables.iter().map(|fill| {
        let percent = (fill.used * 100)
            .checked_div(fill.capacity)
            .unwrap_or_default();
        let (used, capacity) = (fill.used.to_string(), fill.capacity.to_string());
        let (percent, memory) = (format!("{percent}%"), mebibytes(fill.bytes));
        [fill.name.clone(), used, capacity, percent, memory]
    });
    text.push('\n');
    text.push_str(&table(
        ["TABLE", "USED", "CAPACITY", "FULL", "MEMORY"],
        rows,
    ));
    text + &format!("All maps take {}.\n", mebibytes(status.memory))
}

/// Of a store, where it is, when it was heard, and how old what is in force is; a file and a socket are where the line before says.
fn source(source: &SourceView) -> String {
    if source.kind != SourceKind::Etcd {
        return String::new();
    }
    let host = source.host.as_deref().unwrap_or_default();
    let heard = source
        .seconds_ago
        .map_or("not heard yet".into(), |ago| format!("heard {ago} s ago"));
    let mut text = format!("follows the store {} as host {host}: ", source.at);
    text.push_str(&match (source.connected, source.age) {
        (true, _) => format!("connected, {heard}\n"),
        (false, Some(old)) => format!(
            "NOT CONNECTED, {heard}; revision {} stays in force, as the store had it {} ago\n",
            source.revision,
            age(old)
        ),
        (false, None) if source.revision == 0 => {
            format!("NOT CONNECTED, {heard}; it has told nothing, and what is in force stays\n")
        }
        (false, None) => format!(
            "NOT CONNECTED, {heard}; revision {} stays in force, and by this clock nobody knows how old it is\n",
            source.revision
        ),
    });
    if let Some(error) = &source.error {
        text.push_str(&format!("{error}\n"));
    }
    text
}

fn sweep(sweep: &SweepView) -> String {
    let SweepView {
        removed,
        seconds_ago,
        ..
    } = sweep;
    let done = format!("{removed} so far, last look {seconds_ago} s ago");
    let mut text = match sweep.by {
        SweptBy::Kernel => format!("the kernel removes expired connections: {done}\n"),
        SweptBy::Daemon => {
            format!("this daemon removes expired connections, and only while it runs: {done}\n")
        }
        SweptBy::Nobody => {
            "nobody removes expired connections: their room is not used again until the \
             daemon runs under another kernel\n"
                .to_owned()
        }
    };
    if let Some(refused) = &sweep.refused {
        text.push_str(&format!("refused for removing them: {refused}\n"));
    }
    text
}

fn mebibytes(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
}

/// What is not as it is unless set.
fn settings(view: &SettingsView) -> String {
    let mut text = String::new();
    if let Some(error) = &view.last_error {
        text.push_str(&format!("the newest settings were not taken: {error}\n"));
    }
    for note in &view.notes {
        text.push_str(&format!("{note}\n"));
    }
    for SettingView {
        key,
        value,
        default,
    } in &view.settings
    {
        text.push_str(&format!("set {key} = {value} (default: {default})\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_that_is_not_followed_is_named_with_what_stays_in_force_and_how_old_that_is() {
        let view = |connected, age, error: Option<&str>| SourceView {
            kind: SourceKind::Etcd,
            at: "http://a:2379".into(),
            host: Some("n1".into()),
            connected,
            revision: 42,
            age,
            seconds_ago: Some(7),
            error: error.map(str::to_owned),
            ..SourceView::default()
        };
        assert_eq!(
            source(&view(true, Some(7), None)),
            "follows the store http://a:2379 as host n1: connected, heard 7 s ago\n"
        );
        assert_eq!(
            source(&view(false, Some(7384), Some("no leader"))),
            "follows the store http://a:2379 as host n1: NOT CONNECTED, heard 7 s ago; revision 42 stays in \
             force, as the store had it 2 h 3 min ago\nno leader\n"
        );
        let never_told = SourceView {
            revision: 0,
            ..view(false, None, None)
        };
        assert_eq!(
            source(&never_told),
            "follows the store http://a:2379 as host n1: NOT CONNECTED, heard 7 s ago; it has told nothing, and \
             what is in force stays\n"
        );
        // The clock was set back.
        assert_eq!(
            source(&view(false, None, None)),
            "follows the store http://a:2379 as host n1: NOT CONNECTED, heard 7 s ago; revision 42 stays in force, \
             and by this clock nobody knows how old it is\n"
        );
        assert_eq!(source(&SourceView::default()), "");
    }

    #[test]
    fn whoever_removes_expired_connections_is_named_with_what_was_refused() {
        let view = |by, refused: Option<&str>| SweepView {
            by,
            refused: refused.map(str::to_owned),
            removed: 7,
            ..SweepView::default()
        };
        let text = sweep(&view(SweptBy::Kernel, None));
        assert_eq!(
            text,
            "the kernel removes expired connections: 7 so far, last look 0 s ago\n"
        );
        let refused = "the program sweep_start: Argument list too long (os error 7)";
        for (by, who) in [
            (SweptBy::Daemon, "this daemon"),
            (SweptBy::Nobody, "nobody"),
        ] {
            let text = sweep(&view(by, Some(refused)));
            assert!(text.starts_with(&format!("{who} removes")), "{text}");
            assert!(text.ends_with(&format!("{refused}\n")), "{text}");
        }
    }
}
