//! The book's commands: the `openstack` client drives the node through the API, and two taps show what it has
//! enforced.

mod cloud;

use std::time::{Duration, Instant};

use self::cloud::Cloud;
use super::question::Family::{V4, V6};
use super::question::{ask, ask_all, tcp, udp};
use super::report::Report;
use crate::interrupt::Interrupted;
use crate::traffic::Connection;
use crate::traffic::Outcome::{Answered, Silence};

/// How long a command may take until it is enforced. Neutron's agent needs 2.9 s.
const AT_ONCE: Duration = Duration::from_millis(290);

/// The steps in their order.
pub(super) fn story(report: &mut Report) -> Result<(), Interrupted> {
    report.step("A compute node, and the API in front of it; two ports are created")?;
    let mut cloud = Cloud::new(report);
    report.output(&cloud.drawing(), 6);
    ask_all(
        report,
        &[
            tcp(&cloud.client, &cloud.web1, V4, 80, Silence),
            tcp(&cloud.client, &cloud.web1, V4, 443, Silence),
            tcp(&cloud.client, &cloud.web1, V6, 80, Silence),
        ],
    );

    report.step("WEB_SERVERS: a group with rules for 80 and 443")?;
    cloud.run(report, "security group create WEB_SERVERS");
    cloud.run(report, &permit("tcp", 80, "0.0.0.0/0"));
    let https = cloud.id(report, &permit("tcp", 443, "0.0.0.0/0"));
    cloud.run(report, &permit("tcp", 80, "::/0 --ethertype IPv6"));
    cloud.run(report, "security group rule list WEB_SERVERS");
    ask_all(report, &[tcp(&cloud.client, &cloud.web1, V4, 80, Silence)]);

    report.step("The port update: WEB1 joins WEB_SERVERS")?;
    cloud.run(report, "port set WEB1 --security-group WEB_SERVERS");
    let (client, web1) = (&cloud.client, &cloud.web1);
    ask_all(
        report,
        &[
            tcp(client, web1, V4, 80, Answered),
            tcp(client, web1, V4, 443, Answered),
            tcp(client, web1, V6, 80, Answered),
            tcp(client, web1, V6, 443, Silence),
            tcp(client, web1, V4, 22, Silence),
            udp(client, web1, V4, 80, Silence),
        ],
    );
    let status = cloud.value(report, "port show WEB1 -f value -c status");
    report.check("status of WEB1", "ACTIVE", status);
    let alive = cloud.value(report, "network agent list -f value -c Alive");
    report.check("the node is alive", "True", alive);
    cloud.show(report, "show port WEB1");

    report.step("What Neutron refuses, this API refuses")?;
    cloud.refused(report, &permit("tcp", 80, "0.0.0.0/0"), "already exists");
    cloud.refused(report, "security group delete WEB_SERVERS", "in use");
    cloud.refused(report, &permit("tcp", 70_000, "0.0.0.0/0"), "70000");

    report.step("The rule for 443 is removed, under an open connection")?;
    let mut to_80 = Connection::open(cloud.client.netns(), cloud.web1.v4(), 80).ok();
    let mut to_443 = Connection::open(cloud.client.netns(), cloud.web1.v4(), 443).ok();
    report.check(
        "open connection to 443, before",
        Answered,
        ask(to_443.as_mut()),
    );
    cloud.run(report, &format!("security group rule delete {https}"));
    report.check(
        "open connection to 443, after",
        Silence,
        ask(to_443.as_mut()),
    );
    report.check(
        "open connection to 80, after",
        Answered,
        ask(to_80.as_mut()),
    );

    report.step("From the API's answer to the kernel")?;
    let took = how_long(&cloud);
    let words = match took {
        Some(took) if took <= AT_ONCE => "at most 290 ms".to_owned(),
        Some(took) => format!("{} ms", took.as_millis()),
        None => "never".to_owned(),
    };
    if let Some(took) = took {
        report.say(&format!("It took {:.1} ms.", took.as_secs_f64() * 1e3));
    }
    report.check(
        "a rule is enforced after it was answered",
        "at most 290 ms",
        words,
    );

    report.step("The API is stopped: the node goes on enforcing")?;
    cloud.stop_api(report);
    ask_all(
        report,
        &[
            tcp(&cloud.client, &cloud.web1, V4, 80, Answered),
            tcp(&cloud.client, &cloud.web1, V4, 443, Silence),
        ],
    );
    report.check("open connection to 80", Answered, ask(to_80.as_mut()));
    cloud.start_api(report);
    cloud.run(report, "port set WEB1 --no-security-group");
    report.check(
        "open connection to 80, out of its group",
        Silence,
        ask(to_80.as_mut()),
    );
    Ok(())
}

/// The command that permits a protocol to a port number in WEB_SERVERS.
fn permit(protocol: &str, port: u32, remote: &str) -> String {
    format!(
        "security group rule create WEB_SERVERS --protocol {protocol} --dst-port {port} --remote-ip {remote}"
    )
}

/// How long after its answer a rule is seen in the kernel's tables; `None` if it never is.
fn how_long(cloud: &Cloud) -> Option<Duration> {
    const PATIENCE: Duration = Duration::from_secs(10);

    cloud.permit(8080);
    let answered = Instant::now();
    while answered.elapsed() < PATIENCE {
        let to_web1 = "explain --port WEB1 --ingress tcp 198.51.100.7:40000 10.0.0.5:8080";
        if cloud.node.sgctl(to_web1).code == 0 {
            return Some(answered.elapsed());
        }
    }
    None
}
