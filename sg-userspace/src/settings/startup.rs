//! What a daemon is started with: options of `sgd run` that the file may name as well. They are read once, so
//! that a change takes a restart.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde_json::Value;

/// The most entries that a table may be asked for.
pub const LARGEST_TABLE: u32 = 1 << 26;

/// What the file says of the options of `sgd run`: by their names on the command line, as it takes them.
pub type Startup = BTreeMap<&'static str, String>;

/// A key that stands for an option of `sgd run`. What it is for, and its default, the option says.
#[derive(Debug)]
pub struct StartKey {
    /// Its name in the file; a section stands before the dot.
    pub name: &'static str,
    /// The option, without its dashes.
    pub option: &'static str,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Flag,
    Path,
    Group,
    /// An IP address and a port of TCP.
    Address,
    Words(&'static [&'static str]),
    /// Any text, which looks so.
    Text(&'static str),
    /// Entries of a table.
    Entries,
}

/// The options that say where what is to be enforced comes from: it comes from one place.
pub const SOURCES: [&str; 3] = ["inventory", "transactions", "etcd"];

/// Every such key, in the order in which they are printed.
pub const START_KEYS: &[StartKey] = &[
    key("daemon.inventory", "inventory", Kind::Path),
    key("daemon.transactions", "transactions", Kind::Flag),
    key("daemon.state", "state", Kind::Path),
    key("daemon.usage", "usage", Kind::Path),
    key("daemon.host", "host", Kind::Text("compute-1")),
    key("daemon.bpffs", "bpffs", Kind::Path),
    key(
        "daemon.attach",
        "attach",
        Kind::Words(&["auto", "tcx", "clsact"]),
    ),
    key("daemon.sweep", "sweep", Kind::Words(&["auto", "daemon"])),
    key("daemon.adopt", "adopt", Kind::Words(&["first", "never"])),
    key(
        "daemon.log",
        "log",
        Kind::Words(&["error", "warn", "info", "debug", "trace"]),
    ),
    key("etcd.urls", "etcd", Kind::Text("https://etcd1:2379")),
    key("etcd.ca", "etcd-ca", Kind::Path),
    key("etcd.cert", "etcd-cert", Kind::Path),
    key("etcd.key", "etcd-key", Kind::Path),
    key(
        "etcd.server_name",
        "etcd-server-name",
        Kind::Text("etcd.example"),
    ),
    key("etcd.user", "etcd-user", Kind::Text("sgd")),
    key("etcd.password_file", "etcd-password-file", Kind::Path),
    key("socket.path", "socket", Kind::Path),
    key("socket.group", "socket-group", Kind::Group),
    key("metrics.listen", "metrics", Kind::Address),
    key("metrics.page", "page", Kind::Words(&["auto", "off"])),
    key("tables.max_ports", "max-ports", Kind::Entries),
    key("tables.max_flows", "max-flows", Kind::Entries),
    key("tables.max_unproven", "max-unproven", Kind::Entries),
    key("tables.max_fragments", "max-fragments", Kind::Entries),
    key("tables.max_addresses", "max-addresses", Kind::Entries),
    key("tables.max_policies", "max-policies", Kind::Entries),
    key("tables.max_members", "max-members", Kind::Entries),
    key("tables.max_prefixes", "max-prefixes", Kind::Entries),
    key("tables.max_grants", "max-grants", Kind::Entries),
    key("tables.max_port_sets", "max-port-sets", Kind::Entries),
    key("tables.max_port_pairs", "max-port-pairs", Kind::Entries),
];

const fn key(name: &'static str, option: &'static str, kind: Kind) -> StartKey {
    StartKey { name, option, kind }
}

impl StartKey {
    /// The key of a name.
    pub fn find(name: &str) -> Option<&'static Self> {
        START_KEYS.iter().find(|key| key.name == name)
    }

    /// The section it stands in, and its name there.
    pub fn parts(&self) -> (&'static str, &'static str) {
        self.name.split_once('.').unwrap_or(("", self.name))
    }

    /// A value of the file, as the command line takes it. The error says which values there are.
    pub(super) fn read(&self, value: &Value) -> Result<String, String> {
        let text = value.as_str();
        let read = match self.kind {
            Kind::Flag => value.as_bool().map(|on| on.to_string()),
            Kind::Path => text.filter(|path| path.starts_with('/')).map(Into::into),
            Kind::Group | Kind::Text(_) => text.filter(|name| !name.is_empty()).map(Into::into),
            Kind::Address => {
                let address = text.and_then(|text| text.parse::<SocketAddr>().ok());
                address.map(|address| address.to_string())
            }
            Kind::Words(words) => text.filter(|word| words.contains(word)).map(Into::into),
            Kind::Entries => value
                .as_u64()
                .filter(|entries| (1..=u64::from(LARGEST_TABLE)).contains(entries))
                .map(|entries| entries.to_string()),
        };
        read.ok_or_else(|| self.values())
    }

    /// As in the file, what the command line takes.
    pub fn value(&self, given: &str) -> Value {
        match self.kind {
            Kind::Flag => (given == "true").into(),
            Kind::Entries => given.parse::<u32>().map_or(Value::Null, Value::from),
            Kind::Path | Kind::Group | Kind::Address | Kind::Words(_) | Kind::Text(_) => {
                given.into()
            }
        }
    }

    /// Which values it takes, for people.
    pub fn values(&self) -> String {
        match self.kind {
            Kind::Flag => "true or false".into(),
            Kind::Path => "an absolute path, \"/…\"".into(),
            Kind::Address => "an IP address and a port, \"127.0.0.1:9477\"".into(),
            Kind::Text(such) => format!("a text, {such:?}"),
            Kind::Group => "the name of a group of users".into(),
            Kind::Words(words) => {
                let quoted: Vec<_> = words.iter().map(|word| format!("{word:?}")).collect();
                quoted.join(" or ")
            }
            Kind::Entries => format!("a number from 1 to {LARGEST_TABLE}"),
        }
    }

    /// The words it takes, if it takes words.
    pub fn words(&self) -> &'static [&'static str] {
        match self.kind {
            Kind::Words(words) => words,
            _ => &[],
        }
    }
}

