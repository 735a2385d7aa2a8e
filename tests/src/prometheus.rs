//! What is in `dist` for Prometheus and Grafana, tried with a real Prometheus that scrapes a real node.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::daemon::Daemon;
use crate::node::Node;
use crate::steady::{Steady, inventory};

/// Where the daemon tells its metrics, and where Prometheus answers.
const METRICS: &str = "127.0.0.1:9477";
const PROMETHEUS: &str = "127.0.0.1:9090";

/// How long something is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// Checks rules, tries alerts, and asks a Prometheus every question of the dashboard and of the alerts. `programs` has
/// `prometheus` and `promtool`, `dist` what is tried.
///
/// # Errors
///
/// The first thing that is not as it should be.
pub fn run(programs: &Path, dist: &Path) -> Result<()> {
    let rules = dist.join("prometheus/sgd.rules.yml");
    let promtool = |words: &[&str], file: &Path| {
        let mut command = Command::new(programs.join("promtool"));
        let status = command.args(words).arg(file).status()?;
        ensure!(status.success(), "promtool {}: see above", words.join(" "));
        Ok(())
    };
    promtool(&["check", "rules"], &rules)?;
    promtool(&["test", "rules"], &dist.join("prometheus/sgd.test.yml"))?;

    let mut node = Node::new("prometheus");
    node.netns().ip("link set lo up");
    let steady = Steady::new(&node);
    node.write(&inventory(&[]));
    node.start_with(&["--metrics", METRICS]);
    let config = node.directory().join("prometheus.yml");
    let scrapes = format!(
        "global: {{scrape_interval: 1s, evaluation_interval: 1s}}\nrule_files: [{}]\nscrape_configs:\n- job_name: sgd\n  \
         static_configs: [{{targets: ['{METRICS}']}}]\n",
        rules.display()
    );
    fs::write(&config, scrapes)?;
    let data = node.directory().join("data");
    let mut command = Command::new(programs.join("prometheus"));
    command
        .arg(format!("--config.file={}", config.display()))
        .arg(format!("--storage.tsdb.path={}", data.display()))
        .arg(format!("--web.listen-address={PROMETHEUS}"))
        .arg("--log.level=error");
    command.stdin(Stdio::null());
    let _prometheus = Daemon::start(node.netns(), command);

    let mut asked = Ok(());
    let _ = steady.during(|| {
        asked = wait_for(&node, "up{job=\"sgd\"} == 1")
            // Rates need two samples within a minute, and counters that move.
            .and_then(|()| wait_for(&node, "rate(sg_port_packets_total[1m]) > 0"))
            .and_then(|()| ask_all(&node, dist));
    });
    asked
}

fn ask_all(node: &Node, dist: &Path) -> Result<()> {
    let rules = ask(node, "/api/v1/rules")?;
    let groups = rules["data"]["groups"]
        .as_array()
        .context("groups of rules")?;
    for rule in groups
        .iter()
        .flat_map(|group| group["rules"].as_array().into_iter().flatten())
    {
        println!("alert {}: {}", rule["name"], rule["health"]);
        ensure!(rule["health"] == "ok", "{rule}");
        ensure!(
            rule["state"] == "inactive",
            "nothing is wrong with this node: {rule}"
        );
    }
    let dashboard = dist.join("grafana/security-groups.json");
    let dashboard: Value = serde_json::from_slice(&fs::read(dashboard)?)?;
    for panel in dashboard["panels"].as_array().context("panels")? {
        for target in panel["targets"].as_array().context("targets")? {
            let text = target["expr"].as_str().context("an expression")?;
            let text = text
                .replace("$__rate_interval", "1m")
                .replace("$instance", ".*")
                .replace("$port", ".*");
            let series = query(node, &text)?;
            println!("{}: {series} series", panel["title"]);
            // What is refused in this traffic is counted, too.
            ensure!(series > 0, "nothing answers {text}");
        }
    }
    Ok(())
}

fn wait_for(node: &Node, expression: &str) -> Result<()> {
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        if query(node, expression).is_ok_and(|series| series > 0) {
            return Ok(());
        }
        sleep(Duration::from_millis(500));
    }
    bail!("{expression} has no answer after {} s", PATIENCE.as_secs())
}

/// How many series answer an expression.
fn query(node: &Node, expression: &str) -> Result<usize> {
    let encoded: String = expression
        .bytes()
        .map(|byte| format!("%{byte:02x}"))
        .collect();
    let answer = ask(node, &format!("/api/v1/query?query={encoded}"))?;
    let result = answer["data"]["result"].as_array();
    Ok(result
        .with_context(|| format!("{expression}: {answer}"))?
        .len())
}

fn ask(node: &Node, path: &str) -> Result<Value> {
    node.netns().run(|| {
        let mut stream = TcpStream::connect(PROMETHEUS)?;
        write!(stream, "GET {path} HTTP/1.0\r\nHost: {PROMETHEUS}\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let (_, body) = answer.split_once("\r\n\r\n").context("an answer of HTTP")?;
        Ok(serde_json::from_str(body)?)
    })
}
