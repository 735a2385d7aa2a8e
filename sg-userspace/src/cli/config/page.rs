//! The manual page of the configuration file, from the tables that it is read by.

use clap::CommandFactory;
use clap_mangen::roff::{Roff, bold, roman};
use serde_json::Value;
use sg_common::layout::capacity;

use super::super::sgd::Sgd;
use super::beneath::{argument, default};
use crate::settings::{
    KEYS, Key, LOG_KEYS, START_KEYS, StartKey, Wanted, doc_of_audit, doc_of_from_vm,
};

/// `sgd.toml(5)`.
pub fn page() -> String {
    let mut page = Roff::new();
    let version = env!("CARGO_PKG_VERSION");
    page.control("TH", ["sgd.toml", "5", "", &format!("sgd {version}")]);
    section(&mut page, "NAME");
    page.text([roman(
        "sgd.toml - configuration of sgd, the security-group filter",
    )]);
    section(&mut page, "SYNOPSIS");
    page.text([roman("/etc/sgd/sgd.toml")]);
    section(&mut page, "DESCRIPTION");
    for paragraph in DESCRIPTION {
        page.control("PP", []);
        page.text([roman(*paragraph)]);
    }
    section(&mut page, "READ AT THE START");
    let sgd = Sgd::command();
    let run = sgd.find_subcommand("run");
    for key in START_KEYS {
        let argument = run.and_then(|run| argument(run, key.option));
        let help = argument.and_then(|argument| argument.get_help());
        let help = help.map(ToString::to_string).unwrap_or_default();
        let default = argument.map(|argument| default(key, argument));
        let default = default.filter(|value| !value.is_null());
        entry(&mut page, key.name, &help, &StartKey::values(key), default);
    }
    section(&mut page, "FOLLOWED WHEN THE FILE CHANGES");
    let settings = Wanted::default().settings(capacity::FLOWS4);
    let (name, doc, values) = doc_of_from_vm();
    entry(&mut page, name, doc, values, Some("auto".into()));
    let (name, doc, values) = doc_of_audit();
    entry(&mut page, name, doc, values, Some(Value::Array(Vec::new())));
    for key in KEYS {
        let default = Some(key.value(&settings));
        entry(&mut page, key.name, key.doc, &Key::values(key), default);
    }
    section(&mut page, "LOGS");
    for paragraph in LOGS {
        page.control("PP", []);
        page.text([roman(*paragraph)]);
    }
    for key in LOG_KEYS {
        entry(&mut page, key.name, key.doc, key.values, key.default());
    }
    section(&mut page, "SEE ALSO");
    page.text([roman(
        "sgd(1), sgd-run(1), sgd-config(1), sgctl-settings(1)",
    )]);
    page.to_roff()
}

const DESCRIPTION: &[&str] = &[
    "A TOML file. A key a.b stands as b in the section [a]. What the file does not name has its default. A \
     file with a mistake is refused as a whole, with line, key, value and what to write instead; what was in \
     force stays. `sgd config check` says all that is wrong with a file, `sgd config show` prints one with \
     all that it does not name.",
    "What is read at the start can be given to `sgd run` as an option too, which goes before the file. A \
     change of it takes a restart; the log and `sgctl status` say so. The settings are followed when the \
     file changes.",
    "A section [ports.ID], with the id of a port, has from_vm of that port alone. timeouts = \"system\" in \
     the place of the section takes the timeouts of the node's nf_conntrack.",
];

const LOGS: &[&str] = &[
    "Each table [[log]] is a log of accepted and refused packets that the daemon writes itself. They are \
     followed when the file changes, and stand at its end: what comes after a table belongs to it.",
    "A file is opened to append, with mode 0640 if it is made, and never through a symbolic link in its last \
     place; it is opened anew when it was moved away or removed, and at SIGHUP. What cannot be written keeps \
     nothing waiting: it is counted, told by `sgctl status`, and is a line as soon as the log can be written \
     again. The service may write below /var/log/sgd; another directory takes ReadWritePaths= in a drop-in of \
     the unit.",
];

fn section(page: &mut Roff, name: &str) {
    page.control("SH", [name]);
}

fn entry(page: &mut Roff, name: &str, doc: &str, values: &str, default: Option<Value>) {
    page.control("TP", []);
    page.text([bold(name)]);
    let default = default.map(|value| format!(" Default: {value}."));
    let doc = doc.trim_end_matches('.');
    page.text([roman(format!(
        "{doc}. Values: {values}.{}",
        default.unwrap_or_default()
    ))]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_every_key_with_its_values_and_its_default() {
        let page = page();
        let names = KEYS.iter().map(|key| key.name);
        let names = names.chain(START_KEYS.iter().map(|key| key.name));
        for name in names.chain(LOG_KEYS.iter().map(|key| key.name)) {
            assert!(page.contains(&format!("\\fB{name}\\fR")), "{name}");
        }
        assert!(page.contains("Default: \"/run/sgd/sgd.sock\"."), "{page}");
        assert!(page.contains("Default: 432000."), "{page}");
    }
}
