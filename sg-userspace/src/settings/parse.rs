//! Reading a settings file.

mod logs;

use serde_json::Value;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::audit::{self, Audit};
use super::from_vm::{self, FromVm, PORTS};
use super::logs::KEY as LOG;
use super::startup::{SOURCES, START_KEYS, StartKey};
use super::{KEYS, Key, Wanted};
use crate::model::PortId;

/// A settings file that cannot be used: nothing in it is put in force.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
pub struct Malformed(pub Vec<Mistake>);

/// One thing that is wrong with a settings file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct Mistake {
    /// The line it is about, from 1.
    pub line: usize,
    /// Key, value, what is wrong and what to write instead.
    pub what: String,
}

/// The section that may be a word instead.
const TIMEOUTS: &str = "timeouts";
/// The word: the timeouts of the node's own nf_conntrack.
const SYSTEM: &str = "system";

/// Reads a settings file, to its end. What it does not name has its default.
pub(super) fn parse(text: &str) -> Result<Wanted, Malformed> {
    let table = DeTable::parse(text).map_err(|error| {
        let line = line(text, error.span().map_or(0, |span| span.start));
        let what = format!("this is no TOML: {}", error.message());
        Malformed(vec![Mistake { line, what }])
    })?;
    let mut reader = Reader {
        text,
        wanted: Wanted::default(),
        mistakes: Vec::new(),
    };
    reader.table("", table.get_ref());
    reader.mistakes.sort();
    match reader.mistakes.is_empty() {
        true => Ok(reader.wanted),
        false => Err(Malformed(reader.mistakes)),
    }
}

struct Reader<'a> {
    text: &'a str,
    wanted: Wanted,
    mistakes: Vec<Mistake>,
}

