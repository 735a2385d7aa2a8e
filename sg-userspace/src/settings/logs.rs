//! Logs for security that the daemon writes itself: a table `[[log]]` each.

use std::path::PathBuf;

use serde_json::{Map, Value};

use crate::view::SettingView;

/// The key: a list of tables.
pub(super) const KEY: &str = "log";

/// What it is for, in one sentence for people.
const DOC: &str = "Logs of accepted and refused packets that the daemon writes itself, a table [[log]] each \
                   (docs/logging.md)";

/// The most events that a log may ask for: a second, and at once.
const MOST_EVENTS: u32 = 1_000_000;

/// The longest window of a flow log, a day, in seconds.
const LONGEST_WINDOW: u32 = 24 * 60 * 60;

/// A log that is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// Where it goes.
    pub to: Target,
    /// How its lines look.
    pub form: Form,
    /// What is in it.
    pub what: What,
    /// Ports, by id or name.
    pub ports: Vec<String>,
    /// Security groups whose ports are meant, by id or name.
    pub groups: Vec<String>,
    /// How many events a second of one port and action.
    pub rate: u32,
    /// How many of them at once.
    pub burst: u32,
    /// Seconds of a flow log's windows.
    pub interval: u32,
}

/// Where a log goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// To journald.
    Journal,
    /// To a file.
    File(PathBuf),
}

/// How the lines of a log look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Neutron's own.
    Neutron,
    /// As `POST /v1/events` answers.
    Json,
    /// VPC flow log records, version 2.
    FlowLog,
}

/// What is logged, in Neutron's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// What is accepted, and what is refused.
    All,
    /// What is accepted.
    Accept,
    /// What is refused.
    Drop,
}

const FORMS: [(&str, Form); 3] = [
    ("neutron", Form::Neutron),
    ("json", Form::Json),
    ("flow-log", Form::FlowLog),
];

const WHATS: [(&str, What); 3] = [
    ("all", What::All),
    ("accept", What::Accept),
    ("drop", What::Drop),
];

const JOURNAL: &str = "journal";

/// A key of a table `[[log]]`.
#[derive(Debug)]
pub struct LogKey {
    /// Its name in the table.
    pub name: &'static str,
    /// What it is for, in one sentence for people.
    pub doc: &'static str,
    /// Which values it takes, for people.
    pub values: &'static str,
    /// Sets it, if the value is one of them.
    pub(super) put: fn(&mut Log, &Value) -> Option<()>,
    value: fn(&Log) -> Value,
}

/// Every one, in the order in which they are printed.
pub const LOG_KEYS: &[LogKey] = &[
    LogKey {
        name: TO,
        doc: "Where the log goes, which has to be said: to journald, or to a file, which is made if it is not \
              there, in a directory that is",
        values: "\"journal\", or an absolute path, \"/var/log/sgd/…\"",
        put: |log, value| set(&mut log.to, Target::of(value)),
        value: |log| log.to.name().into(),
    },
    LogKey {
        name: "form",
        doc: "How its lines look: Neutron's own, JSON as of POST /v1/events, or VPC flow log records of version 2",
        values: "\"neutron\", \"json\" or \"flow-log\"",
        put: |log, value| set(&mut log.form, word(&FORMS, value)),
        value: |log| name_in(&FORMS, log.form),
    },
    LogKey {
        name: "what",
        doc: "What is in it: the first packet of each accepted connection, each refused packet, or both",
        values: "\"all\", \"accept\" or \"drop\"",
        put: |log, value| set(&mut log.what, word(&WHATS, value)),
        value: |log| name_in(&WHATS, log.what),
    },
    LogKey {
        name: "ports",
        doc: "Of these ports, also when they come later. With neither ports nor groups: of every port of the node",
        values: "a list of ids or names of ports, [\"WEB1\"]",
        put: |log, value| set(&mut log.ports, names(value)),
        value: |log| log.ports.clone().into(),
    },
    LogKey {
        name: "groups",
        doc: "Of all ports that have one of these security groups, also when they get it later",
        values: "a list of ids or names of security groups, [\"WEB_SERVERS\"]",
        put: |log, value| set(&mut log.groups, names(value)),
        value: |log| log.groups.clone().into(),
    },
    LogKey {
        name: "rate",
        doc: "How many events a second of one port, of what is accepted and what is refused apart; of the others \
              the log says how many there were",
        values: "a number from 1 to 1000000",
        put: |log, value| set(&mut log.rate, number(value, MOST_EVENTS)),
        value: |log| log.rate.into(),
    },
    LogKey {
        name: "burst",
        doc: "How many of them at once",
        values: "a number from 1 to 1000000",
        put: |log, value| set(&mut log.burst, number(value, MOST_EVENTS)),
        value: |log| log.burst.into(),
    },
    LogKey {
        name: "interval",
        doc: "The seconds that a record of a flow log stands for",
        values: "a number from 1 to 86400",
        put: |log, value| set(&mut log.interval, number(value, LONGEST_WINDOW)),
        value: |log| log.interval.into(),
    },
];

