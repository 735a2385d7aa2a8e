//! `sgctl unused`, and what it says of single rules.

use clap::{Args, ValueEnum};
use jiff::{Span, Timestamp, ZonedDateTime, tz::TimeZone};

use super::{
    Context,
    table::{dash, table},
};
use crate::{
    error::Result,
    exit::Exit,
    plain::plain,
    view::{PortUsage, RuleUsage, UsageView},
};

/// List rules that have permitted no new connection
///
/// The kernel counts what permits the first packet of each connection, and `sgd` finds the rules behind it. A rule
/// is listed if nothing that it permits was counted since the given moment, at any port of this node that has its
/// group. Where the kernel cannot tell which of several rules it was, all of them count as used, and the list of rules
/// says so; what anyone may do is asked before what groups and CIDRs may, so that a packet which rules for both permit
/// counts for the first. Rules that
/// are counted for a shorter time are not known yet, and listed apart. Other nodes have to be asked for themselves.
///
/// A rule that is listed may still hold connections: they were opened before, and are cut when it goes, unless
/// another permits them. A rule that is covered by others permits nothing that they do not permit.
#[derive(Debug, Args)]
pub struct UnusedArgs {
    /// Since when: a date or time (2026-11-01, 2026-11-01T08:00), or a span until now (30d, 12h)
    /// [default: since it is counted]
    #[arg(long, value_name = "WHEN", value_parser = moment)]
    since: Option<Timestamp>,
    /// Of this port alone, by id, interface, MAC, IP address or name
    #[arg(short, long)]
    port: Option<String>,
    /// Of this security group alone, by id or name
    #[arg(short, long)]
    group: Option<String>,
    /// A line for each rule, or for each rule at each port
    #[arg(long, value_enum, default_value = "rule")]
    by: By,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum By {
    /// Rules that no port of this node has used
    Rule,
    /// Rules that a port has not used, whatever others do
    Port,
}

impl UnusedArgs {
    pub async fn run(self, context: &Context) -> Result<Exit> {
        let (port, group) = (self.port.as_deref(), self.group.as_deref());
        let mut view = context.client.usage(port, group).await?;
        if self.by == By::Port {
            view.rules = view.rules.into_iter().flat_map(by_port).collect();
        }
        let since = self.since;
        view.rules
            .retain(|rule| standing(rule, since) != Standing::Used);
        context.print(&view, |view| text(view, since))?;
        Ok(Exit::Ok)
    }
}

/// A moment in words, or a span until now.
fn moment(text: &str) -> std::result::Result<Timestamp, String> {
    moment_at(text, &ZonedDateTime::now())
}

fn moment_at(text: &str, now: &ZonedDateTime) -> std::result::Result<Timestamp, String> {
    if let Ok(span) = text.parse::<Span>() {
        let then = now.checked_sub(span.abs());
        return then
            .map(|then| then.timestamp())
            .map_err(|_| "is longer than there is time".into());
    }
    let date = || now.time_zone().to_timestamp(text.parse().ok()?).ok();
    let then = text.parse().ok().or_else(date);
    let then: Timestamp =
        then.ok_or("is neither a date (2026-11-01, 2026-11-01T08:00) nor a span (30d, 12h)")?;
    match then > now.timestamp() {
        true => Err("is still to come".into()),
        false => Ok(then),
    }
}

/// What can be said of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Used,
    Unused,
    /// It is not counted for long enough.
    Young,
}

fn standing(rule: &RuleUsage, since: Option<Timestamp>) -> Standing {
    let time = |text: &str| text.parse::<Timestamp>().ok();
    let is_used = |port: &PortUsage| {
        let last = port.last().and_then(time);
        last.is_some_and(|last| since.is_none_or(|since| last >= since))
    };
    let is_young = |port: &PortUsage| {
        let counted = time(&port.since);
        since.is_some_and(|since| counted.is_none_or(|counted| counted > since))
    };
    match &rule.ports[..] {
        ports if ports.iter().any(is_used) => Standing::Used,
        ports if ports.iter().any(is_young) => Standing::Young,
        _ => Standing::Unused,
    }
}