impl Reader<'_> {
    fn table(&mut self, section: &str, table: &DeTable<'_>) {
        for (key, value) in table {
            let name = match section {
                "" => key.get_ref().to_string(),
                section => format!("{section}.{}", key.get_ref()),
            };
            if let Err(what) = self.entry(section, &name, value) {
                self.mistaken(key.span().start, &name, &what);
            }
        }
    }

    /// The error says what is wrong, and what to write instead.
    fn entry(
        &mut self,
        section: &str,
        name: &str,
        value: &Spanned<DeValue<'_>>,
    ) -> Result<(), String> {
        let read = value.get_ref();
        if let Some(key) = Key::find(name) {
            let set = key.set(&mut self.wanted, &json(read));
            return set.map_err(|values| self.refused(value, &values));
        }
        if let Some(key) = StartKey::find(name) {
            let given = key.read(&json(read));
            let given = given.map_err(|values| self.refused(value, &values))?;
            self.wanted.startup.insert(key.option, given);
            return self.one_source();
        }
        match read {
            _ if name == from_vm::KEY => {
                let wish = FromVm::of(&json(read));
                self.wanted.from_vm.node =
                    wish.ok_or_else(|| self.refused(value, FromVm::VALUES))?;
            }
            _ if name == LOG => return self.logs(value),
            _ if name == audit::KEY => {
                let ids = Audit::of(&json(read));
                self.wanted.audit = ids.ok_or_else(|| self.refused(value, audit::VALUES))?;
            }
            DeValue::Table(ports) if name == PORTS => self.ports(ports),
            DeValue::Table(table) if is_section(name) => self.table(name, table),
            DeValue::String(word) if name == TIMEOUTS && word == SYSTEM => {
                self.wanted.system_timeouts = true;
            }
            _ if name == TIMEOUTS => {
                let values = format!("\"{SYSTEM}\", or a table [{TIMEOUTS}]");
                return Err(self.refused(value, &values));
            }
            _ if name == PORTS => {
                return Err(format!(
                    "{} is not a table; write [{PORTS}.ID]",
                    self.shown(value)
                ));
            }
            _ if is_section(name) => {
                return Err(format!(
                    "{} is not a table; write [{name}]",
                    self.shown(value)
                ));
            }
            _ => {
                return Err(format!(
                    "there is no such key (its value is {}); {}",
                    self.shown(value),
                    allowed(section)
                ));
            }
        }
        Ok(())
    }

    fn one_source(&self) -> Result<(), String> {
        let given = |option: &&str| {
            let value = self.wanted.startup.get(option);
            value.is_some_and(|value| value != "false")
        };
        match SOURCES.iter().filter(|option| given(option)).count() {
            0 | 1 => Ok(()),
            _ => Err(
                "what is to be enforced comes from one place; write inventory or transactions under [daemon], or \
                 urls under [etcd], and only one of them"
                    .into(),
            ),
        }
    }

    /// What single ports are to have: a table of each by its id.
    fn ports(&mut self, ports: &DeTable<'_>) {
        for (id, table) in ports {
            let (name, at) = (format!("{PORTS}.{}", id.get_ref()), id.span().start);
            let Ok(port) = id.get_ref().parse::<PortId>() else {
                let what = "this is no id of a port; write its UUID, as `sgctl show port` does";
                self.mistaken(at, &name, what);
                continue;
            };
            let DeValue::Table(keys) = table.get_ref() else {
                let what = format!("{} is not a table; write [{name}]", self.shown(table));
                self.mistaken(at, &name, &what);
                continue;
            };
            for (key, value) in keys {
                let (at, key) = (key.span().start, key.get_ref());
                let wish = (key == from_vm::KEY).then(|| FromVm::of(&json(value.get_ref())));
                let what = match wish {
                    Some(Some(wish)) => {
                        self.wanted.from_vm.ports.insert(port, wish);
                        continue;
                    }
                    Some(None) => self.refused(value, FromVm::VALUES),
                    None => format!(
                        "there is no such key (its value is {}); [{name}] has {}",
                        self.shown(value),
                        from_vm::KEY
                    ),
                };
                self.mistaken(at, &format!("{name}.{key}"), &what);
            }
        }
    }

    fn refused(&self, value: &Spanned<DeValue<'_>>, values: &str) -> String {
        let value = self.shown(value);
        format!("{value} is not a value of it; write {values}")
    }

    fn mistaken(&mut self, at: usize, name: &str, what: &str) {
        self.mistakes.push(Mistake {
            line: line(self.text, at),
            what: format!("{name}: {what}"),
        });
    }

    /// A value as it is written, on one line.
    fn shown(&self, value: &Spanned<DeValue<'_>>) -> String {
        const LONGEST: usize = 60;
        let text = self.text.get(value.span()).unwrap_or_default();
        let short: String = text
            .chars()
            .take_while(|c| *c != '\n')
            .take(LONGEST)
            .collect();
        let rest = if short.len() < text.len() { "…" } else { "" };
        short + rest
    }
}

/// The values that keys take, and lists of them; of others the keys say that they do not fit.
fn json(value: &DeValue<'_>) -> Value {
    match value {
        DeValue::String(text) => Value::from(text.as_ref()),
        DeValue::Boolean(value) => Value::from(*value),
        DeValue::Integer(number) => {
            i64::from_str_radix(number.as_str(), number.radix()).map_or(Value::Null, Value::from)
        }
        DeValue::Array(items) => items.iter().map(|item| json(item.get_ref())).collect(),
        _ => Value::Null,
    }
}

/// Section and name of every key that has one definition.
fn known() -> impl Iterator<Item = (&'static str, &'static str)> {
    let settings = KEYS.iter().map(Key::parts);
    settings.chain(START_KEYS.iter().map(StartKey::parts))
}

fn is_section(name: &str) -> bool {
    known().any(|(section, _)| section == name)
}

fn allowed(section: &str) -> String {
    let names = known().filter(|(of, _)| *of == section);
    let names: Vec<_> = names.map(|(_, name)| name).collect();
    match section {
        "" => {
            let (names, own, audit) = (names.join(", "), from_vm::KEY, audit::KEY);
            format!(
                "write one of {names}, {own}, {audit}, [daemon], [socket], [tables], [tcp], [{TIMEOUTS}], \
                 [{PORTS}.ID] or [[{LOG}]]"
            )
        }
        section => format!("[{section}] has {}", names.join(", ")),
    }
}

fn line(text: &str, at: usize) -> usize {
    1 + text.bytes().take(at).filter(|byte| *byte == b'\n').count()
}