/// The key that every log has to have.
pub(super) const TO: &str = "to";

impl Log {
    /// What holds for what a table does not name. Rate and burst are Neutron's.
    pub(super) const DEFAULT: Self = Self {
        to: Target::Journal,
        form: Form::Neutron,
        what: What::All,
        ports: Vec::new(),
        groups: Vec::new(),
        rate: 100,
        burst: 25,
        interval: 60,
    };

    /// Whether it is of every port of the node.
    pub fn is_of_all(&self) -> bool {
        self.ports.is_empty() && self.groups.is_empty()
    }

    fn view(&self) -> Value {
        let keys = LOG_KEYS.iter();
        let fields = keys.map(|key| (key.name.to_owned(), (key.value)(self)));
        Value::Object(fields.collect::<Map<_, _>>())
    }
}

impl Target {
    /// As in the settings file.
    pub fn name(&self) -> String {
        match self {
            Self::Journal => JOURNAL.into(),
            Self::File(path) => path.display().to_string(),
        }
    }

    fn of(value: &Value) -> Option<Self> {
        let text = value.as_str()?;
        let is_path = text.starts_with('/') && !text.ends_with('/');
        match text {
            JOURNAL => Some(Self::Journal),
            path if is_path && !path.contains(char::is_control) => Some(Self::File(path.into())),
            _ => None,
        }
    }
}

impl LogKey {
    /// What it is unless it is set; of what has to be set, nothing.
    pub fn default(&self) -> Option<Value> {
        (self.name != TO).then(|| (self.value)(&Log::DEFAULT))
    }
}

/// All of them as one setting.
pub(super) fn view(logs: &[Log]) -> SettingView {
    SettingView {
        key: KEY.into(),
        value: logs.iter().map(Log::view).collect(),
        default: Value::Array(Vec::new()),
    }
}

/// What the key is for, if it is this one.
pub(super) fn doc(key: &str) -> Option<&'static str> {
    (key == KEY).then_some(DOC)
}

/// Sets a field to what was read, if that is a value.
fn set<T>(field: &mut T, value: Option<T>) -> Option<()> {
    *field = value?;
    Some(())
}

fn word<T: Copy>(words: &[(&str, T)], value: &Value) -> Option<T> {
    let text = value.as_str()?;
    let mut words = words.iter();
    words
        .find(|(word, _)| *word == text)
        .map(|(_, meaning)| *meaning)
}

fn name_in<T: PartialEq>(words: &[(&str, T)], wanted: T) -> Value {
    let mut words = words.iter();
    let found = words.find(|(_, meaning)| *meaning == wanted);
    found.map_or(Value::Null, |(word, _)| Value::from(*word))
}

fn names(value: &Value) -> Option<Vec<String>> {
    let name = |item: &Value| Some(item.as_str().filter(|name| !name.is_empty())?.to_owned());
    value.as_array()?.iter().map(name).collect()
}

fn number(value: &Value, most: u32) -> Option<u32> {
    let number = u32::try_from(value.as_u64()?).ok()?;
    (1..=most).contains(&number).then_some(number)
}
