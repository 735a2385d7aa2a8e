//! A fleet: three members of etcd, eight nodes, one API; what is lost and what is not when something fails.

mod cloud;
mod times;

use std::time::Duration;

use serde_json::json;

use self::cloud::{Cloud, MEMBERS, NODES};
use super::question::Family::V4;
use super::question::{ask, ask_all, tcp};
use super::report::Report;
use crate::crowd::wait_until;
use crate::interrupt::Interrupted;
use crate::traffic::Connection;
use crate::traffic::Outcome::{Answered, Silence};

/// How long may be waited for what is not a matter of time.
const SOON: Duration = Duration::from_secs(30);

/// How often a rule is written and looked for.
const ROUNDS: usize = 25;

/// The steps in their order.
pub(super) fn story(report: &mut Report) -> Result<(), Interrupted> {
    report.step("Three members of etcd, eight nodes with a machine on each, one API")?;
    let mut cloud = Cloud::new(report);
    report.output(&cloud.drawing(), 12);
    report.check("nodes that the API sees alive", NODES, cloud.alive());
    ask_from_first(&cloud, report, 80, Silence);

    report.step("A rule reaches every node that it concerns")?;
    let web = cloud.permit(80);
    wait_for_all(&cloud, 80, true);
    ask_from_first(&cloud, report, 80, Answered);
    let times = cloud.times(ROUNDS);
    // How fast this machine is today is no outcome.
    report.say(&format!(
        "{times} A tenth of what Neutron's agent needs is 290 ms."
    ));

    report.step("A member of etcd is killed")?;
    cloud.kill_member(0, report);
    let https = cloud.permit(443);
    wait_for_all(&cloud, 443, true);
    ask_from_first(&cloud, report, 443, Answered);
    ask_from_first(&cloud, report, 80, Answered);

    report.step("A node is cut off, and comes back")?;
    let last = NODES - 1;
    let mut open = Connection::open(cloud.vm(0).netns(), cloud.vm(last).v4(), 443).ok();
    cloud.cut_off(last, true, report);
    cloud.forbid(&https);
    wait_until(SOON, "the others follow", || {
        (0..last).all(|node| !cloud.is_open(node, 443))
    });
    report.check("the others refuse 443", "yes", "yes");
    let state = if cloud.is_open(last, 443) {
        "what it knew"
    } else {
        "something else"
    };
    report.check("the node that is cut off enforces", "what it knew", state);
    wait_until(SOON, "it notices", || {
        cloud.source(last)["connected"] == false
    });
    cloud.show(last, report, "status");
    report.check("connection to it", Answered, ask(open.as_mut()));
    cloud.cut_off(last, false, report);
    wait_until(SOON, "it follows again", || !cloud.is_open(last, 443));
    report.check(
        "connection to it, when it is back",
        Silence,
        ask(open.as_mut()),
    );

    report.step("A machine moves from node to node with its connections")?;
    let mut open = Connection::open(cloud.vm(0).netns(), cloud.vm(1).v4(), 80).ok();
    report.check("connection to it, before", Answered, ask(open.as_mut()));
    cloud.move_machine(1, 2, report);
    report.check("connection to it, after", Answered, ask(open.as_mut()));
    ask_all(report, &[tcp(cloud.vm(0), cloud.vm(1), V4, 80, Answered)]);
    ask_all(report, &[tcp(cloud.vm(0), cloud.vm(1), V4, 443, Silence)]);

    report.step("All of etcd is gone, and a node's daemon starts anew")?;
    for member in 1..MEMBERS {
        cloud.kill_member(member, report);
    }
    cloud.restart_daemon(3, report);
    ask_all(
        report,
        &[
            tcp(cloud.vm(0), cloud.vm(3), V4, 80, Answered),
            tcp(cloud.vm(0), cloud.vm(3), V4, 443, Silence),
        ],
    );
    let refused = cloud.api.ask(
        "POST /v2.0/security-groups",
        &json!({"security_group": {"name": "lost"}}),
    );
    report.check("the API says that nothing is written", 503, refused.status);
    for member in 0..MEMBERS {
        cloud.start_member(member, report);
    }
    wait_until(SOON, "the API writes again", || {
        let list = cloud
            .api
            .ask("GET /v2.0/security-groups?name=lost", &json!(null));
        list.json()["security_groups"] == json!([]) && cloud.try_forbid(&web)
    });
    wait_for_all(&cloud, 80, false);
    ask_from_first(&cloud, report, 80, Silence);
    Ok(())
}

fn wait_for_all(cloud: &Cloud, port: u16, open: bool) {
    wait_until(SOON, "every node follows", || {
        (0..NODES).all(|node| cloud.is_open(node, port) == open)
    });
}

/// The machine of the first node asks those of all others.
fn ask_from_first(
    cloud: &Cloud,
    report: &mut Report,
    port: u16,
    expected: crate::traffic::Outcome,
) {
    let questions: Vec<_> = (1..NODES)
        .map(|node| tcp(cloud.vm(0), cloud.vm(node), V4, port, expected))
        .collect();
    ask_all(report, &questions);
}
