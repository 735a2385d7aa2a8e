//! Security groups and their rules, asked for by the crate's session.

use anyhow::{Context, Result, ensure};
use futures_util::{TryStreamExt, pin_mut};
use openstack::{Error, ErrorKind, session::Session};
use osauth::{PaginatedResource, services::NETWORK};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::told;

/// The groups that are made beside the default one.
const NAMES: [&str; 5] = ["app", "db", "loose", "mail", "web"];

/// As much of a group as is needed to go through a list of them in pages.
#[derive(Debug, Deserialize)]
struct Group {
    id: String,
    name: String,
}

#[derive(Debug, Deserialize)]
struct Groups {
    security_groups: Vec<Group>,
}

impl PaginatedResource for Group {
    type Id = String;
    type Root = Groups;

    fn resource_id(&self) -> String {
        self.id.clone()
    }
}

impl From<Groups> for Vec<Group> {
    fn from(root: Groups) -> Self {
        root.security_groups
    }
}

/// Makes groups and rules, lists, changes and refuses; gives the id of the group `web`.
pub async fn make(session: &Session) -> Result<String> {
    let mut ids = Vec::new();
    for name in NAMES {
        let body = json!({"security_group": {"name": name, "stateful": name != "loose"}});
        let call = format!("create the group {name}");
        let made = post(session, "security-groups", &body).await;
        let made = told::saves(
            (name, &call),
            made,
            |made| id(made, "security_group"),
            Value::clone,
        )?;
        ids.push(id(&made, "security_group").to_owned());
    }
    let web = ids.pop().context("a group was made")?;
    lists(session).await?;
    rules(session, &web, &ids).await?;
    let body = json!({"security_group": {"description": "the web", "stateful": false}});
    let changed = session
        .put(NETWORK, ["security-groups", &web])
        .json(&body)
        .fetch()
        .await;
    let changed = told::gives("update the group web", changed, Value::clone)?;
    ensure!(changed["security_group"]["stateful"] == json!(false));
    Ok(web)
}

/// Removes the group `web`, which no port has any more, and then asks for it.
pub async fn remove(session: &Session, web: &str) -> Result<()> {
    let path = ["security-groups", web];
    told::gives("delete the group web", delete(session, path).await, |()| {
        Value::Null
    })?;
    let gone = delete(session, path).await;
    told::refused("delete it again", gone, ErrorKind::ResourceNotFound)
}

/// DELETE, of which nothing but its success is known.
pub async fn delete(session: &Session, path: [&str; 2]) -> Result<(), Error> {
    session.delete(NETWORK, path).send().await.map(drop)
}

async fn lists(session: &Session) -> Result<()> {
    let pages = session
        .get(NETWORK, ["security-groups"])
        .query(&[("sort_key", "name"), ("sort_dir", "asc")]);
    let pages = pages.fetch_paginated::<Group>(Some(2), None).await;
    pin_mut!(pages);
    let all: Result<Vec<Group>, Error> = pages.try_collect().await;
    let names = |all: &Vec<Group>| {
        all.iter()
            .map(|group| group.name.as_str())
            .collect::<Value>()
    };
    let all = told::gives("groups, two a page, sort_key", all, names)?;
    ensure!(
        all.iter()
            .map(|group| &*group.name)
            .eq(["app", "db", "default", "loose", "mail", "web"])
    );
    let query = [
        ("name", "db"),
        ("name", "mail"),
        ("fields", "name"),
        ("sort_key", "name"),
        ("sort_dir", "asc"),
    ];
    let some = session
        .get(NETWORK, ["security-groups"])
        .query(&query)
        .fetch()
        .await;
    let some = told::gives(
        "the names of groups called db or mail, sort_key",
        some,
        Value::clone,
    )?;
    ensure!(some["security_groups"] == json!([{"name": "db"}, {"name": "mail"}]));
    let none = session
        .get(NETWORK, ["security-groups"])
        .query(&[("nonsense", "x")]);
    told::refused(
        "a filter that is none",
        none.fetch::<Value>().await,
        ErrorKind::InvalidInput,
    )
}

async fn rules(session: &Session, web: &str, others: &[String]) -> Result<()> {
    let remote = others.get(1).context("a second group was made")?;
    let rule = json!({"security_group_rule": {
        "security_group_id": web, "direction": "ingress", "ethertype": "IPv4", "protocol": "tcp",
        "port_range_min": 80, "port_range_max": 90, "remote_group_id": remote,
    }});
    let made = post(session, "security-group-rules", &rule).await;
    let made = told::saves(
        ("rule", "create a rule"),
        made,
        |made| id(made, "security_group_rule"),
        Value::clone,
    )?;
    let again = post(session, "security-group-rules", &rule).await;
    told::refused("create it again", again, ErrorKind::Conflict)?;
    let wrong = json!({"security_group_rule": {
        "security_group_id": web, "direction": "ingress", "port_range_min": 80,
    }});
    let wrong = post(session, "security-group-rules", &wrong).await;
    told::refused(
        "create one with ports of no protocol",
        wrong,
        ErrorKind::InvalidInput,
    )?;

    let query = [("security_group_id", web), ("direction", "ingress")];
    let found = session
        .get(NETWORK, ["security-group-rules"])
        .query(&query)
        .fetch()
        .await;
    let found = told::gives("rules of web for what comes in", found, Value::clone)?;
    let rule = id(&made, "security_group_rule");
    ensure!(found["security_group_rules"][0]["id"] == json!(rule));
    let used = delete(session, ["security-groups", remote]).await;
    told::gives("delete the group that the rule names", used, |()| {
        Value::Null
    })?;
    let gone = session
        .get(NETWORK, ["security-group-rules", rule])
        .fetch::<Value>()
        .await;
    told::refused(
        "the rule, which went with it",
        gone,
        ErrorKind::ResourceNotFound,
    )
}

async fn post(session: &Session, path: &str, body: &Value) -> Result<Value, Error> {
    session.post(NETWORK, [path]).json(body).fetch().await
}

fn id<'a>(made: &'a Value, kind: &str) -> &'a str {
    made[kind]["id"].as_str().unwrap_or_default()
}
