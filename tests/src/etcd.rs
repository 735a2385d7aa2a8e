//! A store in a namespace, and what writes to it.

use std::io::Write as _;
use std::time::Duration;

use etcd_client::Permission;
use serde_json::Value;
use sg_store::testing::Cluster;
use sg_store::{Entry, EtcdOptions, Key, Outcome, Range, Revision, Store, Write};
use tempfile::NamedTempFile;
use tokio::runtime::{Builder, Runtime};
use uuid::Uuid;

use crate::daemon::Daemon;
use crate::inventory::{Group, Port};
use crate::netns::Netns;

/// A member of etcd, alone in its cluster, in a namespace.
pub struct Etcd<'a> {
    netns: &'a Netns,
    cluster: Cluster,
    daemon: Option<Daemon>,
    /// The password of root, once there are users.
    root: Option<NamedTempFile>,
}

impl<'a> Etcd<'a> {
    /// One that answers, with the layout's key in it.
    #[must_use]
    pub fn start(netns: &'a Netns) -> Self {
        let mut etcd = Self::empty(netns);
        etcd.in_store(async |store| store.prepare().await.map(drop));
        etcd
    }

    /// One that answers, with nothing in it.
    #[must_use]
    pub fn empty(netns: &'a Netns) -> Self {
        let cluster = netns.run(|| Cluster::prepare(1, &[]));
        let mut etcd = Self {
            netns,
            cluster,
            daemon: None,
            root: None,
        };
        etcd.start_again();
        etcd
    }

    /// Where it is.
    #[must_use]
    pub fn urls(&self) -> String {
        self.cluster.urls()
    }

    /// Ends it with no chance to tidy up.
    pub fn kill(&mut self) {
        self.daemon = None;
    }

    /// Starts it with what it had; returns when it answers.
    pub fn start_again(&mut self) {
        let member = self.cluster.member(0);
        self.daemon = Some(Daemon::start(self.netns, member.command()));
        self.netns.run(|| self.cluster.member(0).wait());
    }

    /// Lets only users in from now on: root, and one with this password that may do what the node of a host does.
    pub fn let_in_only(&mut self, user: &str, password: &str, host: &str) {
        let urls = self.urls();
        let status = Key::Status(host.into()).to_string();
        self.run(async || {
            let mut client = etcd_client::Client::connect([&urls], None).await?;
            client.role_add(user).await?;
            let read = Permission::read("/sg/").with_prefix();
            client.role_grant_permission(user, read).await?;
            let write = Permission::write(status.as_str());
            client.role_grant_permission(user, write).await?;
            client.user_add(user, password, None).await?;
            client.user_grant_role(user, user).await?;
            client.user_add("root", "root", None).await?;
            client.user_grant_role("root", "root").await?;
            client.auth_enable().await
        });
        let mut file = NamedTempFile::new().expect("a file for a password");
        file.write_all(b"root").expect("the password of root");
        self.root = Some(file);
    }

    /// Writes values at one revision; what has none is taken away.
    pub fn write(&mut self, values: &[(Key, Option<Value>)]) -> Revision {
        let texts = values.iter().map(|(key, value)| {
            let text = value.as_ref().map(Value::to_string);
            (key.to_string(), text)
        });
        self.write_texts(texts.collect())
    }

    /// The same, of whatever text.
    pub fn write_texts(&mut self, texts: Vec<(String, Option<String>)>) -> Revision {
        let write = |(key, text): (String, Option<String>)| match text {
            Some(text) => Write::Put {
                key,
                value: text.into_bytes(),
            },
            None => Write::Delete { key },
        };
        let writes: Vec<Write> = texts.into_iter().map(write).collect();
        let outcome = self.in_store(async |store| store.commit(vec![], writes.clone()).await);
        match outcome {
            Outcome::Written(revision) => revision,
            Outcome::Conflict => panic!("nothing stands against it"),
        }
    }

    /// All keys that begin so.
    pub fn read(&mut self, prefix: &str) -> Vec<Entry> {
        let ranges = [Range::Prefix(prefix.into())];
        self.in_store(async |store| store.read(&ranges, None).await)
            .entries
    }

    /// Has it forget how it came to what it is.
    pub fn compact(&mut self, revision: Revision) {
        let urls = self.urls();
        self.run(async || {
            let mut client = etcd_client::Client::connect([&urls], None).await?;
            client.compact(revision.cast_signed(), None).await
        });
    }

    fn in_store<T: Send>(
        &mut self,
        question: impl AsyncFn(&Store) -> sg_store::Result<T> + Send + Sync,
    ) -> T {
        let options = EtcdOptions {
            timeout: Some(Duration::from_secs(3)),
            user: self.root.is_some().then(|| "root".into()),
            password_file: self.root.as_ref().map(|file| file.path().into()),
            ..EtcdOptions::at(self.urls())
        };
        let store = Store::etcd(options).expect("options of a store");
        self.run(async || question(&store).await)
    }

    /// Asks in the namespace, until there is an answer.
    fn run<T: Send, E: std::fmt::Display>(
        &mut self,
        question: impl AsyncFn() -> Result<T, E> + Send,
    ) -> T {
        self.netns.run(move || {
            runtime().block_on(async {
                let mut last = String::new();
                for _ in 0..100 {
                    match question().await {
                        Ok(answer) => return answer,
                        Err(error) => last = error.to_string(),
                    }
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                panic!("the store does not answer: {last}");
            })
        })
    }
}

fn runtime() -> Runtime {
    let runtime = Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime")
}

/// A port's value, at its key on a host.
#[must_use]
pub fn port(host: &str, port: &Port) -> (Key, Option<Value>) {
    let key = Key::Port {
        host: Some(host.into()),
        id: port.id(),
    };
    (key, Some(port.json()))
}

/// What a port adds to the members of its groups.
#[must_use]
pub fn members(port: &Port) -> Vec<(Key, Option<Value>)> {
    let groups = port.json()["security_groups"].clone();
    let groups = groups.as_array().expect("its groups").clone();
    let member = |group: &Value| {
        let key = Key::Member {
            group: id(group),
            port: port.id(),
        };
        (key, Some(serde_json::json!(port.addresses())))
    };
    groups.iter().map(member).collect()
}

/// A group and its rules.
#[must_use]
pub fn group(group: &Group) -> Vec<(Key, Option<Value>)> {
    let mut value = group.json();
    let rules = value["security_group_rules"].take();
    let fields = value.as_object_mut().expect("a group");
    fields.remove("security_group_rules");
    let of = id(&value["id"]);
    let rules = rules.as_array().expect("its rules").clone();
    let rules = rules.into_iter().map(|rule| {
        let key = Key::Rule {
            group: of,
            id: id(&rule["id"]),
        };
        (key, Some(rule))
    });
    let group = (Key::SecurityGroup(of), Some(value));
    std::iter::once(group).chain(rules).collect()
}

fn id(value: &Value) -> Uuid {
    let text = value.as_str().expect("an id");
    text.parse().expect("a UUID")
}