/// What takes a restart, because it is not as it was at the start: a sentence for each key.
pub fn restarts(started: &Startup, now: &Startup) -> Vec<String> {
    let changed = |key: &&StartKey| started.get(key.option) != now.get(key.option);
    let keys = START_KEYS.iter().filter(changed);
    let sentences = keys.map(|key| {
        let now = now.get(key.option);
        let now = now.map_or("unset".into(), |given| key.value(given).to_string());
        format!(
            "{} is {now} in the file now: that takes a restart (systemctl restart sgd)",
            key.name
        )
    });
    sentences.collect()
}

#[cfg(test)]
mod tests {
    use super::super::parse::parse;
    use super::*;

    #[test]
    fn the_sample_of_the_package_is_read_and_so_is_what_is_commented_out_in_it() {
        let sample = include_str!("../../../dist/sgd.toml");
        let startup = parse(sample).unwrap().startup;
        assert_eq!(startup["transactions"], "true");
        assert_eq!(startup["socket-group"], "sgd");
        let is_key = |line: &str| line.starts_with('#') && !line.starts_with("# ");
        let lines = sample.lines().map(|line| match is_key(line) {
            true => &line[1..],
            false => line,
        });
        let others = lines.filter(|line| !line.starts_with("transactions"));
        let startup = parse(&others.collect::<Vec<_>>().join("\n"))
            .unwrap()
            .startup;
        assert_eq!(startup["inventory"], "/var/lib/sgd/inventory.json");
        assert_eq!(startup["max-ports"], "1024");
    }

    #[test]
    fn all_mistakes_are_told_with_line_key_value_and_what_to_write() {
        let text = "tagged = 'maybe'\n[daemon]\nbpffs = 'here'\nattach = 'tc'\nport = 1\n[socket]\n\
                    group = ''\n[tables]\nmax_ports = 0\nmax_flows = 99999999999\nmax_grants = '7'";
        let mistakes = parse(text).unwrap_err().0;
        let told: Vec<_> = mistakes.iter().map(ToString::to_string).collect();
        let expected = [
            "line 1: tagged: 'maybe' is not a value of it; write \"drop\" or \"pass\"",
            "line 3: daemon.bpffs: 'here' is not a value of it; write an absolute path, \"/…\"",
            "line 4: daemon.attach: 'tc' is not a value of it; write \"auto\" or \"tcx\" or \"clsact\"",
            "line 5: daemon.port: there is no such key (its value is 1); [daemon] has inventory, \
             transactions, state, usage, host, bpffs, attach, sweep, adopt, log",
            "line 7: socket.group: '' is not a value of it; write the name of a group of users",
            "line 9: tables.max_ports: 0 is not a value of it; write a number from 1 to 67108864",
            "line 10: tables.max_flows: 99999999999 is not a value of it; write a number from 1 to \
             67108864",
            "line 11: tables.max_grants: '7' is not a value of it; write a number from 1 to 67108864",
        ];
        assert_eq!(told, expected);
    }

    #[test]
    fn a_file_names_one_source() {
        for two in [
            "daemon.inventory = '/i.json'\ndaemon.transactions = true",
            "daemon.inventory = '/i.json'\netcd.urls = 'http://a:2379'",
            "daemon.transactions = true\netcd.urls = 'http://a:2379'",
        ] {
            let refused = parse(two).unwrap_err().to_string();
            assert!(
                refused.contains("write inventory or transactions under [daemon]"),
                "{refused}"
            );
        }
        parse("[daemon]\ninventory = '/i.json'\ntransactions = false").unwrap();
    }

    #[test]
    fn what_is_not_as_it_was_at_the_start_takes_a_restart_and_settings_do_not() {
        let startup = |text| parse(text).unwrap().startup;
        let started = startup("tables.max_ports = 7\nsocket.group = 'sgd'");
        assert!(restarts(&started, &started).is_empty());
        let same = startup("tagged = 'pass'\ntables.max_ports = 7\nsocket.group = 'sgd'");
        assert!(restarts(&started, &same).is_empty());
        let told = restarts(&started, &startup("tables.max_ports = 8"));
        assert_eq!(told.len(), 2);
        assert!(
            told[0].starts_with("socket.group is unset in the file now"),
            "{told:?}"
        );
        assert!(
            told[1].starts_with("tables.max_ports is 8 in the file now"),
            "{told:?}"
        );
    }
}