fn by_port(rule: RuleUsage) -> Vec<RuleUsage> {
    let ports = rule.ports.iter().map(|port| RuleUsage {
        ports: vec![port.clone()],
        ..rule.clone()
    });
    ports.collect()
}

fn text(view: &UsageView, since: Option<Timestamp>) -> String {
    let of = |wanted| {
        let rules = view.rules.iter();
        rules.filter(move |rule| standing(rule, since) == wanted)
    };
    let (unused, young) = (of(Standing::Unused).count(), of(Standing::Young).count());
    let counted = short(&view.since);
    let mut text = match unused {
        0 => format!("no rule is unused; counted here since {counted}\n"),
        _ => list(of(Standing::Unused)),
    };
    if young > 0 {
        text += "\nnot known yet, for these are counted for a shorter time:\n";
        text += &list(of(Standing::Young));
    }
    text
}

/// Rules with what they have permitted.
pub fn list<'a>(rules: impl Iterator<Item = &'a RuleUsage>) -> String {
    let rows = rules.map(|rule| {
        let ports = match &rule.ports[..] {
            [port] if port.name.is_empty() => port.port.clone(),
            [port] => port.name.clone(),
            ports => format!("{} ports", ports.len()),
        };
        let sum = |of: fn(&PortUsage) -> u64| rule.ports.iter().map(of).sum::<u64>().to_string();
        let last = rule
            .ports
            .iter()
            .filter_map(|port| port.last_hit.as_deref())
            .max();
        let since = rule.ports.iter().map(|port| port.since.as_str()).max();
        [
            rule.id.clone(),
            dash(rule.security_group.clone()),
            rule.text.clone(),
            dash(ports),
            sum(|port| port.hits),
            last.map_or("never".into(), short),
            since.map_or("-".into(), short),
            sum(|port| port.connections),
            note(rule),
        ]
    });
    table(
        [
            "ID",
            "GROUP",
            "RULE",
            "PORT",
            "HITS",
            "LAST HIT",
            "COUNTED SINCE",
            "LIVE",
            "NOTE",
        ],
        rows,
    )
}

/// What else is to be known of a rule, before it goes.
fn note(rule: &RuleUsage) -> String {
    let mut notes = Vec::new();
    let shared: u64 = rule.ports.iter().map(|port| port.shared_hits).sum();
    if shared > 0 {
        let with = rule.ports.iter().flat_map(|port| &port.shared_with);
        let last = rule
            .ports
            .iter()
            .filter_map(|port| port.last_shared_hit.as_deref());
        notes.push(format!(
            "{shared} hits, the last {}, are its or those of {}",
            last.max().map_or("-".into(), short),
            some(with)
        ));
    }
    if rule.ports.iter().all(|port| !port.covered_by.is_empty()) {
        let by = rule.ports.iter().flat_map(|port| &port.covered_by);
        notes.push(format!(
            "permits nothing that is not permitted by {}",
            some(by)
        ));
    }
    notes.join("; ")
}

/// The first of some ids, and how many more there are.
fn some<'a>(ids: impl Iterator<Item = &'a String>) -> String {
    let ids: std::collections::BTreeSet<_> = ids.collect();
    let first = ids.first().map_or("-", |id| id.as_str());
    match ids.len() {
        0 | 1 => plain(first),
        more => format!("{} and {} more", plain(first), more - 1),
    }
}

/// A moment to the minute, by the clock that people read.
pub fn short(time: &str) -> String {
    let Ok(time) = time.parse::<Timestamp>() else {
        return plain(time);
    };
    let time = time.to_zoned_datetime(TimeZone::system());
    time.strftime("%Y-%m-%d %H:%M").to_string()
}

#[cfg(test)]
mod tests;
