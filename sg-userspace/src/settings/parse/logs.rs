//! Reading the tables `[[log]]`.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::super::logs::{KEY, LOG_KEYS, Log, TO, Target};
use super::{Reader, json};

impl Reader<'_> {
    /// All of them. The error says that they are no tables.
    pub(super) fn logs(&mut self, value: &Spanned<DeValue<'_>>) -> Result<(), String> {
        let not_tables = || {
            let shown = self.shown(value);
            format!("{shown} is not a list of tables; write [[{KEY}]]")
        };
        let DeValue::Array(items) = value.get_ref() else {
            return Err(not_tables());
        };
        let tables = items.iter().map(|item| match item.get_ref() {
            DeValue::Table(table) => Some((item.span().start, table)),
            _ => None,
        });
        let tables: Option<Vec<_>> = tables.collect();
        for (at, table) in tables.ok_or_else(not_tables)? {
            let log = self.log(at, table);
            self.wanted.logs.push(log);
        }
        Ok(())
    }

    fn log(&mut self, start: usize, table: &DeTable<'_>) -> Log {
        let mut log = Log::DEFAULT;
        for (name, value) in table {
            let (at, name) = (name.span().start, name.get_ref());
            let what = match LOG_KEYS.iter().find(|key| key.name == name) {
                Some(key) => match (key.put)(&mut log, &json(value.get_ref())) {
                    Some(()) if name == TO && self.has_file(&log.to) => format!(
                        "{} is another log's already; write another path",
                        self.shown(value)
                    ),
                    Some(()) => continue,
                    None => self.refused(value, key.values),
                },
                None => format!(
                    "there is no such key (its value is {}); [[{KEY}]] has {}",
                    self.shown(value),
                    LOG_KEYS
                        .iter()
                        .map(|key| key.name)
                        .collect::<Vec<_>>()
                        .join(", ")
                ),
            };
            self.mistaken(at, &format!("{KEY}.{name}"), &what);
        }
        if !table.contains_key(TO) {
            let what =
                "it is not said where the log goes; write to = \"journal\", or an absolute path";
            self.mistaken(start, &format!("{KEY}.{TO}"), what);
        }
        log
    }

    /// Whether a log that was read before goes to the same file.
    fn has_file(&self, to: &Target) -> bool {
        let mut logs = self.wanted.logs.iter();
        matches!(to, Target::File(_)) && logs.any(|log| log.to == *to)
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::logs::{Form, What};
    use super::super::super::{Wanted, to_toml, views};
    use super::super::parse;
    use super::*;

    fn printed(wanted: &Wanted) -> String {
        let settings = wanted.settings(1);
        to_toml(&views(
            &settings,
            &settings,
            &wanted.from_vm,
            &wanted.audit,
            &wanted.logs,
        ))
    }

    #[test]
    fn a_log_is_a_table_and_what_it_does_not_name_has_neutrons_defaults() {
        let text = "[[log]]\nto = 'journal'\n[[log]]\nto = '/var/log/sgd/drops.log'\nform = 'flow-log'\n\
                    what = 'drop'\nports = ['WEB1']\ngroups = ['WEB']\nrate = 7\nburst = 8\ninterval = 9\n";
        let logs = parse(text).unwrap().logs;
        assert_eq!(logs[0], Log::DEFAULT);
        let expected = Log {
            to: Target::File("/var/log/sgd/drops.log".into()),
            form: Form::FlowLog,
            what: What::Drop,
            ports: vec!["WEB1".into()],
            groups: vec!["WEB".into()],
            rate: 7,
            burst: 8,
            interval: 9,
        };
        assert_eq!(logs[1..], [expected]);
    }

    #[test]
    fn logs_that_are_printed_are_read_as_the_same_logs() {
        let file = "[[log]]\nto = '/a \"b\"'\nports = ['W\u{e9}B']\n[[log]]\nto = 'journal'\nwhat = 'accept'\n";
        for text in ["", file] {
            let wanted = parse(text).unwrap();
            let printed = printed(&wanted);
            assert_eq!(parse(&printed).unwrap().logs, wanted.logs, "{printed}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_log_is_told_with_line_key_value_and_what_to_write() {
        let text = "[[log]]\nform = 'xml'\n[[log]]\nto = 'drops.log'\nrate = 0\n[[log]]\nto = '/a'\n\
                    ports = 'WEB1'\ncolour = 1\n[[log]]\nto = '/a'\ngroups = ['']\ninterval = 86401\n";
        let mistakes = parse(text).unwrap_err().0;
        let told: Vec<_> = mistakes.iter().map(ToString::to_string).collect();
        let expected = [
            "line 1: log.to: it is not said where the log goes; write to = \"journal\", or an absolute path",
            "line 2: log.form: 'xml' is not a value of it; write \"neutron\", \"json\" or \"flow-log\"",
            "line 4: log.to: 'drops.log' is not a value of it; write \"journal\", or an absolute path, \
             \"/var/log/sgd/…\"",
            "line 5: log.rate: 0 is not a value of it; write a number from 1 to 1000000",
            "line 8: log.ports: 'WEB1' is not a value of it; write a list of ids or names of ports, [\"WEB1\"]",
            "line 9: log.colour: there is no such key (its value is 1); [[log]] has to, form, what, ports, groups, \
             rate, burst, interval",
            "line 11: log.to: '/a' is another log's already; write another path",
            "line 12: log.groups: [''] is not a value of it; write a list of ids or names of security groups, \
             [\"WEB_SERVERS\"]",
            "line 13: log.interval: 86401 is not a value of it; write a number from 1 to 86400",
        ];
        assert_eq!(told, expected);
        for text in [
            "log = 'journal'",
            "[log]\nto = 'journal'",
            "log = ['journal']",
        ] {
            let refused = parse(text).unwrap_err().to_string();
            assert!(
                refused.ends_with("is not a list of tables; write [[log]]"),
                "{refused}"
            );
        }
    }
}
