//! Reading a settings file.

use serde_json::Value;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::from_vm::{self, FromVm, PORTS};
use super::{KEYS, Key, Wanted};
use crate::model::PortId;

/// A settings file that cannot be read: nothing in it is put in force.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct Malformed {
    /// The line it is about, from 1.
    pub line: usize,
    /// Key, value, what is wrong and what to write instead.
    pub what: String,
}

/// The section that may be a word instead.
const TIMEOUTS: &str = "timeouts";
/// The word: the timeouts of the node's own nf_conntrack.
const SYSTEM: &str = "system";

/// Reads a settings file. What it does not name has its default.
pub(super) fn parse(text: &str) -> Result<Wanted, Malformed> {
    let table = DeTable::parse(text).map_err(|error| Malformed {
        line: line(text, error.span().map_or(0, |span| span.start)),
        what: format!("this is no TOML: {}", error.message()),
    })?;
    let mut reader = Reader {
        text,
        wanted: Wanted::default(),
    };
    reader.table("", table.get_ref())?;
    Ok(reader.wanted)
}

struct Reader<'a> {
    text: &'a str,
    wanted: Wanted,
}

impl Reader<'_> {
    fn table(&mut self, section: &str, table: &DeTable<'_>) -> Result<(), Malformed> {
        for (key, value) in table {
            let name = match section {
                "" => key.get_ref().to_string(),
                section => format!("{section}.{}", key.get_ref()),
            };
            self.entry(section, &name, key.span().start, value)?;
        }
        Ok(())
    }

    fn entry(
        &mut self,
        section: &str,
        name: &str,
        at: usize,
        value: &Spanned<DeValue<'_>>,
    ) -> Result<(), Malformed> {
        let what = match (Key::find(name), value.get_ref()) {
            (Some(key), read) => match key.set(&mut self.wanted, &json(read)) {
                Ok(()) => return Ok(()),
                Err(values) => {
                    format!("{} is not a value of it; write {values}", self.shown(value))
                }
            },
            (None, read) if name == from_vm::KEY => match FromVm::of(&json(read)) {
                Some(from_vm) => {
                    self.wanted.from_vm.node = from_vm;
                    return Ok(());
                }
                None => self.no_from_vm(value),
            },
            (None, DeValue::Table(ports)) if name == PORTS => return self.ports(ports),
            (None, DeValue::Table(table)) if is_section(name) => return self.table(name, table),
            (None, DeValue::String(word)) if name == TIMEOUTS && word == SYSTEM => {
                self.wanted.system_timeouts = true;
                return Ok(());
            }
            (None, _) if name == TIMEOUTS => format!(
                "{} is not a value of it; write \"{SYSTEM}\", or a table [{TIMEOUTS}]",
                self.shown(value)
            ),
            (None, _) if name == PORTS => {
                format!("{} is not a table; write [{PORTS}.ID]", self.shown(value))
            }
            (None, _) if is_section(name) => {
                format!("{} is not a table; write [{name}]", self.shown(value))
            }
            (None, _) => format!(
                "there is no such key (its value is {}); {}",
                self.shown(value),
                allowed(section)
            ),
        };
        Err(self.malformed(at, name, &what))
    }

    /// What single ports are to have: a table of each by its id.
    fn ports(&mut self, ports: &DeTable<'_>) -> Result<(), Malformed> {
        for (id, table) in ports {
            let (name, at) = (format!("{PORTS}.{}", id.get_ref()), id.span().start);
            let Ok(port) = id.get_ref().parse::<PortId>() else {
                let what = "this is no id of a port; write its UUID, as `sgctl show port` does";
                return Err(self.malformed(at, &name, what));
            };
            let DeValue::Table(keys) = table.get_ref() else {
                let what = format!("{} is not a table; write [{name}]", self.shown(table));
                return Err(self.malformed(at, &name, &what));
            };
            for (key, value) in keys {
                let (at, key) = (key.span().start, key.get_ref());
                let wish = (key == from_vm::KEY).then(|| FromVm::of(&json(value.get_ref())));
                let what = match wish {
                    Some(Some(wish)) => {
                        self.wanted.from_vm.ports.insert(port, wish);
                        continue;
                    }
                    Some(None) => self.no_from_vm(value),
                    None => format!(
                        "there is no such key (its value is {}); [{name}] has {}",
                        self.shown(value),
                        from_vm::KEY
                    ),
                };
                return Err(self.malformed(at, &format!("{name}.{key}"), &what));
            }
        }
        Ok(())
    }

    fn no_from_vm(&self, value: &Spanned<DeValue<'_>>) -> String {
        let (value, values) = (self.shown(value), FromVm::VALUES);
        format!("{value} is not a value of it; write {values}")
    }

    fn malformed(&self, at: usize, name: &str, what: &str) -> Malformed {
        Malformed {
            line: line(self.text, at),
            what: format!("{name}: {what}"),
        }
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

fn is_section(name: &str) -> bool {
    KEYS.iter().any(|key| key.parts().0 == name)
}

fn allowed(section: &str) -> String {
    let names = KEYS.iter().map(Key::parts).filter(|(of, _)| *of == section);
    let names: Vec<_> = names.map(|(_, name)| name).collect();
    match section {
        "" => {
            let (names, own) = (names.join(", "), from_vm::KEY);
            format!("write one of {names}, {own}, [tcp], [{TIMEOUTS}] or [{PORTS}.ID]")
        }
        section => format!("[{section}] has {}", names.join(", ")),
    }
}

fn line(text: &str, at: usize) -> usize {
    1 + text.bytes().take(at).filter(|byte| *byte == b'\n').count()
}
